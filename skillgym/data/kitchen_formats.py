"""Observation layouts of the kitchen in older datasets, converted to the 60-D one of the world.

Ours: 9 robot joints, 21 object positions, 30-D goal half. `N` is the number of rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from skillgym.types import FloatArray
from skillgym_envs.kitchen.tasks import ELEMENTS, goal_half

D4RL_V0_WIDTH = 60
"""D4RL `kitchen-*-v0`: 9 robot joints, 21 object positions, goal half."""

D4RL_V2_WIDTH = 59
"""Minari `D4RL/kitchen/*-v2`: 9 robot joints, 9 robot velocities, 21 object positions, 20 object
velocities (the kettle's quaternion has 4 numbers, its angular velocity 3)."""


def is_d4rl_v2(space: spaces.Dict) -> bool:
    """Whether observations are those of Minari's kitchen, whose goals are named by element."""
    state, goals = space.spaces.get("observation"), space.spaces.get("achieved_goal")
    named = isinstance(goals, spaces.Dict) and goals.spaces.keys() <= ELEMENTS.keys()
    return named and isinstance(state, spaces.Box) and state.shape == (D4RL_V2_WIDTH,)


def from_d4rl_v0(observations: npt.NDArray[np.floating[Any]]) -> FloatArray:
    """Observations (N, 60) with their goal half replaced by the constant one."""
    return _with_goal_half(observations[:, :30])


def from_d4rl_v2(observations: npt.NDArray[np.floating[Any]]) -> FloatArray:
    """Observations (N, 59) without their velocities and with the constant goal half, (N, 60)."""
    return _with_goal_half(np.concatenate((observations[:, :9], observations[:, 18:39]), axis=1))


def _with_goal_half(positions: npt.NDArray[np.floating[Any]]) -> FloatArray:
    goals = np.broadcast_to(goal_half(), (len(positions), 30))
    return np.concatenate((positions, goals), axis=1, dtype=np.float32, casting="same_kind")
