"""The 34 tasks of CALVIN: pure functions of two snapshots, batched over environments.

Paper: Mees et al. 2022, "CALVIN", arXiv:2112.03227; conditions as of 7 February 2022. Letter: N
environments. Blocks are in the order red, blue, pink.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import Literal

import numpy as np

from skillgym_envs.core.checks import resolve_names
from skillgym_envs.core.world import Array, like, namespace
from skillgym_envs.tabletop.model import TOUCHABLE
from skillgym_envs.tabletop.rotations import conjugate, euler_of_quat, quat_product, rotated
from skillgym_envs.tabletop.scenes import COLOURS

_NUM = len(TOUCHABLE)
_ROBOT, _OTHERS = TOUCHABLE.index("robot"), slice(1, _NUM)
_BLOCKS, _THINGS = slice(_NUM - 3, _NUM), slice(1, _NUM - 3)
_SLOW = 1.0  # [m/s, rad/s]


@dataclass(frozen=True)
class Snapshot:
    """The state of N environments that the conditions use.

    Attributes:
        furniture: Positions of door, drawer, button and lever [m], shape (N, 4).
        lights: Whether bulb and LED are on, 0 or 1, shape (N, 2).
        position: Positions of the blocks [m], shape (N, 3, 3).
        rotation: Quaternions of the blocks, shape (N, 3, 4).
        velocity: Velocities of the blocks: linear in the world frame [m/s], angular in the block's
            [rad/s], shape (N, 3, 6).
        contact: What each block touches, 0 or 1, in the order of `TOUCHABLE`, shape (N, 3, 13).
        occupied: Whether the robot touches anything but blocks, 0 or 1, shape (N, 1).
    """

    furniture: Array
    lights: Array
    position: Array
    rotation: Array
    velocity: Array
    contact: Array
    occupied: Array

    @property
    def parts(self) -> Array:
        """Furniture and lights, shape (N, 6)."""
        return namespace(self.lights).concat([self.furniture, self.lights], axis=1)

    def pack(self) -> Array:
        """One array, shape (N, `SIZE`)."""
        parts = [getattr(self, field.name) for field in fields(self)]
        return namespace(parts[0]).concat(
            [part.reshape(part.shape[0], -1) for part in parts], axis=1
        )

    @classmethod
    def unpack(cls, packed: Array) -> Snapshot:
        """The snapshot that an array (N, `SIZE`) was packed from."""
        return cls(*(packed[:, part].reshape(-1, *shape) for part, shape in _PARTS))


def _parts() -> list[tuple[slice, tuple[int, ...]]]:
    shapes: tuple[tuple[int, ...], ...] = ((4,), (2,), (3, 3), (3, 4), (3, 6), (3, _NUM), (1,))
    ends = np.cumsum([np.prod(shape) for shape in shapes]).tolist()
    starts = [0, *ends[:-1]]
    return [(slice(a, b), shape) for a, b, shape in zip(starts, ends, shapes, strict=True)]


_PARTS = _parts()
SIZE = _PARTS[-1][0].stop
"""Numbers in a packed snapshot."""

Condition = Callable[[Snapshot, Snapshot], Array]
"""From the snapshots at the start and at the end to whether the task is done, shape (N,)."""


def rotate(block: int, sign: int, start: Snapshot, end: Snapshot) -> Array:
    """The block has turned by 60 to 180 degrees to the left (+1) or right (-1), in place."""
    xp = namespace(end.position)
    turn = quat_product(end.rotation[:, block], conjugate(start.rotation[:, block]))
    x, y, z = (euler_of_quat(turn)[:, index] for index in range(3))
    gap = end.position[:, block] - start.position[:, block]
    upright = (xp.abs(x) < np.pi / 6) & (xp.abs(y) < np.pi / 6)
    turned = upright & (sign * z > np.pi / 3) & (sign * z < np.pi)
    rests = (end.contact[:, block, _OTHERS] > 0.0).any(axis=1)
    return turned & ((gap * gap).sum(axis=1) <= 0.1**2) & rests


def push(block: int, sign: int, start: Snapshot, end: Snapshot) -> Array:
    """The block is 10 cm further right (+1) or left (-1), on the same surface."""
    moved = sign * (end.position[:, block, 0] - start.position[:, block, 0]) > 0.1
    before, after = (s.contact[:, block, _OTHERS] > 0.0 for s in (start, end))
    return moved & before.any(axis=1) & (after | ~before).all(axis=1)


def lift(block: int, surface: str, height: float, start: Snapshot, end: Snapshot) -> Array:
    """The block was on a surface, and is now higher and touches only the robot."""
    raised = end.position[:, block, 2] - start.position[:, block, 2] > height
    return raised & (_on(start, surface)[:, block]) & _held(end)[:, block]


def place(surface: str, start: Snapshot, end: Snapshot) -> Array:
    """The robot held a block and nothing else, and has left it on a surface."""
    touched = start.contact[:, :, _ROBOT] > 0.0
    alone = (touched.sum(axis=1) == 1) & (start.occupied[:, 0] == 0.0)
    left = (end.contact[:, :, _ROBOT] == 0.0) & _on(end, surface)
    return alone & (_held(start) & left).any(axis=1)


def push_into_drawer(start: Snapshot, end: Snapshot) -> Array:
    """A block that touched only the table is in the drawer."""
    count = (start.contact > 0.0).sum(axis=2)
    return (_on(start, "base") & (count == 1) & _on(end, "drawer")).any(axis=1)


def stack(start: Snapshot, end: Snapshot) -> Array:
    """A block that touched no other now rests only on blocks."""
    return (~_touches_block(start) & _rests_on_blocks(end)).any(axis=1)


def unstack(start: Snapshot, end: Snapshot) -> Array:
    """A block that rested only on blocks now touches none."""
    return (_rests_on_blocks(start) & ~_touches_block(end)).any(axis=1)


CHANGES: dict[str, tuple[int, float]] = {
    "move_slider_left": (0, 0.15),
    "move_slider_right": (0, -0.15),
    "open_drawer": (1, 0.12),
    "close_drawer": (1, -0.12),
    "turn_on_lightbulb": (4, 0.5),
    "turn_off_lightbulb": (4, -0.5),
    "turn_on_led": (5, 0.5),
    "turn_off_led": (5, -0.5),
}
"""Tasks of furniture and lights: index of the number that changes, and its signed threshold."""


class Changes:
    """Conditions of some of `CHANGES`, all at once.

    Args:
        names: K names of `CHANGES`.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._signs = np.zeros((6, len(names)))
        self._amounts = np.zeros(len(names))
        for column, name in enumerate(names):
            index, change = CHANGES[name]
            self._signs[index, column] = np.sign(change)
            self._amounts[column] = abs(change)

    def __call__(self, start: Array, end: Array) -> Array:
        """Whether each is done, shape (N, K), from furniture and lights (N, 6) at start and end."""
        return (end - start) @ like(self._signs, end) > like(self._amounts, end)


def change(changes: Changes, start: Snapshot, end: Snapshot) -> Array:
    """A part of the furniture has moved far enough, or a light has changed."""
    return changes(start.parts, end.parts)[:, 0]


def _on(snapshot: Snapshot, surface: str) -> Array:
    """Which blocks touch a surface, shape (N, 3)."""
    return snapshot.contact[:, :, TOUCHABLE.index(surface)] > 0.0


def _held(snapshot: Snapshot) -> Array:
    """Which blocks touch the robot and nothing else, shape (N, 3)."""
    contact = snapshot.contact
    return (contact[:, :, _ROBOT] > 0.0) & ~(contact[:, :, _OTHERS] > 0.0).any(axis=2)


def _touches_block(snapshot: Snapshot) -> Array:
    return (snapshot.contact[:, :, _BLOCKS] > 0.0).any(axis=2)


def _rests_on_blocks(snapshot: Snapshot) -> Array:
    """Which blocks touch blocks and nothing else, and are slow, shape (N, 3)."""
    xp, contact, moving = namespace(snapshot.contact), snapshot.contact, snapshot.velocity
    turning = rotated(snapshot.rotation, moving[..., 3:])
    speed = xp.concat([moving[..., :3], turning], axis=-1)
    alone = (contact[:, :, _ROBOT] == 0.0) & ~(contact[:, :, _THINGS] > 0.0).any(axis=2)
    return _touches_block(snapshot) & alone & ((speed < _SLOW) & (speed > -_SLOW)).all(axis=2)


def _conditions() -> dict[str, Condition]:
    tasks: dict[str, Condition] = {}
    for name, rule, right in (("rotate", rotate, -1), ("push", push, 1)):
        for index, colour in enumerate(COLOURS):
            for side, sign in (("right", right), ("left", -right)):
                tasks[f"{name}_{colour}_block_{side}"] = partial(rule, index, sign)
    changes = {name: partial(change, Changes([name])) for name in CHANGES}
    tasks |= {name: changes[name] for name in CHANGES if not name.startswith("turn")}
    for index, colour in enumerate(COLOURS):
        for place_name, surface, height in (
            ("table", "base", 0.05),
            ("slider", "plank", 0.03),
            ("drawer", "drawer", 0.05),
        ):
            tasks[f"lift_{colour}_block_{place_name}"] = partial(lift, index, surface, height)
    tasks["place_in_slider"] = partial(place, "plank")
    tasks["place_in_drawer"] = partial(place, "drawer")
    tasks["stack_block"] = stack
    tasks["unstack_block"] = unstack
    tasks |= {name: changes[name] for name in CHANGES if name.startswith("turn")}
    tasks["push_into_drawer"] = push_into_drawer
    return tasks


TASKS: dict[str, Condition] = _conditions()
"""The 34 conditions by name, in CALVIN's order."""

TaskSet = Literal["skimo"]

TASK_SETS: dict[str, tuple[str, ...]] = {
    "skimo": ("open_drawer", "turn_on_lightbulb", "move_slider_left", "turn_on_led"),
}
"""Task sets of the literature: the four subtasks of SkiMo (arXiv:2207.07560), in its order."""


def resolve_tasks(tasks: TaskSet | str | Sequence[str]) -> tuple[str, ...]:
    """Names of the tasks of a set, or of a list given by the user.

    Args:
        tasks: Name of a task set, name of one task, or names of tasks in their order.

    Returns:
        Names, in order.

    Raises:
        UnknownTask: If a name is neither a task set nor a task.
        InvalidTask: If it is not a list, is empty or names a task twice.
    """
    return resolve_names(tasks, TASK_SETS, TASKS)
