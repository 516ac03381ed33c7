"""Worlds for skill-based reinforcement learning, as Gymnasium environments.

Importing this package registers the ids of its worlds: `skillgym/Kitchen-v0`, `skillgym/Maze-v0`,
`skillgym/Office-v0`, `skillgym/Tabletop-v0`, and the Fetch tasks `skillgym/FetchPlace-v0`,
`FetchPyramidStack`, `FetchCleanUp`, `FetchSlipperyPush`, `FetchHook` and `FetchComplexHook`.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import gymnasium as gym

try:
    __version__ = version("skillgym")
except PackageNotFoundError:  # a source tree that is not installed
    __version__ = "0+unknown"

_FETCH_STEPS = {
    **{"Place": 50, "PyramidStack": 50, "CleanUp": 50, "SlipperyPush": 50},
    **{"Hook": 100, "ComplexHook": 100},
}


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
    gym.register(
        id="skillgym/Office-v0",
        entry_point="skillgym_envs.office:make_env",
        vector_entry_point="skillgym_envs.office:make_vec",
        max_episode_steps=350,
    )
    gym.register(
        id="skillgym/Tabletop-v0",
        entry_point="skillgym_envs.tabletop:make_env",
        vector_entry_point="skillgym_envs.tabletop:make_vec",
        max_episode_steps=360,
    )
    for task, steps in _FETCH_STEPS.items():
        gym.register(
            id=f"skillgym/Fetch{task}-v0",
            entry_point="skillgym_envs.fetch:make_env",
            vector_entry_point="skillgym_envs.fetch:make_vec",
            max_episode_steps=steps,
            kwargs={"task": task},
        )


_register()
