"""The Fetch tasks by name, and their environment ids."""

from __future__ import annotations

from skillgym_envs.fetch.blocks import (
    CleanUpWorld,
    PlaceWorld,
    PyramidStackWorld,
    SlipperyPushWorld,
)
from skillgym_envs.fetch.hook import ComplexHookWorld, HookWorld
from skillgym_envs.fetch.world import FetchWorld

TASKS: dict[str, type[FetchWorld]] = {
    "Place": PlaceWorld,
    "PyramidStack": PyramidStackWorld,
    "CleanUp": CleanUpWorld,
    "SlipperyPush": SlipperyPushWorld,
    "Hook": HookWorld,
    "ComplexHook": ComplexHookWorld,
}
"""World of each task; its id is `skillgym/Fetch<task>-v0`."""
