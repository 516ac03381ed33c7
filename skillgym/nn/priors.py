"""Networks that map an observation to a distribution: the possible types of skill priors.

Shapes: `...` batch axes, `O` observation, `Z` event size, `K` mixture components or
indices.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from gymnasium.spaces import Box
from torch import Tensor, nn

from skillgym.nn.distributions import (
    Categorical,
    Distribution,
    Gaussian,
    GaussianMixture,
    standardised,
)
from skillgym.nn.flows import FlowDistribution, RealNVP
from skillgym.nn.mlp import MLP

MIN_WEIGHT = 1e-6

COMPONENTS = 5
"""K of `MixtureMLP`."""


class GaussianMLP(nn.Module):
    """Diagonal Gaussian, the default prior of SPiRL.

    Args:
        input_size: O.
        size: Z.
        hidden_size: Width of the network.
        num_hidden: Number of its square layers.
    """

    def __init__(self, input_size: int, size: int, hidden_size: int, num_hidden: int) -> None:
        super().__init__()
        self.net = MLP(input_size, hidden_size, 2 * size, num_hidden)

    def forward(self, obs: Tensor) -> Gaussian:
        """Gaussian over (..., Z) for observations (..., O)."""
        return Gaussian.from_parameters(self.net(obs))


class MixtureMLP(nn.Module):
    """Mixture of diagonal Gaussians; no weight falls below 1e-6 (before they are normalised again).

    Args:
        input_size: O.
        size: Z.
        hidden_size: Width of the trunk and of its output.
        num_hidden: Number of its square layers.
    """

    def __init__(self, input_size: int, size: int, hidden_size: int, num_hidden: int) -> None:
        super().__init__()
        self.trunk = MLP(input_size, hidden_size, hidden_size, num_hidden)
        self.weights = nn.Linear(hidden_size, COMPONENTS)
        self.gaussians = nn.Linear(hidden_size, COMPONENTS * 2 * size)

    def forward(self, obs: Tensor) -> GaussianMixture:
        """Mixture over (..., Z) for observations (..., O)."""
        features = self.trunk(obs)
        weights = torch.softmax(self.weights(features), -1).clamp(min=MIN_WEIGHT)
        log_weights = torch.log(weights / weights.sum(-1, keepdim=True))
        parameters = self.gaussians(features).unflatten(-1, (COMPONENTS, -1))
        return GaussianMixture(log_weights, Gaussian.from_parameters(parameters))


class FlowMLP(nn.Module):
    """Normalizing flow conditioned on features of the observation.

    Args:
        input_size: O.
        size: Z.
        hidden_size: Width of the trunk and of the context.
        num_hidden: Number of its square layers.
    """

    def __init__(self, input_size: int, size: int, hidden_size: int, num_hidden: int) -> None:
        super().__init__()
        self.trunk = MLP(input_size, hidden_size, hidden_size, num_hidden)
        self.flow = RealNVP(size, hidden_size)
        self.size = size

    def forward(self, obs: Tensor) -> FlowDistribution:
        """Distribution over (..., Z) for observations (..., O)."""
        return FlowDistribution(self.flow, self.trunk(obs), self.size)


class CategoricalMLP(nn.Module):
    """Distribution over the indices 0 ... K - 1, for discrete skills.

    Args:
        input_size: O.
        size: K.
        hidden_size: Width of the network.
        num_hidden: Number of its square layers.
        inputs: Entries of the observation that the network sees; all if None.
    """

    inputs: Tensor | None

    def __init__(
        self,
        input_size: int,
        size: int,
        hidden_size: int,
        num_hidden: int,
        inputs: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        chosen = None if inputs is None else torch.tensor(list(inputs), dtype=torch.int64)
        self.register_buffer("inputs", chosen, persistent=False)
        seen = input_size if inputs is None else len(inputs)
        self.net = MLP(seen, hidden_size, size, num_hidden)

    def forward(self, obs: Tensor) -> Categorical:
        """Distribution over K indices for observations (..., O)."""
        seen = obs if self.inputs is None else obs[..., self.inputs]
        return Categorical.from_logits(self.net(seen))


class UnitGaussian(nn.Module):
    """The unit Gaussian, for any observation.

    Args:
        size: Z.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, obs: Tensor) -> Gaussian:
        """Gaussian over (..., Z) for observations (..., O)."""
        return Gaussian.standard_like(obs.new_zeros(*obs.shape[:-1], self.size))


class UniformPrior(nn.Module):
    """The uniform distribution over the indices 0 ... K - 1, for any observation.

    Args:
        size: K.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, obs: Tensor) -> Categorical:
        """Distribution over K indices for observations (..., O)."""
        return Categorical.from_logits(obs.new_zeros(*obs.shape[:-1], self.size))


class TanhPrior(nn.Module):
    """A prior over skills u as one over v, where the executed skill is center + half_range tanh(v).

    With v = (u - center) / half_range, a tanh policy executes almost exactly the skills of the
    prior; only skills near or beyond the bounds are squashed.

    Deviation: the authors execute 2 tanh(u), which doubles small latents before they reach the
        decoder, which was fitted to u. `scale=1` restores it.

    Args:
        prior: Maps observations (..., O) to a distribution over (..., Z).
        space: The skills, a bounded Box (Z,).
        scale: v = u / scale instead.
    """

    center: Tensor
    half_range: Tensor
    space_center: Tensor
    space_half_range: Tensor

    def __init__(self, prior: nn.Module, space: Box, scale: float | None = None) -> None:
        super().__init__()
        self.prior = prior
        low, high = torch.as_tensor(space.low), torch.as_tensor(space.high)
        center, half_range = (high + low) / 2, (high - low) / 2
        self.register_buffer("space_center", center, persistent=False)
        self.register_buffer("space_half_range", half_range, persistent=False)
        if scale is not None:
            center, half_range = torch.zeros_like(low), torch.full_like(low, scale)
        self.register_buffer("center", center)
        self.register_buffer("half_range", half_range)

    def forward(self, obs: Tensor) -> Distribution:
        """Distribution of v over (..., Z) for observations (..., O)."""
        return standardised(self.prior(obs), self.center, self.half_range)

    def skill(self, v: Tensor) -> Tensor:
        """The executed skill (..., Z)."""
        return self.space_center + self.space_half_range * torch.tanh(v)


PRIORS: dict[str, type[GaussianMLP] | type[MixtureMLP] | type[FlowMLP]] = {
    "gaussian": GaussianMLP,
    "mixture": MixtureMLP,
    "flow": FlowMLP,
}

__all__ = [
    "PRIORS",
    "CategoricalMLP",
    "Distribution",
    "FlowMLP",
    "GaussianMLP",
    "MixtureMLP",
    "TanhPrior",
    "UniformPrior",
    "UnitGaussian",
]
