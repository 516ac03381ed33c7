"""A tiny untrained skill model of the kitchen."""

from __future__ import annotations

from pathlib import Path

import gymnasium as gym
import pytest

import skillgym  # noqa: F401  (registers)
from skillgym.hub import save_skill
from skillgym.skills.spirl import ClosedLoopSpirl, SpirlConfig


@pytest.fixture(scope="session")
def kitchen_skills(tmp_path_factory: pytest.TempPathFactory) -> Path:
    env = gym.make("skillgym/Kitchen-v0")
    config = SpirlConfig(hidden_size=16, encoder_size=8, decoder_layers=1, prior_layers=1)
    model = ClosedLoopSpirl.create(env.observation_space, env.action_space, config)
    env.close()
    return save_skill(model, tmp_path_factory.mktemp("skills") / "tiny", world="kitchen")
