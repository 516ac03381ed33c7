"""A skill model by itself as a policy: what an agent does before it has learned anything."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from gymnasium.spaces import Box
from numpy.typing import NDArray

from skillgym.errors import UnsupportedSpace
from skillgym.evaluation.rollouts import Policy
from skillgym.nn.priors import TanhPrior
from skillgym.types import SkillModel


def prior_policy(model: SkillModel, seed: int) -> Policy:
    """Policy that samples the prior and squashes the sample into the skill space, as agents do.

    Args:
        model: Skill model with a Box of skills. If it has a `behaviour`, as `SkillModule`s have,
            that one is sampled: of SkiLD the posterior, which imitates the demonstrations.
        seed: Seed of the samples.

    Returns:
        Maps observations (N, O) to skills (N, Z).

    Raises:
        UnsupportedSpace: If skills are not a Box.
    """
    if not isinstance(model.skill_space, Box):
        raise UnsupportedSpace("skill", model.skill_space)
    prior = TanhPrior(getattr(model, "behaviour", model.prior), model.skill_space)
    generator = torch.Generator().manual_seed(seed)

    @torch.no_grad()
    def policy(observations: NDArray[Any]) -> NDArray[np.float32]:
        sample = prior(torch.as_tensor(observations)).sample(generator)
        skills: NDArray[np.float32] = prior.skill(sample).numpy()
        return skills

    return policy
