"""Tells states of demonstrations from other states.

Shapes: `...` batch axes, `O` observation.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from skillgym.nn.mlp import MLP


class Discriminator(nn.Module):
    """D(s), the probability that a state is from a demonstration: an MLP without normalisation.

    Kitchen size (O 60): 5153 parameters.

    Paper: Pertsch et al. 2021, "Demonstration-Guided RL with Learned Skills", Sec. 4.3;
    arXiv:2107.10253.

    Args:
        observation_size: O.
        hidden_size: Width.
        num_layers: Number of square layers.
    """

    def __init__(self, observation_size: int, hidden_size: int = 32, num_layers: int = 3) -> None:
        super().__init__()
        self.net = MLP(observation_size, hidden_size, 1, num_layers, batch_norm=False)

    def forward(self, observations: Tensor) -> Tensor:
        """Logits of D, (...), for observations (..., O)."""
        logits: Tensor = self.net(observations)
        return logits.squeeze(-1)

    def probability(self, observations: Tensor) -> Tensor:
        """D(s), (...)."""
        return torch.sigmoid(self(observations))
