"""The Franka kitchen: world, tasks, scripted expert and datasets."""

from __future__ import annotations

from skillgym_envs.core.entry_points import entry_points
from skillgym_envs.kitchen.tasks import ELEMENTS, TASK_SETS, TaskSet
from skillgym_envs.kitchen.world import KitchenWorld

__all__ = ["ELEMENTS", "TASK_SETS", "KitchenWorld", "TaskSet", "make_env", "make_vec"]

make_env, make_vec = entry_points(KitchenWorld)
