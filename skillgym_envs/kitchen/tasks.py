"""Elements of the kitchen and the task sets of the literature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from skillgym_envs.core.checks import resolve_names

COMPLETION_DISTANCE = 0.3
"""An element is complete when its slots are nearer to its goal than this (rad and m mixed)."""


@dataclass(frozen=True)
class Element:
    """A part of the kitchen that can be manipulated.

    Attributes:
        slots: Indices of its state in `qpos` (and in the 60-D observation).
        goal: Goal values of these slots [rad for hinges, m for slides; kettle: m and quaternion].
    """

    slots: tuple[int, ...]
    goal: tuple[float, ...]


ELEMENTS: dict[str, Element] = {
    "bottom burner": Element((11, 12), (-0.88, -0.01)),
    "top burner": Element((15, 16), (-0.92, -0.01)),
    "light switch": Element((17, 18), (-0.69, -0.05)),
    "slide cabinet": Element((19,), (0.37,)),
    "hinge cabinet": Element((20, 21), (0.0, 1.45)),
    "microwave": Element((22,), (-0.75,)),
    "kettle": Element((23, 24, 25, 26, 27, 28, 29), (-0.23, 0.75, 1.62, 0.99, 0.0, 0.0, -0.06)),
}

TaskSet = Literal["mixed", "complete", "partial", "misaligned", "kbts"]

TASK_SETS: dict[str, tuple[str, ...]] = {
    "mixed": ("microwave", "kettle", "bottom burner", "light switch"),
    "complete": ("microwave", "kettle", "light switch", "slide cabinet"),
    "partial": ("microwave", "kettle", "light switch", "slide cabinet"),
    "misaligned": ("microwave", "light switch", "slide cabinet", "hinge cabinet"),
    "kbts": ("kettle", "bottom burner", "top burner", "slide cabinet"),
}
"""Task sets: D4RL's three (SPiRL uses `mixed`) and SkiLD's two (`misaligned` and `kbts`)."""


def goal_half() -> NDArray[np.float64]:
    """The constant half (30,) of D4RL's observation: the goals of `mixed`, for all tasks."""
    goal = np.zeros(30)
    for name in TASK_SETS["mixed"]:
        goal[list(ELEMENTS[name].slots)] = ELEMENTS[name].goal
    return goal


def resolve_tasks(tasks: TaskSet | str | Sequence[str]) -> tuple[str, ...]:
    """Element names of a task set, or of a list given by the user.

    Args:
        tasks: Name of a task set, name of one element, or a list of element names in the task's
            order.

    Returns:
        Element names, in order.

    Raises:
        UnknownTask: If a name is neither a task set nor an element.
        InvalidTask: If it is not a list, is empty or names an element twice.
    """
    return resolve_names(tasks, TASK_SETS, ELEMENTS)
