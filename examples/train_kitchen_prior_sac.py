"""Train an agent that chooses learned skills in the Franka kitchen, and watch it complete subtasks.

Usage: python examples/train_kitchen_prior_sac.py [SKILLS]
"""

from __future__ import annotations

import sys

import gymnasium as gym

import skillgym  # noqa: F401  (registers SkillKitchen-v0)
from skillgym.rl.presets import make_agent


def main(skills: int = 5_000) -> None:
    """Train for a number of skills (10 control steps each), then run one episode."""
    env = gym.make("SkillKitchen-v0", skill_model="spirl-kitchen")
    # The preset of the benchmarks; PriorSAC("SkillPriorPolicy", env) has the numbers of the paper.
    agent = make_agent("spirl-cl", env, seed=0, verbose=1)
    agent.learn(skills)

    observation, info = env.reset(seed=1)
    over = False
    while not over:
        skill, _ = agent.predict(observation)
        observation, _, terminated, truncated, info = env.step(skill)
        over = terminated or truncated
    print("Subtasks completed:", ", ".join(info["subtasks_completed"]) or "none")
    env.close()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
