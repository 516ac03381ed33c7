"""Wrappers that turn an environment with primitive actions into one whose actions are skills."""

from skillgym.wrappers.skill_actions import SkillActions
from skillgym.wrappers.vector_skill_actions import VectorSkillActions

__all__ = ["SkillActions", "VectorSkillActions"]
