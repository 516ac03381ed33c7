"""Conditional RealNVP normalizing flows.

Shapes: `...` batch axes, `Z` event size (even), `C` context size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from skillgym.errors import InvalidConfig
from skillgym.nn.distributions import Gaussian


class Flow(Protocol):
    """An invertible map between noise and x, given a context."""

    def __call__(self, noise: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """From noise (..., Z) to x (..., Z), and the log-determinant of dx / dnoise (...)."""
        ...

    def inverse(self, x: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """From x (..., Z) to noise (..., Z), and the log-determinant of dnoise / dx (...)."""
        ...


class Conditioner(nn.Module):
    """Scale and shift of one half of the event, from the other half and the context.

    Starts at zero, so that a new flow is the identity.
    """

    def __init__(self, half: int, context_size: int, hidden_size: int) -> None:
        super().__init__()
        sizes = half + context_size, hidden_size, half
        self.log_scale, self.shift = self.network(*sizes), self.network(*sizes)

    @staticmethod
    def network(input_size: int, hidden_size: int, output_size: int) -> nn.Sequential:
        """Three linear layers with tanh between them; the last one starts at zero."""
        head = nn.Linear(hidden_size, output_size)
        nn.init.zeros_(head.weight)
        nn.init.zeros_(head.bias)
        first, second = nn.Linear(input_size, hidden_size), nn.Linear(hidden_size, hidden_size)
        return nn.Sequential(first, nn.Tanh(), second, nn.Tanh(), head)

    def forward(self, half: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Log-scale and shift, each (..., Z / 2)."""
        joined = torch.cat([half, context], dim=-1)
        return self.log_scale(joined), self.shift(joined)


class BoundedConditioner(Conditioner):
    """A conditioner with log-scales between -1 and 1, LeakyReLUs, and torch's initialisation.

    Paper: Rana et al. 2022, "Residual Skill Policies", arXiv:2211.02231 (the authors' code).
    """

    @staticmethod
    def network(input_size: int, hidden_size: int, output_size: int) -> nn.Sequential:
        """Three linear layers with LeakyReLU(0.01) between them."""
        head = nn.Linear(hidden_size, output_size)
        first, second = nn.Linear(input_size, hidden_size), nn.Linear(hidden_size, hidden_size)
        return nn.Sequential(first, nn.LeakyReLU(), second, nn.LeakyReLU(), head)

    def forward(self, half: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Log-scale and shift, each (..., Z / 2)."""
        log_scale, shift = super().forward(half, context)
        return torch.tanh(log_scale), shift


class RealNVP(nn.Module):
    """Affine coupling layers; each transforms the lower half by the upper one and then the reverse.

    Paper: Dinh et al. 2017, "Density estimation using Real NVP", Sec. 3.2; arXiv:1605.08803.

    Args:
        size: Z, even.
        context_size: C.
        num_layers: Number of pairs of coupling layers, each with four networks.
        hidden_size: Width of these networks.
        conditioner: Class of these networks.

    Raises:
        InvalidConfig: If `size` is odd.
    """

    def __init__(
        self,
        size: int,
        context_size: int,
        num_layers: int = 6,
        hidden_size: int = 32,
        conditioner: type[Conditioner] = Conditioner,
    ) -> None:
        super().__init__()
        if size % 2:
            raise InvalidConfig("size", size, "an even number for a flow")
        sizes = size // 2, context_size, hidden_size
        self.lower = nn.ModuleList(conditioner(*sizes) for _ in range(num_layers))
        self.upper = nn.ModuleList(conditioner(*sizes) for _ in range(num_layers))

    def forward(self, noise: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """From noise (..., Z) to x (..., Z), and the log-determinant of dx / dnoise (...)."""
        lower, upper = noise.chunk(2, dim=-1)
        log_det = torch.zeros_like(noise[..., 0])
        for of_lower, of_upper in zip(self.lower, self.upper, strict=True):
            log_scale, shift = of_lower(upper, context)
            lower = lower * log_scale.exp() + shift
            log_det = log_det + log_scale.sum(-1)
            log_scale, shift = of_upper(lower, context)
            upper = upper * log_scale.exp() + shift
            log_det = log_det + log_scale.sum(-1)
        return torch.cat([lower, upper], dim=-1), log_det

    def inverse(self, x: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """From x (..., Z) to noise (..., Z), and the log-determinant of dnoise / dx (...)."""
        lower, upper = x.chunk(2, dim=-1)
        log_det = torch.zeros_like(x[..., 0])
        for of_lower, of_upper in zip(self.lower[::-1], self.upper[::-1], strict=True):
            log_scale, shift = of_upper(lower, context)
            upper = (upper - shift) * torch.exp(-log_scale)
            log_det = log_det - log_scale.sum(-1)
            log_scale, shift = of_lower(upper, context)
            lower = (lower - shift) * torch.exp(-log_scale)
            log_det = log_det - log_scale.sum(-1)
        return torch.cat([lower, upper], dim=-1), log_det


class InverseFlow(nn.Module):
    """A flow with its two directions exchanged.

    Args:
        flow: The flow, which becomes the map from x to noise.
    """

    def __init__(self, flow: RealNVP) -> None:
        super().__init__()
        self.flow = flow

    def forward(self, noise: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """From noise (..., Z) to x (..., Z), and the log-determinant of dx / dnoise (...)."""
        return self.flow.inverse(noise, context)

    def inverse(self, x: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """From x (..., Z) to noise (..., Z), and the log-determinant of dnoise / dx (...)."""
        noise, log_det = self.flow(x, context)
        return noise, log_det


@dataclass(frozen=True)
class FlowDistribution:
    """A unit Gaussian pushed through a conditional flow.

    Attributes:
        flow: The flow.
        context: Context on which it is conditioned, (..., C).
        size: Z.
    """

    flow: Flow
    context: Tensor
    size: int

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """One reparameterised sample (..., Z)."""
        return self.transform(self._base().sample(generator))

    def transform(self, noise: Tensor) -> Tensor:
        """Map standard-normal noise (..., Z) to samples (..., Z)."""
        return self.flow(noise, self.context)[0]

    def log_prob(self, x: Tensor) -> Tensor:
        """Log-density of x (..., Z): (...)."""
        context = self.context.expand(*x.shape[:-1], -1)
        noise, log_det = self.flow.inverse(x, context)
        return Gaussian.standard_like(noise).log_prob(noise) + log_det

    def mode(self) -> Tensor:
        """The image (..., Z) of the base's mode, which approximates the mode."""
        return self.transform(self._base().mean)

    def _base(self) -> Gaussian:
        zeros = self.context.new_zeros(*self.context.shape[:-1], self.size)
        return Gaussian(zeros, zeros)
