"""Algorithms in the grammar of Stable-Baselines3."""

from skillgym.rl.buffers import SkillReplayBuffer
from skillgym.rl.discrete_prior_sac import DiscretePriorSAC
from skillgym.rl.prior_ppo import PriorPPO
from skillgym.rl.prior_sac import PriorSAC, SkillPriorPolicy
from skillgym.rl.vec_env import GymnasiumVecEnv

__all__ = [
    "DiscretePriorSAC",
    "GymnasiumVecEnv",
    "PriorPPO",
    "PriorSAC",
    "SkillPriorPolicy",
    "SkillReplayBuffer",
]
