"""One thread per process, set before NumPy and torch are imported; logs; a tiny skill model."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session", autouse=True)
def sb3_logs(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The folders for logs that Stable-Baselines3 makes are among those that pytest removes."""
    os.environ["SB3_LOGDIR"] = str(tmp_path_factory.mktemp("sb3"))


@pytest.fixture(scope="session")
def kitchen_skills(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoint of a tiny untrained skill model of the kitchen."""
    import gymnasium as gym

    import skillgym  # noqa: F401  (registers)
    from skillgym.hub import save_skill
    from skillgym.skills.spirl import ClosedLoopSpirl, SpirlConfig

    env = gym.make("skillgym/Kitchen-v0")
    config = SpirlConfig(hidden_size=16, encoder_size=8, decoder_layers=1, prior_layers=1)
    model = ClosedLoopSpirl.create(env.observation_space, env.action_space, config)
    env.close()
    return save_skill(model, tmp_path_factory.mktemp("skills") / "tiny", world="kitchen")
