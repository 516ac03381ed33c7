"""The maze: world, layouts, variants, scripted expert and datasets."""

from __future__ import annotations

from typing import Any

from gymnasium.vector import AutoresetMode

from skillgym_envs.core.env import WorldEnv
from skillgym_envs.core.vector_env import WorldVectorEnv
from skillgym_envs.maze.camera import MazeCamera
from skillgym_envs.maze.layouts import MazeLayout, random_layout
from skillgym_envs.maze.variants import VARIANTS, Variant
from skillgym_envs.maze.world import MazeWorld

__all__ = [
    "VARIANTS",
    "MazeCamera",
    "MazeLayout",
    "MazeWorld",
    "Variant",
    "make_env",
    "make_vec",
    "random_layout",
]


def make_env(
    *,
    render_mode: str | None = None,
    width: int = 480,
    height: int = 360,
    camera: str | None = None,
    **world: Any,
) -> WorldEnv:
    """Entry point of `skillgym/Maze-v0`.

    Args:
        render_mode: `None`, `"rgb_array"` or `"human"`.
        width: Width of rendered frames [pixel].
        height: Height of rendered frames [pixel].
        camera: Name of a camera of the model; a view of the whole maze if None.
        world: Keywords of `MazeWorld`.
    """
    return WorldEnv(MazeWorld(**world), render_mode, width, height, camera)


def make_vec(
    num_envs: int,
    *,
    num_threads: int | None = None,
    autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
    max_episode_steps: int | None = MazeWorld.max_episode_steps,
    render_mode: str | None = None,
    width: int = 480,
    height: int = 360,
    camera: str | None = None,
    **world: Any,
) -> WorldVectorEnv:
    """Vector entry point of `skillgym/Maze-v0`; keywords of `make_env` and `WorldVectorEnv`."""
    return WorldVectorEnv(
        MazeWorld(**world),
        num_envs,
        num_threads=num_threads,
        autoreset_mode=autoreset_mode,
        max_episode_steps=max_episode_steps,
        render_mode=render_mode,
        width=width,
        height=height,
        camera=camera,
    )
