"""Small models and batches for the tests of skills, hub and trainer."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from gymnasium.spaces import Box, Discrete
from numpy.typing import NDArray

from skillgym.data import Demonstrations, WindowDataset
from skillgym.skills.base import Batch, SkillModule
from skillgym.skills.ptgm import Ptgm, PtgmConfig
from skillgym.skills.reskill import ReskillConfig, ReskillModel
from skillgym.skills.skild import SkildModel
from skillgym.skills.spirl import (
    ClosedLoopSpirl,
    FlatPrior,
    FlatPriorConfig,
    OpenLoopSpirl,
    SpirlConfig,
)

OBSERVATION_SIZE, ACTION_SIZE = 6, 3
SMALL = {"skill_horizon": 4, "latent_size": 2, "hidden_size": 16, "encoder_size": 8}
MODELS: tuple[type[SkillModule], ...] = (
    ClosedLoopSpirl,
    OpenLoopSpirl,
    FlatPrior,
    SkildModel,
    Ptgm,
    ReskillModel,
)


def spaces(observation_size: int, action_size: int) -> tuple[Box, Box]:
    return (
        Box(-np.inf, np.inf, (observation_size,), np.float32),
        Box(-1.0, 1.0, (action_size,), np.float32),
    )


def small_ptgm(**options: Any) -> Ptgm:
    """A goal-based model with a codebook from `random_walks`."""
    small: dict[str, Any] = {
        "num_codes": 5,
        "skill_horizon": 4,
        "hidden_size": 16,
        "num_layers": 1,
        "codebook": "kmeans",
    }
    config = PtgmConfig(**{**small, **options})
    model = Ptgm.create(*spaces(OBSERVATION_SIZE, ACTION_SIZE), config)
    model.prepare(random_walks(), seed=0)
    return model


def small_reskill(**options: Any) -> ReskillModel:
    small = {"skill_horizon": 4, "latent_size": 2, "encoder_size": 16, "layer_sizes": (16, 8)}
    config = ReskillConfig(**{**small, "flow_layers": 2, "flow_size": 16, **options})
    return ReskillModel.create(*spaces(OBSERVATION_SIZE, ACTION_SIZE), config)


def random_skills(model: SkillModule, rng: np.random.Generator, count: int) -> NDArray[Any]:
    """Skills (count, ...) inside the space, or at least near it."""
    space = model.skill_space
    if isinstance(space, Discrete):
        return rng.integers(space.n, size=count)
    return rng.normal(size=(count, *(space.shape or ())))


def small_model(cls: type[SkillModule], **options: object) -> SkillModule:
    if cls is Ptgm:
        return small_ptgm()
    if cls is ReskillModel:
        unit = {"prior": "unit"} if options.get("prior") == "mixture" else {}
        return small_reskill(**{**options, **unit})
    if cls is SkildModel:
        return SkildModel.from_embedding(small_model(ClosedLoopSpirl, **options))
    config = (
        FlatPriorConfig(hidden_size=16, num_layers=2)
        if cls is FlatPrior
        else SpirlConfig(**{**SMALL, **options})  # type: ignore[arg-type]
    )
    return cls.create(*spaces(OBSERVATION_SIZE, ACTION_SIZE), config)


def random_batch(model: SkillModule, size: int = 5, seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    horizon = model.max_steps
    windows = (
        torch.randn(size, horizon + 1, OBSERVATION_SIZE, generator=generator),
        torch.randn(size, horizon, ACTION_SIZE, generator=generator),
    )
    if not isinstance(model, SkildModel):
        return windows
    demonstrated, others = torch.randn(2, size, OBSERVATION_SIZE, generator=generator)
    return *windows, demonstrated + 0.5, others


def random_walks(num_episodes: int = 12, length: int = 40, seed: int = 0) -> WindowDataset:
    """Episodes whose actions drive a linear system along a few repeated motions."""
    rng = np.random.default_rng(seed)
    episodes = []
    for _ in range(num_episodes):
        phase = rng.uniform(0, 2 * np.pi)
        time = np.arange(length)[:, None]
        actions = 0.8 * np.sin(0.3 * time + phase + np.arange(ACTION_SIZE))
        positions = np.concatenate([np.zeros((1, ACTION_SIZE)), np.cumsum(0.1 * actions, axis=0)])
        velocities = np.diff(positions, axis=0, prepend=0)
        episodes.append((np.concatenate([positions, velocities], axis=1), actions))
    return WindowDataset.from_episodes(episodes)


def training_data(model: SkillModule) -> WindowDataset | Demonstrations:
    """What a model of any kind can be trained on."""
    if isinstance(model, SkildModel):
        return Demonstrations(random_walks(6, seed=1), random_walks())
    return random_walks()
