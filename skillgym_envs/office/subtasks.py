"""Conditions for the completion of the office's subtasks."""

from __future__ import annotations

from collections.abc import Sequence

import mujoco
import numpy as np
from numpy.typing import NDArray

from skillgym_envs.core.world import Array, like, namespace
from skillgym_envs.office.scene import DRAWER_TRAVEL
from skillgym_envs.office.tasks import CLOSE_DRAWER, OBJECTS, OPEN_DRAWER, PLACEMENTS, SUBTASKS

LIFTED = -0.3
"""Height above which an object counts as lifted, and below which it counts as put down [m]."""

PLACE_CENTRES = {"tray": (0.26, -0.2), "box": (0.7, -0.3), "drawer": (0.22, 0.0)}
"""Positions of the places, seen from above [m]; the drawer's does not move with the drawer."""

PICK_DISTANCE, PLACE_DISTANCE = 0.25, 0.1  # [m]
OPENED, SHUT = 0.75, 0.4  # shares of the drawer's travel

# Columns of the table: centre (3), weights of the gap's axes (3), distance, heights, openings.
_CENTRE, _WEIGHTS = slice(0, 3), slice(3, 6)
_DISTANCE, _LOW, _HIGH, _LEAST, _MOST, _PICK = range(6, 12)
_COLUMNS = 12


class SubtaskTable:
    """All subtasks as one condition with different parameters, for a whole batch at once.

    Args:
        model: The compiled office.
        names: Names of the world's subtasks (K).
    """

    def __init__(self, model: mujoco.MjModel, names: Sequence[str]) -> None:
        self._positions = np.array(
            [int(model.joint(name).qposadr[0]) + np.arange(3) for name in OBJECTS]
        )
        self._drawer = int(model.joint("drawer").qposadr[0])
        rows = [_row(name) for name in SUBTASKS]
        self._items = np.array([item for item, _ in rows], np.intp)
        self._numbers = np.stack([numbers for _, numbers in rows])
        self._flags = np.array([[name == other for other in names] for name in SUBTASKS])

    def check(self, head: Array, qpos: Array, end_effector: Array) -> tuple[Array, Array]:
        """Whether subtasks are complete.

        Args:
            head: Index in `SUBTASKS` of one subtask for each environment, shape (N,).
            qpos: Generalised positions, shape (N, nq).
            end_effector: Positions of the end effector [m], shape (N, 3).

        Returns:
            Whether each one is complete, shape (N,), and which of the world's it is, one-hot of
            shape (N, K), bool.
        """
        xp = namespace(qpos)
        numbers = like(self._numbers, qpos)[head]
        slots = like(self._positions, qpos)[like(self._items, head)[head]]  # (N, 3)
        # `take_along_axis` does the same, but takes as long as everything else.
        position = qpos[like(np.arange(len(qpos))[:, None], head), slots]
        pick = numbers[:, _PICK, None] > 0.0
        reference = xp.where(pick, end_effector, numbers[:, _CENTRE])
        gap = (position - reference) * numbers[:, _WEIGHTS]
        height = position[:, 2]
        opening = qpos[:, self._drawer] / DRAWER_TRAVEL
        holds = (
            ((gap * gap).sum(axis=1) < numbers[:, _DISTANCE] ** 2)
            & (height > numbers[:, _LOW])
            & (height < numbers[:, _HIGH])
            & (opening > numbers[:, _LEAST])
            & (opening < numbers[:, _MOST])
        )
        return holds, like(self._flags, head)[head]


def _row(name: str) -> tuple[int, NDArray[np.float64]]:
    """Object and parameters of a subtask; conditions that it does not have are always true."""
    numbers = np.zeros(_COLUMNS)
    numbers[[_DISTANCE, _LOW, _HIGH, _LEAST, _MOST]] = np.inf, -np.inf, np.inf, -np.inf, np.inf
    if name == OPEN_DRAWER:
        numbers[_LEAST] = OPENED
        return 0, numbers
    if name == CLOSE_DRAWER:
        numbers[_MOST] = SHUT
        return 0, numbers
    verb, _, rest = name.partition(" ")
    if verb == "pick":
        numbers[_WEIGHTS], numbers[_DISTANCE] = 1.0, PICK_DISTANCE
        numbers[_LOW], numbers[_PICK] = LIFTED, 1.0
        return OBJECTS.index(rest), numbers
    placement = PLACEMENTS[rest]
    numbers[:2] = tuple(PLACE_CENTRES.values())[placement.place]
    numbers[_WEIGHTS], numbers[_DISTANCE] = (1.0, 1.0, 0.0), PLACE_DISTANCE
    numbers[_HIGH] = LIFTED
    return placement.item, numbers
