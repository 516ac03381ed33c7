"""Fourier features, with which a network can learn functions that change quickly with position.

Shapes: `...` batch axes, `O` observation, `E` entries that are positions, `F` frequencies.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn


class FourierFeatures(nn.Module):
    """An observation, followed by sines and cosines of each of its first entries.

    Paper: Tancik et al. 2020, "Fourier Features Let Networks Learn High Frequency Functions in Low
    Dimensional Domains", the mapping "positional encoding"; arXiv:2006.10739.

    Args:
        input_size: O.
        num_entries: E, number of entries, from the first on.
        frequencies: F numbers, in cycles per unit of an entry.
    """

    frequencies: Tensor

    def __init__(self, input_size: int, num_entries: int, frequencies: Sequence[float]) -> None:
        super().__init__()
        self.num_entries = num_entries
        self.output_size = input_size + 2 * num_entries * len(frequencies)
        angular = 2 * math.pi * torch.tensor(list(frequencies))
        self.register_buffer("frequencies", angular, persistent=False)

    def forward(self, obs: Tensor) -> Tensor:
        """Features (..., O + 2 E F) of observations (..., O)."""
        angles = (obs[..., : self.num_entries, None] * self.frequencies).flatten(-2)
        return torch.cat([obs, angles.sin(), angles.cos()], dim=-1)
