"""Two levels of PPO: one chooses skills, the other corrects their actions."""

from skillgym.rl.reskill.ppo import ReskillPPO
from skillgym.rl.reskill.reskill import ReSkill

__all__ = ["ReSkill", "ReskillPPO"]
