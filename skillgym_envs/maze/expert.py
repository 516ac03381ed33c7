"""Scripted maze expert: the shortest path, along waypoints, with a controller for the ball."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

import mujoco
import numpy as np
from numpy.typing import NDArray

from skillgym_envs.core.errors import UnknownTask
from skillgym_envs.maze.layouts import FREE, MOVES, WALL, Cell, MazeLayout
from skillgym_envs.maze.scene import ORIGIN, cell_of

Destination = Literal["goal", "random cell"]
DESTINATIONS = ("goal", "random cell")

_POSITION_GAIN = 10.0  # force per distance from the waypoint [100 N/m]
_VELOCITY_GAIN = 1.0  # [100 N s/m]
_NEAR = 0.1  # distance at which a waypoint is reached [m]


class MazeExpert:
    """Rolls the ball to the task's goal or to a random cell.

    Paper: Pertsch et al. 2020, SPiRL, arXiv:2010.11944, the authors' data generation: shortest path
    over cells, waypoints that are jittered within a cell (except the last one), and a PD
    controller.

    Deviation: the authors plan by Q-iteration on the grid, which gives a path of the same length.
    Among equally short paths theirs always prefers the same moves; ours draws the preference.

    Args:
        destination: `goal` for the goal of the task, `random cell` for a reachable random cell.
        rng: Random stream of the episode.
        jitter: Each coordinate of a waypoint is the cell's index minus a uniform number up to this
            [m].
        noise: Standard deviation of the noise on actions; the authors' data have none.

    Raises:
        UnknownTask: If there is no such destination.
    """

    def __init__(
        self,
        destination: Destination | str,
        rng: np.random.Generator,
        jitter: float = 0.2,
        noise: float = 0.0,
    ) -> None:
        if destination not in DESTINATIONS:
            raise UnknownTask(destination, DESTINATIONS)
        self._destination = destination
        self._rng = rng
        self._jitter = jitter
        self._noise = noise
        self._waypoints: list[tuple[float, float]] = []

    @property
    def waypoints(self) -> list[tuple[float, float]]:
        """Remaining positions, the next one last [m]."""
        return list(self._waypoints)

    @property
    def done(self) -> bool:
        """Whether the ball has arrived."""
        return self._waypoints == [] or (len(self._waypoints) == 1 and self._is_near())

    def reset(self, data: mujoco.MjData) -> None:
        """Plan the path from the ball's position."""
        # Views of the simulator's arrays; getting them takes longer than reading them.
        self._qpos, self._qvel = data.qpos, data.qvel
        layout = layout_of(data.model)
        moves = [MOVES[index] for index in self._rng.permutation(len(MOVES))]
        start = cell_of(data.qpos.tolist())
        before = layout.paths_from(start, moves)
        cell = self._last_cell(data, list(before))
        if cell not in before:
            self._waypoints = []
            return
        self._waypoints = [(float(cell[0]), float(cell[1]))]
        while (cell := before[cell]) != start:
            row, column = self._rng.uniform(0.0, self._jitter, 2).tolist()
            self._waypoints.append((cell[0] - row, cell[1] - column))

    def act(self, data: mujoco.MjData) -> NDArray[np.float64]:
        """Force (2,) towards the next waypoint."""
        while len(self._waypoints) > 1 and self._is_near():
            self._waypoints.pop()
        action = np.array(self._force()) if self._waypoints else np.zeros(2)
        if self._noise:
            action = (action + self._rng.normal(0.0, self._noise, 2)).clip(-1.0, 1.0)
        return action

    def _last_cell(self, data: mujoco.MjData, reachable: list[Cell]) -> Cell:
        if self._destination == "goal":
            return cell_of((data.model.site("goal").pos[:2] - ORIGIN).tolist())
        if len(reachable) == 1:
            return reachable[0]
        return reachable[1:][int(self._rng.integers(len(reachable) - 1))]

    def _force(self) -> list[float]:
        return [
            min(1.0, max(-1.0, _POSITION_GAIN * (wanted - at) - _VELOCITY_GAIN * speed))
            for wanted, at, speed in zip(
                self._waypoints[-1], self._qpos.tolist(), self._qvel.tolist(), strict=True
            )
        ]

    def _is_near(self) -> bool:
        return math.dist(self._waypoints[-1], self._qpos.tolist()) < _NEAR


@lru_cache(maxsize=16)
def layout_of(model: mujoco.MjModel) -> MazeLayout:
    """The layout of a model, without the mark of the goal."""
    boxes = np.asarray(model.geom_type) == int(mujoco.mjtGeom.mjGEOM_BOX)
    cells = np.rint(np.asarray(model.geom_pos)[boxes, :2] - 1.0).astype(int)
    grid = np.full(cells.max(axis=0) + 1, FREE)
    grid[tuple(cells.T)] = WALL
    return MazeLayout(tuple("".join(row) for row in grid))


def make_expert(plan: Sequence[str], rng: np.random.Generator) -> MazeExpert:
    """The scripted expert, for one episode."""
    return MazeExpert(plan[0], rng)
