"""Soft actor-critic over discrete skills that stays close to a learned prior."""

from skillgym.rl.discrete_prior_sac.discrete_prior_sac import DiscretePriorSAC
from skillgym.rl.discrete_prior_sac.policies import DiscreteSACPolicy, DiscreteSkillPriorPolicy

__all__ = ["DiscretePriorSAC", "DiscreteSACPolicy", "DiscreteSkillPriorPolicy"]
