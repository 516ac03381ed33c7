"""Skills in an environment that skillgym knows nothing about: Gymnasium's Pusher-v5.

The skill model is untrained here; train it on your own trajectories with `skillgym.pretraining`.

Usage: python examples/wrap_your_env.py [SKILLS]
"""

from __future__ import annotations

import sys

import gymnasium as gym
from stable_baselines3 import SAC

from skillgym.skills.spirl import ClosedLoopSpirl, SpirlConfig
from skillgym.wrappers import SkillActions


def main(skills: int = 2_000) -> None:
    """Train SB3's SAC for a number of skills."""
    env = gym.make("Pusher-v5")
    config = SpirlConfig(skill_horizon=5, latent_size=4)
    model = ClosedLoopSpirl.create(env.observation_space, env.action_space, config, seed=0)
    env = SkillActions(env, model.eval())

    print("Actions of the wrapped environment:", env.action_space)
    agent = SAC("MlpPolicy", env, seed=0, verbose=1)
    agent.learn(skills)
    env.close()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
