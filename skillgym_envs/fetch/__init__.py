"""The Fetch block and hook tasks of ReSkill: worlds, scripted experts and datasets."""

from __future__ import annotations

from typing import Any

from gymnasium.vector import AutoresetMode

from skillgym_envs.core.env import WorldEnv
from skillgym_envs.core.goals import GoalObservation, VectorGoalObservation
from skillgym_envs.core.vector_env import WorldVectorEnv
from skillgym_envs.fetch.tasks import TASKS
from skillgym_envs.fetch.world import FetchWorld

__all__ = ["TASKS", "FetchWorld", "make_env", "make_vec"]


def make_env(
    *,
    task: str,
    render_mode: str | None = None,
    width: int = 480,
    height: int = 360,
    camera: str | None = None,
    goals: bool = False,
    **world: Any,
) -> WorldEnv | GoalObservation:
    """Entry point of the `skillgym/Fetch...-v0` ids.

    Args:
        task: Name of a task in `TASKS`; fixed by the id.
        render_mode: `None`, `"rgb_array"` or `"human"`.
        width: Width of rendered frames [pixel].
        height: Height of rendered frames [pixel].
        camera: Name of a camera of the model; the world's free camera if None.
        goals: Whether observations are dictionaries of `observation`, `achieved_goal` and
            `desired_goal`; then the environment has `compute_reward`.
        world: Further keywords of the task's world.
    """
    env = WorldEnv(TASKS[task](goals=goals, **world), render_mode, width, height, camera)
    return GoalObservation(env) if goals else env


def make_vec(
    num_envs: int,
    *,
    task: str,
    num_threads: int | None = None,
    autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
    max_episode_steps: int | None = None,
    render_mode: str | None = None,
    width: int = 480,
    height: int = 360,
    camera: str | None = None,
    goals: bool = False,
    **world: Any,
) -> WorldVectorEnv | VectorGoalObservation:
    """Vector entry point of the `skillgym/Fetch...-v0` ids.

    Args:
        num_envs: Number of environments N.
        task: Name of a task in `TASKS`; fixed by the id.
        num_threads: As for `WorldVectorEnv`.
        autoreset_mode: As for `WorldVectorEnv`.
        max_episode_steps: Control steps of an episode; the task's own number if None.
        render_mode: `None` or `"rgb_array"`.
        width: Width of rendered frames [pixel].
        height: Height of rendered frames [pixel].
        camera: Name of a camera of the model; the world's free camera if None.
        goals: As for `make_env`.
        world: Further keywords of the task's world.
    """
    kind = TASKS[task]
    env = WorldVectorEnv(
        kind(goals=goals, **world),
        num_envs,
        num_threads=num_threads,
        autoreset_mode=autoreset_mode,
        max_episode_steps=max_episode_steps or kind.max_episode_steps,
        render_mode=render_mode,
        width=width,
        height=height,
        camera=camera,
    )
    return VectorGoalObservation(env) if goals else env
