"""The maze: world, layouts, variants, scripted expert and datasets."""

from __future__ import annotations

from skillgym_envs.core.entry_points import entry_points
from skillgym_envs.maze.camera import MazeCamera
from skillgym_envs.maze.layouts import MazeLayout, make_layout, random_layout
from skillgym_envs.maze.variants import VARIANTS, Variant
from skillgym_envs.maze.world import MazeWorld

__all__ = [
    "VARIANTS",
    "MazeCamera",
    "MazeLayout",
    "MazeWorld",
    "Variant",
    "make_env",
    "make_layout",
    "make_vec",
    "random_layout",
]

make_env, make_vec = entry_points(MazeWorld)
