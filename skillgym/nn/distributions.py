"""Distributions with explicit generators, and the KL divergences between them.

Shapes: `...` batch axes, `Z` event size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from skillgym.errors import ShapeMismatch

LOG_STD_MIN, LOG_STD_MAX = -10.0, 2.0
HALF_LOG_TWO_PI = 0.5 * math.log(2.0 * math.pi)


class Distribution(Protocol):
    """A distribution over vectors of size Z; over indices (...), without Z, if `Categorical`."""

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """One sample (..., Z); its gradient flows to the parameters where the family allows it."""
        ...

    def log_prob(self, x: Tensor) -> Tensor:
        """Log-density of x (..., Z), summed over Z: (...)."""
        ...

    def mode(self) -> Tensor:
        """A most likely point (..., Z), used for deterministic acting."""
        ...


@dataclass(frozen=True)
class Gaussian:
    """A diagonal Gaussian.

    Attributes:
        mean: (..., Z).
        log_std: Natural logarithm of the standard deviation (not of the variance), (..., Z).
    """

    mean: Tensor
    log_std: Tensor

    @classmethod
    def from_parameters(cls, parameters: Tensor) -> Gaussian:
        """Split a network output (..., 2 Z) into mean and log-std, the latter clamped to [-10, 2].

        Paper: Pertsch et al. 2020; arXiv:2010.11944 (the clamp is that of the authors' code).
        """
        mean, log_std = parameters.chunk(2, dim=-1)
        return cls(mean, log_std.clamp(LOG_STD_MIN, LOG_STD_MAX))

    @classmethod
    def standard_like(cls, tensor: Tensor) -> Gaussian:
        """The unit Gaussian with the shape, type and device of `tensor`."""
        return cls(torch.zeros_like(tensor), torch.zeros_like(tensor))

    @property
    def std(self) -> Tensor:
        """Standard deviation (..., Z)."""
        return self.log_std.exp()

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """One reparameterised sample (..., Z): gradients flow to mean and log-std."""
        return self.transform(normal_like(self.mean, generator))

    def transform(self, noise: Tensor) -> Tensor:
        """Map standard-normal noise (..., Z) to samples: mean + std noise, (..., Z)."""
        return self.mean + self.std * noise

    def log_prob(self, x: Tensor) -> Tensor:
        """Log-density of x (..., Z), summed over Z: (...)."""
        scaled = (x - self.mean) * torch.exp(-self.log_std)
        return (-0.5 * scaled.square() - self.log_std - HALF_LOG_TWO_PI).sum(-1)

    def kl(self, other: Gaussian) -> Tensor:
        """KL(self || other) per dimension (..., Z), in nats; the caller chooses the reduction.

        Raises:
            ShapeMismatch: If the two differ in Z.
        """
        if self.mean.shape[-1] != other.mean.shape[-1]:
            raise ShapeMismatch(
                "a Gaussian", self.mean.shape, f"a last axis of {other.mean.shape[-1]}"
            )
        variance_ratio = torch.exp(2.0 * (self.log_std - other.log_std))
        shift = ((self.mean - other.mean) * torch.exp(-other.log_std)).square()
        return other.log_std - self.log_std + 0.5 * (variance_ratio + shift - 1.0)

    def entropy(self) -> Tensor:
        """Differential entropy summed over Z: (...), in nats."""
        return (self.log_std + 0.5 + HALF_LOG_TWO_PI).sum(-1)

    def mode(self) -> Tensor:
        """The mean (..., Z)."""
        return self.mean

    def detach(self) -> Gaussian:
        """The same distribution without gradient."""
        return Gaussian(self.mean.detach(), self.log_std.detach())


@dataclass(frozen=True)
class GaussianMixture:
    """A mixture of K diagonal Gaussians.

    Attributes:
        log_weights: Normalised log-probabilities of the components, (..., K).
        components: Means and log-stds of shape (..., K, Z).
    """

    log_weights: Tensor
    components: Gaussian

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """One sample (..., Z): gradients reach the chosen component, never the weights."""
        weights = self.log_weights.detach().exp()
        index = torch.multinomial(weights.flatten(0, -2), 1, generator=generator)
        index = index.reshape(*weights.shape[:-1], 1, 1)
        index = index.expand(*weights.shape[:-1], 1, self.components.mean.shape[-1])
        chosen = Gaussian(
            self.components.mean.gather(-2, index).squeeze(-2),
            self.components.log_std.gather(-2, index).squeeze(-2),
        )
        return chosen.sample(generator)

    def log_prob(self, x: Tensor) -> Tensor:
        """Log-density of x (..., Z): (...)."""
        return torch.logsumexp(self.log_weights + self.components.log_prob(x.unsqueeze(-2)), -1)

    def mode(self) -> Tensor:
        """The mean (..., Z) of the most likely component, which approximates the mode."""
        index = self.log_weights.argmax(-1)[..., None, None]
        index = index.expand(*index.shape[:-1], self.components.mean.shape[-1])
        return self.components.mean.gather(-2, index).squeeze(-2)

    def detach(self) -> GaussianMixture:
        """The same distribution without gradient."""
        return GaussianMixture(self.log_weights.detach(), self.components.detach())


@dataclass(frozen=True)
class Categorical:
    """A distribution over the indices 0 ... K - 1.

    Attributes:
        log_probs: Normalised log-probabilities, (..., K).
    """

    log_probs: Tensor

    @classmethod
    def from_logits(cls, logits: Tensor) -> Categorical:
        """Softmax of logits (..., K)."""
        return cls(torch.log_softmax(logits, -1))

    @property
    def probs(self) -> Tensor:
        """Probabilities (..., K)."""
        return self.log_probs.exp()

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """One index (...) of type int64, without gradient."""
        probs = self.probs.detach()
        index = torch.multinomial(
            probs.reshape(-1, probs.shape[-1]), 1, replacement=True, generator=generator
        )
        return index.reshape(probs.shape[:-1])

    def log_prob(self, x: Tensor) -> Tensor:
        """Log-probability (...) of indices x (...)."""
        return self.log_probs.gather(-1, x.unsqueeze(-1)).squeeze(-1)

    def expectation(self, values: Tensor) -> Tensor:
        """Mean (...) of values (..., K)."""
        return (self.probs * values).sum(-1)

    def kl(self, other: Categorical) -> Tensor:
        """KL(self || other), (...), in nats.

        An index without probability adds nothing; infinite if `other` gives no probability to an
        index that this one does.

        Raises:
            ShapeMismatch: If the two differ in K.
        """
        if self.log_probs.shape[-1] != other.log_probs.shape[-1]:
            raise ShapeMismatch(
                "a Categorical", self.log_probs.shape, f"a last axis of {other.log_probs.shape[-1]}"
            )
        divergence = self.expectation(self.log_probs - other.log_probs)
        if not _is_finite(divergence):
            ratios = self._possible(self.log_probs) - self._possible(other.log_probs)
            divergence = self.expectation(ratios)
        return divergence

    def entropy(self) -> Tensor:
        """Entropy (...), in nats; an index without probability adds nothing."""
        negated = self.expectation(self.log_probs)
        if not _is_finite(negated):
            negated = self.expectation(self._possible(self.log_probs))
        return -negated

    def _possible(self, values: Tensor) -> Tensor:
        """Values (..., K) with 0 for the indices without probability, as 0 log 0 = 0."""
        return values.masked_fill(self.probs == 0, 0.0)

    def mode(self) -> Tensor:
        """The most likely index (...)."""
        return self.log_probs.argmax(-1)

    def detach(self) -> Categorical:
        """The same distribution without gradient."""
        return Categorical(self.log_probs.detach())


@dataclass(frozen=True)
class Standardised:
    """The distribution of (x - center) / half_range, where x has another distribution.

    Attributes:
        base: Distribution of x, over (..., Z).
        center: (Z,).
        half_range: Positive, (Z,).
    """

    base: Distribution
    center: Tensor
    half_range: Tensor

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """One sample (..., Z)."""
        return (self.base.sample(generator) - self.center) / self.half_range

    def log_prob(self, x: Tensor) -> Tensor:
        """Log-density of x (..., Z): (...)."""
        log_prob = self.base.log_prob(self.center + self.half_range * x)
        return log_prob + self.half_range.log().sum()

    def mode(self) -> Tensor:
        """The image (..., Z) of the base's mode."""
        return (self.base.mode() - self.center) / self.half_range


def standardised(base: Distribution, center: Tensor, half_range: Tensor) -> Distribution:
    """The `Standardised` distribution; for a Gaussian, it is a Gaussian, too."""
    if not isinstance(base, Gaussian):
        return Standardised(base, center, half_range)
    return Gaussian((base.mean - center) / half_range, base.log_std - half_range.log())


def _is_finite(values: Tensor) -> bool:
    """Whether all values are finite, if their sum does not overflow; takes one pass."""
    return math.isfinite(values.detach().sum())


def normal_like(tensor: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Standard-normal noise with the shape, type and device of `tensor`."""
    return torch.randn(tensor.shape, generator=generator, dtype=tensor.dtype, device=tensor.device)
