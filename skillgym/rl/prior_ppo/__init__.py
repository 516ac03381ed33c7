"""PPO over discrete skills with the divergence from a prior in the reward."""

from skillgym.rl.prior_ppo.policies import SkillPriorActorCritic
from skillgym.rl.prior_ppo.prior_ppo import PriorPPO

__all__ = ["PriorPPO", "SkillPriorActorCritic"]
