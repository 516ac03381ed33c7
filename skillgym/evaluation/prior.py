"""A skill model's prior as a policy: the behaviour of an agent before it has learned anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from gymnasium.spaces import Box, Discrete
from numpy.typing import NDArray
from torch import Tensor, nn

from skillgym.errors import UnsupportedSpace
from skillgym.evaluation.rollouts import Policy
from skillgym.nn.devices import device_of
from skillgym.nn.distributions import Distribution
from skillgym.nn.priors import TanhPrior
from skillgym.types import SkillModel


def prior_policy(model: SkillModel, seed: int, deterministic: bool = False) -> Policy:
    """Policy that samples the prior and squashes samples into the skill space, as agents do.

    Args:
        model: Skill model with a Box of skills, into which samples are squashed, or with discrete
            skills. If it has a `behaviour`, like a `SkillModule`, that is sampled: for SkiLD the
            posterior, which imitates the demonstrations.
        seed: Seed of the samples.
        deterministic: Take the most likely skill instead of a sample.

    Returns:
        Maps observations (N, O) to skills (N, Z) or (N,).

    Raises:
        UnsupportedSpace: If skills are neither a Box nor discrete.
    """
    prior, skill = _sampled_prior(model)
    device = device_of(prior)
    generator = torch.Generator(device).manual_seed(seed)

    @torch.no_grad()
    def policy(observations: NDArray[Any]) -> NDArray[Any]:
        # Observations of other packages' environments are mostly in double precision.
        obs = torch.as_tensor(observations, dtype=torch.float32, device=device)
        distribution: Distribution = prior(obs)
        chosen = distribution.mode() if deterministic else distribution.sample(generator)
        skills: NDArray[Any] = skill(chosen).cpu().numpy()
        return skills

    return policy


def _sampled_prior(model: SkillModel) -> tuple[nn.Module, Callable[[Tensor], Tensor]]:
    """The prior, and a function that turns its samples into skills."""
    space, behaviour = model.skill_space, getattr(model, "behaviour", model.prior)
    if isinstance(space, Box):
        prior = TanhPrior(behaviour, space).to(device_of(behaviour))
        return prior, prior.skill
    if isinstance(space, Discrete):
        start = int(space.start)
        return behaviour, lambda sample: sample + start
    raise UnsupportedSpace("skill", space)
