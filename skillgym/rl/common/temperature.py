"""Weights of divergences, given in the same form as SB3's `ent_coef`."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from skillgym.errors import InvalidConfig
from skillgym.rl.common.losses import temperature_loss


class Temperature:
    """Weight of a divergence: fixed, or learned so that the divergence meets its target.

    Args:
        field: Name of the keyword, for errors.
        value: `"auto"` (learned, starts at 1), `"auto_<start>"`, or a fixed weight.
        target: Target of the mean divergence [nat].
        learning_rate: Learning rate of Adam.
        device: Device of the tensor.
        minimum: Lower bound of a learned weight.

    Attributes:
        log_value: Its logarithm.
        optimizer: Adam; None if the weight is fixed.

    Raises:
        InvalidConfig: If the value is none of these.
    """

    def __init__(
        self,
        field: str,
        value: str | float,
        target: float,
        learning_rate: float,
        device: torch.device,
        minimum: float = 0.0,
    ) -> None:
        learned = is_learned(value)
        self.target = target
        self.minimum = minimum
        self.log_value = torch.full((1,), start_of(field, value), device=device).log()
        self.log_value.requires_grad_(learned)
        self.optimizer = torch.optim.Adam([self.log_value], lr=learning_rate) if learned else None

    @property
    def value(self) -> Tensor:
        """The weight, without gradient."""
        return self.log_value.detach().exp()

    def update(self, divergence: Tensor, weights: Tensor | float = 1.0) -> Tensor:
        """Take one step, if the weight is learned; returns the loss.

        Args:
            divergence: Divergence in every state, (B,).
            weights: Weight of each state, (B,).
        """
        if self.optimizer is None:
            return torch.zeros(())
        loss = temperature_loss(self.log_value, divergence, self.target, weights)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        if self.minimum > 0.0:
            with torch.no_grad():
                self.log_value.clamp_(min=math.log(self.minimum))
        return loss


def is_learned(value: str | float) -> bool:
    """Whether a keyword's value is the start of a learned weight, no fixed one."""
    return str(value).startswith("auto")


def start_of(field: str, value: str | float) -> float:
    """The initial weight that a keyword's value stands for.

    Raises:
        InvalidConfig: If the value is invalid.
    """
    text = str(value)
    if text == "auto":
        return 1.0
    try:
        start = float(text.removeprefix("auto_"))
    except ValueError:
        start = math.nan
    # A learned weight of 0 would never change.
    if not 0.0 <= start < math.inf or (start == 0.0 and is_learned(value)):
        expected = "'auto', 'auto_<start>' with a positive start, or a number of at least 0"
        raise InvalidConfig(field, value, expected)
    return start
