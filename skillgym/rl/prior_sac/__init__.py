"""Soft actor-critic that stays close to a learned skill prior."""

from skillgym.rl.prior_sac.policies import SkillPriorPolicy
from skillgym.rl.prior_sac.prior_sac import PriorSAC

__all__ = ["PriorSAC", "SkillPriorPolicy"]
