"""The Fetch block and hook tasks of ReSkill: worlds, scripted experts and datasets."""

from __future__ import annotations

from typing import Any

from gymnasium.vector import AutoresetMode

from skillgym_envs.core.env import WorldEnv
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
    **world: Any,
) -> WorldEnv:
    """Entry point of the `skillgym/Fetch...-v0` ids.

    Args:
        task: Name of a task in `TASKS`; fixed by the id.
        render_mode: `None`, `"rgb_array"` or `"human"`.
        width: Width of rendered frames [pixel].
        height: Height of rendered frames [pixel].
        camera: Name of a camera of the model; the world's free camera if None.
        world: Keywords of the task's world.
    """
    return WorldEnv(TASKS[task](**world), render_mode, width, height, camera)


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
    **world: Any,
) -> WorldVectorEnv:
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
        world: Keywords of the task's world.
    """
    kind = TASKS[task]
    return WorldVectorEnv(
        kind(**world),
        num_envs,
        num_threads=num_threads,
        autoreset_mode=autoreset_mode,
        max_episode_steps=max_episode_steps or kind.max_episode_steps,
        render_mode=render_mode,
        width=width,
        height=height,
        camera=camera,
    )
