"""Worlds for skill-based reinforcement learning, as Gymnasium environments.

Importing this package registers the ids of its worlds: `skillgym/Kitchen-v0`, `skillgym/Maze-v0`,
`skillgym/Office-v0`, `skillgym/Tabletop-v0`, and the Fetch tasks `skillgym/FetchPlace-v0`,
`FetchPyramidStack`, `FetchCleanUp`, `FetchSlipperyPush`, `FetchHook` and `FetchComplexHook`.
"""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version

import gymnasium as gym

from skillgym_envs.core.gl import load_triton_first

if os.environ.get("MUJOCO_GL", "").lower() in ("egl", "osmesa"):
    load_triton_first()  # MuJoCo opens OpenGL as soon as it is imported

try:
    __version__ = version("skillgym")
except PackageNotFoundError:  # a source tree that is not installed
    __version__ = "0+unknown"

_WORLDS: dict[str, tuple[str, int, dict[str, str]]] = {
    "Kitchen": ("kitchen", 280, {}),
    "Maze": ("maze", 2000, {}),
    "Office": ("office", 350, {}),
    "Tabletop": ("tabletop", 360, {}),
    "FetchPlace": ("fetch", 50, {"task": "Place"}),
    "FetchPyramidStack": ("fetch", 50, {"task": "PyramidStack"}),
    "FetchCleanUp": ("fetch", 50, {"task": "CleanUp"}),
    "FetchSlipperyPush": ("fetch", 50, {"task": "SlipperyPush"}),
    "FetchHook": ("fetch", 100, {"task": "Hook"}),
    "FetchComplexHook": ("fetch", 100, {"task": "ComplexHook"}),
}
"""Package, control steps per episode and fixed keywords of each id."""

for _name, (_package, _steps, _keywords) in _WORLDS.items():
    gym.register(
        id=f"skillgym/{_name}-v0",
        entry_point=f"skillgym_envs.{_package}:make_env",
        vector_entry_point=f"skillgym_envs.{_package}:make_vec",
        max_episode_steps=_steps,
        kwargs=_keywords,
    )
