"""The maze: a ball with two motors searches for a far goal that it does not observe.

Papers: Fu et al. 2020, "D4RL", arXiv:2004.07219 (physics of the ball); Pertsch et al. 2020,
"Accelerating RL with Learned Skill Priors" (SPiRL), arXiv:2010.11944 (large random mazes); Pertsch
et al. 2021, "Demonstration-Guided RL with Learned Skills" (SkiLD), arXiv:2107.10253; Shi et al.
2022, "Skill-based Model-based RL" (SkiMo), arXiv:2207.07560.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import mujoco
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from skillgym_envs.core.checks import check_choice, check_flag, check_range
from skillgym_envs.core.world import (
    Array,
    Control,
    Memory,
    Outcome,
    Physics,
    PhysicsState,
    World,
    like,
    namespace,
)
from skillgym_envs.maze.camera import MazeCamera
from skillgym_envs.maze.errors import InvalidPosition
from skillgym_envs.maze.layouts import MazeLayout, make_layout, random_layout
from skillgym_envs.maze.observation import IMAGE_LAYOUT, IMAGE_SIZE, STATE_LAYOUT
from skillgym_envs.maze.scene import (
    BALL_RADIUS,
    CAMERA_FOLLOWS,
    CELL_LOW,
    CONTACT_MARGIN,
    cell_of,
    maze_model,
)
from skillgym_envs.maze.variants import GOAL, START, VARIANTS, VariantName

MAX_SPEED = 5.0
"""Each coordinate of the velocity is clipped to this before a step [m/s]."""

OBSERVATIONS = ("state", "image")

Position = tuple[float, float]


class MazeWorld(World):
    """A ball in a maze; one cell is one metre, and a position is (row, column).

    Reward: `goal_reward` in each step that ends within `goal_radius` of the goal. The goal is not
    part of the observation.

    Control: the action is a force in units of 100 N; it accelerates the ball by 0.24 m/s per step.
    Before a step, each coordinate of the velocity is clipped to 5 m/s.

    Args:
        layout: A `MazeLayout`, or its rows of `#`, `O` and `G`; a random layout if None.
        size: Rows and columns of a random layout, without its border.
        layout_seed: Seed of a random layout. Size 40 and seed 0 are the published maze.
        variant: Published task: `spirl`, `skild` or `skimo` (see `VARIANTS`). In mazes other than
            the published one, starts have no noise and the goal has a radius of 0.5 m in all
            variants. The four keywords after `goal` override the variant.
        start: Start [m]; `"random"` for the centre of a random cell from which the goal can be
            reached. If None: (10, 24) in the published maze, `"random"` elsewhere.
        goal: Goal [m]. If None: (18, 8) in the published maze, the cell marked `G` elsewhere.
        start_noise: Half-width of the uniform noise on each coordinate of the start [m]. If None:
            that of the variant in the published maze, 0 elsewhere.
        goal_radius: Distance from the goal at which it counts as reached [m]. If None: that of the
            variant in the published maze, 0.5 elsewhere.
        goal_reward: Reward of each step at the goal.
        terminate: Whether reaching the goal ends the episode.
        start_speed: Standard deviation of each coordinate of the initial velocity [m/s].
        start_in_walls: Whether noise may place the ball inside a wall, which then pushes it out.
        observation: `state` (4 numbers), or `image` for the state and then the last two pictures of
            `MazeCamera`, older one first, each of shape (3, 32, 32) with values from -1 to 1. At
            the start both are the same.

    Raises:
        InvalidLayout: If the layout is not a valid maze.
        InvalidPosition: If start or goal touches a wall, or there is no path between them.
        UnknownChoice: If there is no such variant or observation.
        InvalidConfig: If noise, radius, speed or seed is negative, the noise is larger than the
            maze, size or seed is not an integer, or another keyword has the wrong type.

    Deviation: the references place the ball inside a wall in 31 % of the starts with noise (its
    centre in 25 %); here the start is drawn again. `start_in_walls=True` restores theirs. They also
    take a step with a zero action before the first observation; it changes nothing outside of walls
    and is omitted here. Random starts are at the centre (i - 0.2, j - 0.2) of a cell, theirs at
    (i, j).
    """

    name = "maze"
    frame_skip = 1
    max_episode_steps = 2000
    noise_size = 0
    subtasks = ("goal",)

    def __init__(
        self,
        layout: MazeLayout | Sequence[str] | str | None = None,
        size: int = 40,
        layout_seed: int = 0,
        variant: VariantName = "skild",
        start: Position | Literal["random"] | None = None,
        goal: Position | None = None,
        start_noise: float | None = None,
        goal_radius: float | None = None,
        goal_reward: float | None = None,
        terminate: bool | None = None,
        start_speed: float = 0.0,
        start_in_walls: bool = False,
        observation: Literal["state", "image"] = "state",
    ) -> None:
        check_choice("variant", variant, VARIANTS)
        check_choice("observation", observation, OBSERVATIONS)
        self.maze = make_layout(layout, size, layout_seed)
        published = self.maze == random_layout()
        task = VARIANTS[variant] if published else VARIANTS[variant].elsewhere()
        self.start_noise = _either(start_noise, task.start_noise)
        self.goal_radius = _either(goal_radius, task.goal_radius)
        self.goal_reward = _either(goal_reward, task.goal_reward)
        self.terminate = _either(terminate, task.terminate)
        self.start_speed = start_speed
        for name in ("goal_radius", "start_speed"):
            check_range(name, getattr(self, name), 0.0)
        check_range("goal_reward", self.goal_reward, -np.inf)
        check_flag("terminate", self.terminate)
        check_flag("start_in_walls", start_in_walls)
        # Farther away no start can be found.
        check_range("start_noise", self.start_noise, 0.0, float(max(self.maze.walls.shape)))
        self.start_in_walls = start_in_walls
        self.goal = _position("goal", _either(goal, GOAL if published else self.maze.goal))
        self._goal_row = np.array([self.goal])
        self._reward_row = np.array([float(self.goal_reward)])  # in double precision
        if not self.clear_of_walls(self._goal_row).all():
            raise InvalidPosition("goal", goal)
        self._reachable = np.zeros(self.maze.walls.shape, bool)
        self._reachable[tuple(np.transpose([*self.maze.paths_from(cell_of(self.goal))]))] = True
        self._starts = self._possible_starts(_either(start, START if published else "random"))
        self.action_space = spaces.Box(-1.0, 1.0, (2,), np.float32)
        self._camera = MazeCamera(self.maze, IMAGE_SIZE)
        self._draws = observation == "image"
        self.layout = IMAGE_LAYOUT if self._draws else STATE_LAYOUT
        rows, columns = self.maze.walls.shape
        self.camera: Mapping[str, Any] = {
            "distance": 0.5 * (max(rows, columns) + 1.0) / np.tan(np.pi / 8),
            "azimuth": 0.0,
            "elevation": -90.0,
            "lookat": ((rows + 1) / 2, (columns + 1) / 2, 0.0),
        }

    def clear_of_walls(self, positions: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether a ball at each position touches neither a wall nor the outside.

        Args:
            positions: Positions [m], shape (P, 2).

        Returns:
            Flags, shape (P,).
        """
        cells = np.floor(positions - CELL_LOW).astype(np.intp)
        shape = np.array(self.maze.walls.shape)
        inside = ((cells > 0) & (cells < shape - 1)).all(axis=1)
        near = cells[:, None] + _NEIGHBOURS  # (P, 9, 2)
        rows, columns = np.moveaxis(near.clip(0, shape - 1), -1, 0)
        # To the nearest point of each surrounding cell.
        centre = near + CELL_LOW + 0.5
        gap = np.maximum(np.abs(positions[:, None] - centre) - 0.5, 0.0)
        touches = np.hypot(gap[..., 0], gap[..., 1]) < BALL_RADIUS + CONTACT_MARGIN
        clear: NDArray[np.bool_] = inside & ~(touches & self.maze.walls[rows, columns]).any(axis=1)
        return clear

    def compile(self) -> mujoco.MjModel:
        """Compile the MuJoCo model."""
        return maze_model(self.maze, self.goal, self.goal_radius)

    def reset(
        self, rngs: Sequence[np.random.Generator], options: Mapping[str, Any] | None = None
    ) -> tuple[PhysicsState, Memory]:
        """Place M balls at their starts."""
        count = len(rngs)
        qpos = np.array([self._start(rng) for rng in rngs]).reshape(count, 2)
        qvel = np.zeros((count, 2))
        if self.start_speed:
            qvel[:] = [rng.normal(0.0, self.start_speed, 2) for rng in rngs]
        memory = {"velocity": qvel, "completed": np.zeros((count, 1), bool)}
        if self._draws:
            memory |= {"looks_at": qpos, "picture": self._picture(qpos, qpos)}
        return PhysicsState(qpos=qpos, qvel=qvel), memory

    def control(self, action: Array, memory: Memory) -> Control:
        """Clip forces and velocities."""
        return Control(
            ctrl=action.clip(-1.0, 1.0), qvel=memory["velocity"].clip(-MAX_SPEED, MAX_SPEED)
        )

    def observe(self, physics: Physics, memory: Memory, noise: Array) -> tuple[Array, Memory]:
        """Read position and velocity; draw the picture if it is part of the observation."""
        xp = namespace(physics.qpos)
        state = xp.concat([physics.qpos, physics.qvel], axis=1)
        memory = memory | {"velocity": state[:, 2:]}
        if not self._draws:
            return state, memory
        looks_at = memory["looks_at"]
        looks_at = looks_at + CAMERA_FOLLOWS * (physics.qpos - looks_at)
        picture = self._picture(physics.qpos, looks_at)
        pictures = [memory["picture"], picture]
        observation = xp.concat([xp.astype(state, picture.dtype), *pictures], axis=1)
        return observation, memory | {"looks_at": looks_at, "picture": picture}

    def score(self, observation: Array, physics: Physics, memory: Memory) -> tuple[Outcome, Memory]:
        """Reward the balls at the goal."""
        away = physics.qpos - like(self._goal_row, physics.qpos)
        down, right = away[:, 0], away[:, 1]
        at_goal = down * down + right * right <= self.goal_radius**2
        before = memory["completed"]
        completed = before | at_goal[:, None]
        outcome = Outcome(
            reward=at_goal * like(self._reward_row, at_goal),
            terminated=at_goal & self.terminate,
            completed_step=completed ^ before,
            completed=completed,
        )
        return outcome, memory | {"completed": completed}

    def _picture(self, positions: Array, centres: Array) -> Array:
        """Pictures as flat rows with values from -1 to 1, (N, 3 * size * size)."""
        pictures = self._camera.pictures(positions, centres=centres)
        return pictures.reshape((positions.shape[0], -1))

    def _possible_starts(self, start: Position | Sequence[float] | str) -> NDArray[np.float64]:
        """Starts to draw from, shape (S, 2)."""
        if isinstance(start, str) and start == "random":
            return np.argwhere(self._reachable).astype(np.float64) + (CELL_LOW + 0.5)
        starts = np.array([_position("start", start)])
        if not self._allowed(starts[0]):
            raise InvalidPosition("start", start)
        return starts

    def _allowed(self, start: NDArray[np.float64]) -> bool:
        """Whether an episode may start here, position (2,)."""
        return bool(self.clear_of_walls(start[None])[0] and self._reachable[cell_of(start)])

    def _start(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """One start, shape (2,)."""
        while True:
            start: NDArray[np.float64] = self._starts[0]
            if len(self._starts) > 1:
                start = self._starts[int(rng.integers(len(self._starts)))]
            if self.start_noise:
                start = start + rng.uniform(-self.start_noise, self.start_noise, 2)
            if self._allowed(start) or (self.start_in_walls and self._inside(start)):
                return start

    def _inside(self, position: NDArray[np.float64]) -> bool:
        """Whether a position (2,) is within the border."""
        cell, shape = np.array(cell_of(position)), np.array(self.maze.walls.shape)
        return bool(((cell > 0) & (cell < shape - 1)).all())


_NEIGHBOURS = np.stack(np.meshgrid([-1, 0, 1], [-1, 0, 1]), axis=-1).reshape(9, 2)


def _position(what: str, given: Any) -> Position:
    """Two numbers, or an error if they are not."""
    try:
        row, column = (float(x) for x in given)
    except (TypeError, ValueError):
        raise InvalidPosition(what, given) from None
    return row, column


def _either(given: Any, default: Any) -> Any:
    """The given value, or the default for None."""
    return default if given is None else given
