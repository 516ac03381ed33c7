"""Skill-based reinforcement learning on Gymnasium, Stable-Baselines3 and Minari.

Importing this package registers the worlds (`skillgym/Kitchen-v0`) and the environments whose
actions are skills (`SkillKitchen-v0`). It imports no torch; `load_skill` and everything under
`skillgym.rl` do when they are used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skillgym.lazy import lazily
from skillgym.wrappers.registration import register_skill_envs
from skillgym_envs import __version__

if TYPE_CHECKING:
    from skillgym.hub import list_skills, load_skill, save_skill

__all__ = ["__version__", "list_skills", "load_skill", "save_skill"]


__getattr__ = lazily(__name__, {"hub": ("list_skills", "load_skill", "save_skill")})

register_skill_envs()
