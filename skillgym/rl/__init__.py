"""Algorithms in the grammar of Stable-Baselines3."""

from skillgym.rl.buffers import SkillReplayBuffer
from skillgym.rl.prior_sac import PriorSAC, SkillPriorPolicy
from skillgym.rl.vec_env import GymnasiumVecEnv

__all__ = ["GymnasiumVecEnv", "PriorSAC", "SkillPriorPolicy", "SkillReplayBuffer"]
