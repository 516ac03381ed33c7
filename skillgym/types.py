"""Protocols shared by all packages. Imports no torch at run time.

Shapes: `B` batch (environments), `O` observation, `A` action.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import nn

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]

SkillState = dict[str, NDArray[Any]]
"""State of running skills: arrays with leading axis B, whose rows can be selected."""


class SkillModel(Protocol):
    """A batched closed-loop controller that executes skills, with a prior over skills.

    Implementations are torch modules; the three methods take and return NumPy arrays and never
    change the module (weights, normalisation statistics, training mode).

    Attributes:
        skill_space: Space of skills, e.g. `Box(-3, 3, (nz,))` or `Discrete(K)`.
        max_steps: Longest duration of a skill, in control steps.
        prior: Maps observations, a tensor (B, O), to a distribution over skills, whose samples may
            leave the space; only algorithms with a prior need it. Policies that start as the prior
            need a `skillgym.nn.distributions.Gaussian(mean, log_std)`, or for Discrete skills a
            `Categorical(log_probs)`. With `"MlpPolicy"`, `PriorSAC` accepts any distribution whose
            `log_prob` maps skills (..., B, Z) to (..., B).
    """

    skill_space: gym.Space[Any]
    max_steps: int
    prior: nn.Module

    def begin(self, obs: NDArray[Any], skill: NDArray[Any]) -> SkillState:
        """Start one skill per row: observations (B, O), skills (B, ...)."""
        ...

    def act(self, obs: NDArray[Any], state: SkillState, t: int) -> FloatArray:
        """Actions (B, A) inside the action space, `t` control steps after `begin`."""
        ...

    def finished(self, obs: NDArray[Any], state: SkillState, t: int) -> BoolArray:
        """Which skills (B,) are over after control step `t`."""
        ...
