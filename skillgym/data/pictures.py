"""Windows of maze trajectories with pictures, which are rendered when they are needed.

Letters: `E` episodes, `B` batch, `K` observations of a window, `H` actions of a window, `A` action
size.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

from skillgym.data.errors import InvalidTrajectories
from skillgym.data.windows import IntArray, WindowDataset, split_episodes
from skillgym.types import FloatArray
from skillgym_envs.maze.camera import MazeCamera
from skillgym_envs.maze.layouts import make_layout
from skillgym_envs.maze.observation import IMAGE_SIZE, STATE_LAYOUT
from skillgym_envs.maze.scene import CAMERA_FOLLOWS, TIMESTEP

POSITION, VELOCITY = (STATE_LAYOUT.slices[name] for name in ("position", "velocity"))
CHUNK = 64
"""Pictures that are rendered at a time: as many as fit into the processor's cache."""


@dataclass(frozen=True)
class PictureWindows:
    """Trajectories of states in mazes, from which windows of image observations are drawn.

    Only states are stored: 10 000 episodes with pictures would take 20 GB, and rendering a batch
    takes less time than a gradient step on it.

    Attributes:
        windows: Trajectories of the maze's states.
        camera: Camera that renders all mazes.
        mazes: Which of the camera's mazes each episode is in, shape (E,).
        centres: Centre of the camera's view in each row of the trajectories [m], shape (N, 2).
    """

    windows: WindowDataset
    camera: MazeCamera
    mazes: IntArray
    centres: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        """Let the camera follow the ball through each episode."""
        episodes = range(self.windows.num_episodes)
        positions = (self.windows.episode(index)[0][:, POSITION] for index in episodes)
        centres = np.concatenate([_followed(path) for path in positions])
        object.__setattr__(self, "centres", centres)

    @classmethod
    def of_worlds(
        cls, windows: WindowDataset, keywords: Iterable[Mapping[str, Any]]
    ) -> PictureWindows:
        """Join trajectories with the mazes that they are in.

        Args:
            windows: Trajectories of the maze's states.
            keywords: Keywords of each episode's `MazeWorld`, of which those of the layout are used.

        Raises:
            InvalidTrajectories: If they are not states of the maze, or there is not one maze for
                each episode.
        """
        numbers: dict[tuple[Any, ...], int] = {}
        mazes = [numbers.setdefault(_maze(world), len(numbers)) for world in keywords]
        if windows.observations.shape[1] != STATE_LAYOUT.size or len(mazes) != windows.num_episodes:
            raise InvalidTrajectories(
                f"{windows.num_episodes} episodes of observations of size "
                f"{windows.observations.shape[1]} and {len(mazes)} mazes",
                f"observations of size {STATE_LAYOUT.size} and a maze for each episode",
            )
        layouts = [make_layout(**dict(maze)) for maze in numbers]
        return cls(windows, MazeCamera(layouts, IMAGE_SIZE), np.array(mazes, np.int64))

    def split(
        self, validation: float = 0.01, rng: np.random.Generator | None = None
    ) -> tuple[PictureWindows, PictureWindows]:
        """Split by episode into training and validation data (see `WindowDataset.split`)."""
        train, rest = split_episodes(self.windows.num_episodes, validation, rng)
        return self.subset(train), self.subset(rest)

    def subset(self, episodes: npt.ArrayLike) -> PictureWindows:
        """The episodes of these indices, in this order."""
        chosen = np.asarray(episodes, np.int64)
        return PictureWindows(self.windows.subset(chosen), self.camera, self.mazes[chosen])

    def sample(
        self,
        rng: np.random.Generator,
        batch_size: int,
        horizon: int,
        num_observations: int | None = None,
        noise: Sequence[float] = (),
    ) -> tuple[FloatArray, ...]:
        """Draw windows with replacement, as SPiRL does: an episode, then one of its windows.

        Args:
            rng: Source of randomness.
            batch_size: B.
            horizon: H.
            num_observations: K, how many of the H observations are rendered; all if None.
            noise: If given, standard deviations of the ball's position [m] and velocity [m/s] with
                which the first observation is rendered again.

        Returns:
            First the observations to which the actions lead, of which the first K are rendered,
            shape (B, K, 6148), then the actions a_0 ... a_(H-1), shape (B, H, A). The observation
            in which a_0 is taken has no previous picture; its own is the previous picture of the
            next. With `noise`, also the first of the observations with noise, shape (B, 6148).

        Raises:
            NoWindows: If no episode has `horizon` actions.
        """
        rows = self.windows.sample_rows(rng, batch_size, horizon)
        states, actions = self.windows.gather(rows, horizon)
        count = 1 + (horizon if num_observations is None else num_observations)
        centres = self.centres[rows[:, None] + np.arange(count)]
        mazes = self.mazes[self.windows.episodes_of(rows)]
        windows = self.observations(states[:, :count], centres, mazes), actions
        if not noise:
            return windows
        moved = _moved(states[:, :2], centres[:, :2], noise, rng)
        return *windows, self.observations(*moved, mazes)[:, 0]

    def observations(self, states: FloatArray, centres: FloatArray, mazes: IntArray) -> FloatArray:
        """The world's image observations of all states but the first.

        Args:
            states: Successive states, shape (B, K+1, 4).
            centres: Centre of the camera's view in them [m], shape (B, K+1, 2).
            mazes: The maze of each row, shape (B,).

        Returns:
            Shape (B, K, 6148): the state, the previous picture, the picture.
        """
        batch, frames, size = states.shape
        pixels = 3 * self.camera.size**2
        observations = np.empty((batch, frames - 1, size + 2 * pixels), np.float32)
        observations[..., :size] = states[:, 1:]
        step = max(1, CHUNK // frames)
        for begin in range(0, batch, step):
            part = slice(begin, begin + step)
            positions = states[part, :, POSITION].astype(np.float64).reshape(-1, 2)
            looks_at = centres[part].astype(np.float64).reshape(-1, 2)
            drawn = self.camera.pictures(positions, np.repeat(mazes[part], frames), looks_at)
            drawn = drawn.reshape(-1, frames, pixels)
            observations[part, :, size : size + pixels] = drawn[:, :-1]
            observations[part, :, size + pixels :] = drawn[:, 1:]
        return observations


def _followed(path: FloatArray) -> FloatArray:
    """Centre of the camera's view while the ball moves along a path (T, 2), shape (T, 2)."""
    kept = 1.0 - CAMERA_FOLLOWS
    begin = kept * path[:1].astype(np.float64)  # as if the ball had long rested at the start
    centres, _ = lfilter([CAMERA_FOLLOWS], [1.0, -kept], path, axis=0, zi=begin)
    return np.asarray(centres, np.float32)


def _moved(
    states: FloatArray, centres: FloatArray, noise: Sequence[float], rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """States (B, 2, 4) and centres (B, 2, 2) with noise on position and constant velocity."""
    place, speed = (deviation * rng.normal(size=(len(states), 1, 2)) for deviation in noise)
    steps = np.array([[[-1.0], [0.0]]])  # relative to the second state
    ahead = (1.0 - CAMERA_FOLLOWS) / CAMERA_FOLLOWS  # how far the ball leads the camera, in steps
    states, positions = states.copy(), place + TIMESTEP * speed * steps
    states[..., POSITION] += positions
    states[..., VELOCITY] += speed
    centres = centres + positions - TIMESTEP * speed * ahead
    return states, centres.astype(np.float32)


def _maze(keywords: Mapping[str, Any]) -> tuple[Any, ...]:
    """The keywords of the layout, in hashable form."""
    names = ("layout", "size", "layout_seed")
    chosen = {name: keywords[name] for name in names if name in keywords}
    if isinstance(chosen.get("layout"), list):
        chosen["layout"] = tuple(chosen["layout"])
    return tuple(chosen.items())
