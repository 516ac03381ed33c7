"""Worlds for skill-based reinforcement learning, as Gymnasium environments.

Importing this package registers the ids of its worlds: `skillgym/Kitchen-v0` and
`skillgym/Maze-v0`.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import gymnasium as gym

try:
    __version__ = version("skillgym")
except PackageNotFoundError:  # a source tree that is not installed
    __version__ = "0+unknown"


def _register() -> None:
    gym.register(
        id="skillgym/Kitchen-v0",
        entry_point="skillgym_envs.kitchen:make_env",
        vector_entry_point="skillgym_envs.kitchen:make_vec",
        max_episode_steps=280,
    )
    gym.register(
        id="skillgym/Maze-v0",
        entry_point="skillgym_envs.maze:make_env",
        vector_entry_point="skillgym_envs.maze:make_vec",
        max_episode_steps=2000,
    )


_register()
