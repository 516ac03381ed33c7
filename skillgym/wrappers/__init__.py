"""Wrappers that turn an environment with primitive actions into one whose actions are skills."""

from skillgym.wrappers.residual_actions import ResidualActions
from skillgym.wrappers.skill_actions import SkillActions
from skillgym.wrappers.vector_residual_actions import VectorResidualActions
from skillgym.wrappers.vector_skill_actions import VectorSkillActions

__all__ = ["ResidualActions", "SkillActions", "VectorResidualActions", "VectorSkillActions"]
