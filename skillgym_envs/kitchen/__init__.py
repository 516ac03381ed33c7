"""The Franka kitchen: world, tasks, scripted expert and datasets."""

from __future__ import annotations

from typing import Any

from gymnasium.vector import AutoresetMode

from skillgym_envs.core.env import WorldEnv
from skillgym_envs.core.vector_env import WorldVectorEnv
from skillgym_envs.kitchen.tasks import ELEMENTS, TASK_SETS, TaskSet
from skillgym_envs.kitchen.world import KitchenWorld

__all__ = ["ELEMENTS", "TASK_SETS", "KitchenWorld", "TaskSet", "make_env", "make_vec"]


def make_env(
    *,
    render_mode: str | None = None,
    width: int = 480,
    height: int = 360,
    camera: str | None = None,
    **world: Any,
) -> WorldEnv:
    """Entry point of `skillgym/Kitchen-v0`.

    Args:
        render_mode: `None`, `"rgb_array"` or `"human"`.
        width: Width of rendered frames [pixel].
        height: Height of rendered frames [pixel].
        camera: Name of a camera of the model; the kitchen's free camera if None.
        world: Keywords of `KitchenWorld`.
    """
    return WorldEnv(KitchenWorld(**world), render_mode, width, height, camera)


def make_vec(
    num_envs: int,
    *,
    num_threads: int | None = None,
    autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
    max_episode_steps: int | None = KitchenWorld.max_episode_steps,
    render_mode: str | None = None,
    width: int = 480,
    height: int = 360,
    camera: str | None = None,
    **world: Any,
) -> WorldVectorEnv:
    """Vector entry point of `skillgym/Kitchen-v0`; keywords of `make_env` and `WorldVectorEnv`."""
    return WorldVectorEnv(
        KitchenWorld(**world),
        num_envs,
        num_threads=num_threads,
        autoreset_mode=autoreset_mode,
        max_episode_steps=max_episode_steps,
        render_mode=render_mode,
        width=width,
        height=height,
        camera=camera,
    )
