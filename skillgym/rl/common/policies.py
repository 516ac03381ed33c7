"""Code that policies which start as a prior share.

Shapes: `O` observation.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, cast

import torch
from gymnasium import spaces
from torch import nn

from skillgym.checks import check_arrays
from skillgym.errors import InvalidConfig
from skillgym.nn.devices import device_of
from skillgym.nn.mlp import normalise_layers
from skillgym.rl.errors import UnusablePrior

DEEP, SHALLOW = (256,) * 6, (256,) * 3
"""Hidden layers of the authors' "5 x 256" and "2 x 256", which count square layers only."""


def refuse_net_arch(keywords: Mapping[str, Any], name: str) -> None:
    """Check that a policy is not given `net_arch`, the keyword for SB3's networks.

    Args:
        keywords: Keywords of the policy.
        name: Keyword for the hidden layers of its other networks.

    Raises:
        InvalidConfig: If `net_arch` is given.
    """
    if "net_arch" in keywords:
        expected = f"{name} for networks other than the prior's copy, or 'MlpPolicy' for SB3's"
        raise InvalidConfig("net_arch", keywords["net_arch"], expected)


def trainable_copy(prior: nn.Module, expected: str = "Gaussian") -> nn.Module:
    """A copy of a prior, in evaluation mode, whose parameters take gradients.

    Args:
        prior: The prior.
        expected: Distribution that it should return, for the error.

    Raises:
        UnusablePrior: If it has no parameters, such as ReSkill's prior over noise.
    """
    copy = deepcopy(prior).eval().requires_grad_(True)
    if not list(copy.parameters()):
        raise UnusablePrior("without parameters, which no policy can start as", expected)
    return copy


def normalise_critic(network: nn.Sequential) -> None:
    """Add a LayerNorm to every hidden layer of a critic, in place; its values start at zero.

    Paper: Ball et al. 2023, "Efficient Online Reinforcement Learning with Offline Data";
    arXiv:2302.02948.
    """
    normalise_layers(network)
    # Normalised signals do not shrink: without this, initial values would be random, around 1.
    nn.init.zeros_(cast(nn.Linear, network[-1]).weight)


def probed(
    prior: nn.Module, observation_space: spaces.Space[Any], expected: str = "Gaussian"
) -> object:
    """The distribution that a prior (in evaluation mode) returns for one observation of zeros.

    Args:
        prior: The prior.
        observation_space: Observations.
        expected: Distribution that it should return, for the error.

    Raises:
        UnsupportedSpace: If observations are not arrays.
        UnusablePrior: If the prior fails.
    """
    shape = check_arrays(observation_space)
    device = device_of(prior)
    try:
        with torch.no_grad():
            distribution: object = prior(torch.zeros(1, *shape, device=device))
    except (RuntimeError, IndexError) as error:
        raise UnusablePrior(
            f"that fails for observations of shape {shape} ({error})", expected
        ) from error
    return distribution
