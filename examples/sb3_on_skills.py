"""Any Stable-Baselines3 algorithm can choose skills: here PPO on eight kitchens, run in threads.

Usage: python examples/sb3_on_skills.py [SKILLS]
"""

from __future__ import annotations

import sys

import gymnasium as gym
from gymnasium.vector import AutoresetMode
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecMonitor

import skillgym  # noqa: F401  (registers SkillKitchen-v0)
from skillgym.rl import GymnasiumVecEnv


def main(skills: int = 20_000) -> None:
    """Train PPO for a number of skills."""
    # One forward pass decodes the skills of all kitchens; no processes are needed.
    kitchens = gym.make_vec("SkillKitchen-v0", 8, autoreset_mode=AutoresetMode.SAME_STEP)
    env = VecMonitor(GymnasiumVecEnv(kitchens))
    agent = PPO("MlpPolicy", env, n_steps=32, batch_size=64, seed=0, verbose=1)
    agent.learn(skills)
    env.close()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
