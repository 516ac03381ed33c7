"""The office clean-up: world, tasks, scripted expert and datasets."""

from __future__ import annotations

from skillgym_envs.core.entry_points import entry_points
from skillgym_envs.office.tasks import FIXED_TASK, OBJECTS, PLACEMENTS, PLACES, TaskSet
from skillgym_envs.office.world import OfficeWorld

__all__ = [
    "FIXED_TASK",
    "OBJECTS",
    "PLACEMENTS",
    "PLACES",
    "OfficeWorld",
    "TaskSet",
    "make_env",
    "make_vec",
]

make_env, make_vec = entry_points(OfficeWorld)
