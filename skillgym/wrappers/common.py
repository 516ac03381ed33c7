"""What the single and the vector wrapper share."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from skillgym.types import SkillModel
from skillgym.wrappers.errors import UnknownRewardOption

REWARDS = ("sum", "discounted")


def resolve_skill_model(skill_model: str | SkillModel, env: Any) -> SkillModel:
    """Load a skill model given by name or path, and check that it fits the environment.

    Args:
        skill_model: Name of a bundled model, path of a checkpoint directory, or a live model.
        env: Environment or vector environment with primitive actions.

    Returns:
        The skill model.
    """
    # Loading a model imports torch, which importing the wrappers must not do.
    from skillgym.hub import check_world, load_skill

    model = load_skill(skill_model) if isinstance(skill_model, str) else skill_model
    check_world(model, env)
    return model


def reward_weights(reward: str, gamma: float, max_steps: int) -> NDArray[np.float64]:
    """Weight of each control step's reward in the reward of a skill step, shape (H,).

    Args:
        reward: `"sum"` (weights 1) or `"discounted"` (weights gamma^t).
        gamma: Discount per control step.
        max_steps: Longest skill H [control steps].
    """
    if reward not in REWARDS:
        raise UnknownRewardOption(reward, REWARDS)
    return np.ones(max_steps) if reward == "sum" else gamma ** np.arange(max_steps, dtype=float)


def observation_space(env: Any) -> gym.Space[Any]:
    """Observation space of one environment, of a single or a vector environment."""
    space: gym.Space[Any] = getattr(env, "single_observation_space", env.observation_space)
    return space
