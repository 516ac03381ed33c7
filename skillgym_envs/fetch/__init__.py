"""The Fetch block and hook tasks of ReSkill: worlds, scripted experts and datasets."""

from __future__ import annotations

from typing import Any

from skillgym_envs.core.entry_points import check_keywords, entry_points
from skillgym_envs.core.env import WorldEnv
from skillgym_envs.core.errors import UnknownTask
from skillgym_envs.core.goals import GoalObservation, VectorGoalObservation
from skillgym_envs.core.vector_env import WorldVectorEnv
from skillgym_envs.fetch.tasks import TASKS
from skillgym_envs.fetch.world import FetchWorld

__all__ = ["TASKS", "FetchWorld", "make_env", "make_vec", "make_world"]


def make_world(task: str, **keywords: Any) -> FetchWorld:
    """The world of a task.

    Args:
        task: Name of a task in `TASKS`.
        keywords: Keywords of the task's world.

    Raises:
        UnknownTask: If there is no such task.
        UnknownKeyword: If its world lacks a keyword.
    """
    if not isinstance(task, str) or task not in TASKS:
        raise UnknownTask(str(task), TASKS)
    check_keywords(TASKS[task], keywords)
    return TASKS[task](**keywords)


_make_env, _make_vec = entry_points(make_world)


def make_env(*, goals: bool = False, **keywords: Any) -> WorldEnv | GoalObservation:
    """Make one environment of the `skillgym/Fetch...-v0` ids.

    Args:
        goals: Whether observations are dictionaries of `observation`, `achieved_goal` and
            `desired_goal`; if so, the environment has `compute_reward`.
        keywords: `task` (fixed by the id), keywords of rendering, and those of the task's world.
    """
    env = _make_env(goals=goals, **keywords)
    return GoalObservation(env) if goals else env


make_env.metadata = WorldEnv.metadata  # type: ignore[attr-defined]  # for rgb_array_list


def make_vec(
    num_envs: int, *, goals: bool = False, **keywords: Any
) -> WorldVectorEnv | VectorGoalObservation:
    """Make a vector environment of the `skillgym/Fetch...-v0` ids.

    Args:
        num_envs: Number of environments N.
        goals: As for `make_env`.
        keywords: `task` (fixed by the id), keywords of `WorldVectorEnv`, and those of the task's
            world.
    """
    env = _make_vec(num_envs, goals=goals, **keywords)
    return VectorGoalObservation(env) if goals else env
