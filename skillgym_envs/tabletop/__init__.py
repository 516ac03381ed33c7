"""CALVIN's tabletop: world, tasks, long-horizon protocol, scripted expert and datasets."""

from __future__ import annotations

from skillgym_envs.core.entry_points import entry_points
from skillgym_envs.tabletop.protocol import Chain, chain, chains
from skillgym_envs.tabletop.scenes import SCENES, Scene
from skillgym_envs.tabletop.tasks import TASK_SETS, TASKS, Snapshot, TaskSet
from skillgym_envs.tabletop.world import TabletopWorld

__all__ = [
    "SCENES",
    "TASKS",
    "TASK_SETS",
    "Chain",
    "Scene",
    "Snapshot",
    "TabletopWorld",
    "TaskSet",
    "chain",
    "chains",
    "make_env",
    "make_vec",
]

make_env, make_vec = entry_points(TabletopWorld)
