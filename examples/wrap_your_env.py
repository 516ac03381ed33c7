"""From recordings to an agent, in an environment of another package: Pusher-v5.

The recordings here are smooth random motions; replace them by your own. Skills are learned from
them and become the actions of the environment, and an agent starts as their prior.

Usage: python examples/wrap_your_env.py [GRADIENT_STEPS [SKILLS]]
"""

from __future__ import annotations

import sys
from tempfile import TemporaryDirectory

import gymnasium as gym
import numpy as np

from skillgym.data import WindowDataset
from skillgym.pretraining import TrainerConfig, pretrain
from skillgym.rl import PriorSAC
from skillgym.skills.spirl import ClosedLoopSpirl, SpirlConfig
from skillgym.wrappers import SkillActions


def record(env: gym.Env, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Observations (T+1, O) and actions (T, A) of an episode."""
    rng = np.random.default_rng(seed)
    observations, actions, action, over = [env.reset(seed=seed)[0]], [], 0.0, False
    while not over:
        action = 0.95 * action + 0.3 * rng.standard_normal(env.action_space.shape)
        actions.append(action.clip(env.action_space.low, env.action_space.high))
        observation, _, terminated, truncated, _ = env.step(actions[-1])
        observations.append(observation)
        over = terminated or truncated
    return np.array(observations), np.array(actions)


def main(gradient_steps: int = 3_000, skills: int = 2_000) -> None:
    """Train the skill model, then the agent."""
    env = gym.make("Pusher-v5")
    data = WindowDataset.from_episodes(record(env, seed) for seed in range(50))

    config = SpirlConfig(skill_horizon=5, latent_size=4)
    model = ClosedLoopSpirl.create(env.observation_space, env.action_space, config, seed=0)
    with TemporaryDirectory() as folder:  # a run in a permanent folder can be resumed
        pretrain(model, data, folder, TrainerConfig(steps=gradient_steps))

    env = SkillActions(env, model)
    print("Actions of the wrapped environment:", env.action_space)
    agent = PriorSAC("SkillPriorPolicy", env, seed=0, verbose=1)
    agent.learn(skills)
    env.close()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
