"""The levels of ReSkill as separate learners, and functions that connect them.

Shapes: `O` observation, `A` action, `Z` latent, `S` skill.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from stable_baselines3.common.buffers import RolloutBuffer

from skillgym.rl.reskill.ppo import ReskillPPO
from skillgym.wrappers.residual_control import ResidualLayout

Spaces = tuple[spaces.Box, spaces.Box]
"""Observations and actions."""


def make_level(
    level_spaces: Spaces, buffer: type[RolloutBuffer], num_envs: int, **keywords: Any
) -> ReskillPPO:
    """A learner without environments, whose buffer is filled from outside.

    Args:
        level_spaces: Observation and action space of the level.
        buffer: Class of the buffer.
        num_envs: Number of environments that fill the buffer.
        keywords: Keywords of `ReskillPPO`.
    """
    level = ReskillPPO(
        "MlpPolicy", None, rollout_buffer_class=buffer, _init_setup_model=False, **keywords
    )
    level.observation_space, level.action_space = level_spaces
    level.n_envs = num_envs
    level._setup_model()
    return level


def level_spaces(
    observation_space: spaces.Box, action_space: spaces.Box, layout: ResidualLayout
) -> tuple[Spaces, Spaces]:
    """Spaces of each level: state and skill; inputs of the residual level, and the residual.

    Args:
        observation_space: Observations of `ResidualActions`.
        action_space: Actions of `ResidualActions`.
        layout: Positions of their parts.
    """
    return (
        (part_of(observation_space, layout.state), part_of(action_space, layout.skill)),
        (part_of(observation_space, layout.inputs), part_of(action_space, layout.residual)),
    )


def part_of(space: spaces.Box, part: slice) -> spaces.Box:
    """Some dimensions of a Box."""
    return spaces.Box(space.low[part], space.high[part], dtype=np.float32)


class LevelLogger:
    """Writes the metrics of a level under the level's name.

    Args:
        logger: SB3's logger of the agent.
        level: Name of the level.
    """

    def __init__(self, logger: Any, level: str) -> None:
        self._logger = logger
        self._level = level

    def record(self, key: str, value: Any, exclude: Any = None) -> None:
        """Record `train/KEY` as `train/LEVEL_KEY`."""
        self._logger.record(key.replace("train/", f"train/{self._level}_"), value, exclude)
