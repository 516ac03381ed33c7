"""Algorithms with the interface of Stable-Baselines3."""

from skillgym.rl.buffers import (
    DemonstrationReplayBuffer,
    PictureReplayBuffer,
    ShiftedReplayBuffer,
    SkillReplayBuffer,
    SuccessReplayBuffer,
)
from skillgym.rl.discrete_prior_sac import DiscretePriorSAC
from skillgym.rl.gail import GAIL
from skillgym.rl.prior_ppo import PriorPPO
from skillgym.rl.prior_sac import PriorSAC, SkillPriorPolicy
from skillgym.rl.reskill import ReSkill, ReskillPPO
from skillgym.rl.skild import SkiLD
from skillgym.rl.vec_env import GymnasiumVecEnv

__all__ = [
    "GAIL",
    "DemonstrationReplayBuffer",
    "DiscretePriorSAC",
    "GymnasiumVecEnv",
    "PictureReplayBuffer",
    "PriorPPO",
    "PriorSAC",
    "ReSkill",
    "ReskillPPO",
    "ShiftedReplayBuffer",
    "SkiLD",
    "SkillPriorPolicy",
    "SkillReplayBuffer",
    "SuccessReplayBuffer",
]
