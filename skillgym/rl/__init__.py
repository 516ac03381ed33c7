"""Algorithms in the grammar of Stable-Baselines3."""

from skillgym.rl.buffers import DemonstrationReplayBuffer, SkillReplayBuffer
from skillgym.rl.gail import GAIL
from skillgym.rl.prior_sac import PriorSAC, SkillPriorPolicy
from skillgym.rl.skild import SkiLD
from skillgym.rl.vec_env import GymnasiumVecEnv

__all__ = [
    "GAIL",
    "DemonstrationReplayBuffer",
    "GymnasiumVecEnv",
    "PriorSAC",
    "SkiLD",
    "SkillPriorPolicy",
    "SkillReplayBuffer",
]
