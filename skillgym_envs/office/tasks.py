"""Objects, places and tasks of the office."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from skillgym_envs.core.checks import resolve_names
from skillgym_envs.core.errors import InvalidTask

TaskSet = Literal["fixed", "rand"]

OBJECTS: tuple[str, ...] = (
    *("eraser", "shed", "pepsi_bottle", "gatorade"),
    *("eraser_2", "shed_2", "pepsi_bottle_2"),
)
"""Objects in the order of the observation; `_2` marks a second object of the same type."""

PLACES: tuple[str, ...] = ("tray", "box", "drawer")
"""Places for the objects."""

OPEN_DRAWER, CLOSE_DRAWER = "open drawer", "close drawer"


@dataclass(frozen=True)
class Placement:
    """An object and its target place.

    Attributes:
        item: Index of the object in `OBJECTS`.
        place: Index of the place in `PLACES`.
    """

    item: int
    place: int

    @property
    def name(self) -> str:
        """Name, for example `eraser in tray`."""
        return f"{OBJECTS[self.item]} in {PLACES[self.place]}"

    @property
    def subtasks(self) -> tuple[str, ...]:
        """Names of the subtasks, in order; the drawer is opened before and closed after."""
        handling = f"pick {OBJECTS[self.item]}", f"place {self.name}"
        if PLACES[self.place] == "drawer":
            return OPEN_DRAWER, *handling, CLOSE_DRAWER
        return handling


PLACEMENTS: dict[str, Placement] = {
    placement.name: placement
    for placement in (Placement(i, j) for i in range(len(OBJECTS)) for j in range(len(PLACES)))
}
"""All placements, by name."""

SUBTASKS: tuple[str, ...] = (
    *(f"pick {name}" for name in OBJECTS),
    *(f"place {name}" for name in PLACEMENTS),
    OPEN_DRAWER,
    CLOSE_DRAWER,
)
"""All subtasks that a task may consist of."""

FIXED_TASK = ("eraser in tray", "shed in box", "pepsi_bottle in drawer")
"""Task of the papers' downstream environment, `Widow250OfficeFixed-v0`."""

TASK_SETS: dict[str, tuple[str, ...]] = {"fixed": FIXED_TASK, "rand": ()}
"""Placements of the named tasks; those of `rand` are drawn."""


def resolve_task(tasks: TaskSet | str | Sequence[str]) -> tuple[str, ...] | None:
    """Placements of a task, in order; None for tasks that are drawn in every episode.

    Args:
        tasks: `"fixed"`, `"rand"`, name of one placement, or names of placements.

    Raises:
        UnknownTask: If a name is unknown.
        InvalidTask: If it is not a list, is empty, or an object or the drawer occurs twice.
    """
    names = resolve_names(tasks, TASK_SETS, PLACEMENTS)
    if not names:
        return None
    items = [PLACEMENTS[name].item for name in names]
    drawers = [name for name in names if PLACES[PLACEMENTS[name].place] == "drawer"]
    if len(set(items)) < len(items):
        raise InvalidTask(names, "places an object twice")
    if len(drawers) > 1:
        raise InvalidTask(names, "uses the drawer twice")
    return names


def subtasks_of(names: Sequence[str]) -> tuple[str, ...]:
    """Subtasks of a list of placements, in order."""
    return tuple(subtask for name in names for subtask in PLACEMENTS[name].subtasks)


def draw_task(rng: np.random.Generator) -> tuple[str, ...]:
    """Three objects for the three places, in random order: 1260 tasks, all equally likely."""
    items = rng.permutation(len(OBJECTS))[: len(PLACES)].tolist()
    places = rng.permutation(len(PLACES)).tolist()
    return tuple(Placement(item, place).name for item, place in zip(items, places, strict=True))
