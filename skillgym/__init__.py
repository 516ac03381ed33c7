"""Skill-based reinforcement learning on Gymnasium, Stable-Baselines3 and Minari.

Importing this package registers the worlds (`skillgym/Kitchen-v0`) and the environments whose
actions are skills (`SkillKitchen-v0`). It imports no torch; `load_skill` and everything under
`skillgym.rl` do when they are used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from skillgym.wrappers.registration import register_skill_envs
from skillgym_envs import __version__

if TYPE_CHECKING:
    from skillgym.hub import list_skills, load_skill, save_skill

__all__ = ["__version__", "list_skills", "load_skill", "save_skill"]


def __getattr__(name: str) -> Any:
    if name in ("list_skills", "load_skill", "save_skill"):
        from skillgym import hub

        return getattr(hub, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


register_skill_envs()
