"""Algorithms of SB3 and sb3-contrib learn with skills, also in environments of others."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import gymnasium as gym
import pytest
from sb3_contrib import TQC
from stable_baselines3 import PPO, SAC, TD3
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import VecMonitor

from skillgym.rl import PriorSAC
from skillgym.rl.presets import make_env
from skillgym.skills.spirl import ClosedLoopSpirl, SpirlConfig
from skillgym.wrappers import SkillActions
from skillgym_envs.kitchen import KitchenWorld

SKILLS = 150
SMALL = SpirlConfig(
    hidden_size=16, encoder_size=16, decoder_layers=1, prior_layers=1, skill_horizon=4
)
NETWORKS = {"policy_kwargs": {"net_arch": [16, 16]}, "device": "cpu", "seed": 0}
OFF_POLICY = {**NETWORKS, "learning_starts": 30, "batch_size": 16, "buffer_size": 1000}
ALGORITHMS: list[tuple[type[BaseAlgorithm], dict[str, Any]]] = [
    (SAC, OFF_POLICY),
    (TD3, OFF_POLICY),
    (TQC, OFF_POLICY),
    (PPO, {**NETWORKS, "n_steps": 50, "batch_size": 25, "n_epochs": 2}),
    (PriorSAC, OFF_POLICY),
]


def kitchens() -> VecMonitor:
    world = KitchenWorld()
    model = ClosedLoopSpirl(world.layout.space(), world.action_space, SMALL).eval()
    return VecMonitor(make_env("spirl-cl", num_envs=2, num_threads=1, skill_model=model))


def pusher() -> gym.Env:
    env = gym.make("Pusher-v5")
    return SkillActions(env, ClosedLoopSpirl(env.observation_space, env.action_space, SMALL).eval())


@pytest.mark.parametrize("make", [kitchens, pusher])
@pytest.mark.parametrize(
    ("algorithm", "settings"), ALGORITHMS, ids=[algorithm.__name__ for algorithm, _ in ALGORITHMS]
)
def test_it_learns(algorithm: Any, settings: dict[str, Any], make: Any) -> None:
    env = make()
    agent = algorithm("MlpPolicy", env, **deepcopy(settings))  # SB3 writes to policy_kwargs
    before = {name: value.clone() for name, value in agent.policy.state_dict().items()}
    agent.learn(SKILLS)
    assert agent.num_timesteps >= SKILLS
    assert len(agent.ep_info_buffer) >= 2
    after = agent.policy.state_dict()
    assert all(value.isfinite().all() for value in after.values())
    assert any(not value.equal(before[name]) for name, value in after.items())
    env.close()
