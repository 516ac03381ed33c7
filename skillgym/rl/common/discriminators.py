"""Training of a discriminator alongside an agent.

Shapes: `B` batch, `N` states of the demonstrations, `O` observation.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from skillgym.errors import InvalidConfig, ShapeMismatch
from skillgym.skills.skild.discriminator import Discriminator
from skillgym.skills.skild.losses import accuracy, discriminator_loss, gradient_penalty
from skillgym_envs.core.checks import check_range

StateSource: TypeAlias = str | Path | NDArray[np.floating]
"""States (N, O), or the id or path of a dataset."""


class DiscriminatorTraining:
    """Trains a discriminator between states of the demonstrations and those of the policy.

    Paper: Ho and Ermon 2016, "Generative Adversarial Imitation Learning", Alg. 1; arXiv:1606.03476.

    Args:
        discriminator: The discriminator, which is trained in place.
        demonstrations: States of the demonstrations, or their source.
        updates: Updates for each update of the agent. A fraction is the probability of one more.
        learning_rate: Learning rate of Adam.
        penalty: Weight of the gradient penalty.

    Raises:
        InvalidConfig: If there are updates but no demonstrations, or a value is invalid.
    """

    def __init__(
        self,
        discriminator: Discriminator,
        demonstrations: StateSource | None,
        updates: float,
        learning_rate: float = 3e-4,
        penalty: float = 0.0,
    ) -> None:
        check_range("discriminator_updates", updates, 0.0)
        check_range("gradient_penalty", penalty, 0.0)
        if demonstrations is None:
            raise InvalidConfig("demonstrations", None, "states, or the id or path of a dataset")
        self.discriminator = discriminator.requires_grad_(True)
        self.optimizer = torch.optim.Adam(discriminator.parameters(), lr=learning_rate)
        self.updates = updates
        self.penalty = penalty
        self._source: StateSource = demonstrations
        self._states: Tensor | None = None

    def read(self, observation_size: int) -> None:
        """Read the states of the demonstrations now; else the first update, perhaps hours later.

        Raises:
            InvalidConfig: If they are not finite.
            ShapeMismatch: If they are from another world.
        """
        states = read_states(self._source)
        if states.ndim != 2 or states.shape[1] != observation_size or len(states) == 0:
            raise ShapeMismatch("demonstrations", states.shape, f"(N, {observation_size})")
        if not np.isfinite(states).all():
            raise InvalidConfig("demonstrations", "NaN or infinity in a state", "finite numbers")
        self._states = torch.as_tensor(states)

    def draw_number(self) -> int:
        """Number of updates to do with this update of the agent."""
        whole = int(self.updates)
        chance = self.updates - whole
        return whole + int(chance > 0.0 and torch.rand(()).item() < chance)

    def update(self, policy_states: Tensor) -> dict[str, Tensor]:
        """One update with equally many states of the demonstrations; returns loss and accuracy.

        Args:
            policy_states: States that the policy was in, (B, O).
        """
        demonstrations = self._draw(policy_states)
        logits = self.discriminator(demonstrations), self.discriminator(policy_states)
        loss = discriminator_loss(*logits)
        total = loss
        if self.penalty:
            total = total + self.penalty * gradient_penalty(
                self.discriminator, demonstrations, policy_states
            )
        self.optimizer.zero_grad()
        total.backward()
        self.optimizer.step()
        return {
            "discriminator_loss": loss.detach(),
            "discriminator_accuracy": accuracy(*logits),
        }

    def _draw(self, like: Tensor) -> Tensor:
        if self._states is None:
            self.read(like.shape[1])
        states = self._states = cast(Tensor, self._states).to(like)
        return states[torch.randint(len(states), (len(like),), device=like.device)]


def read_states(source: StateSource) -> NDArray[np.floating]:
    """All states (N, O) of a dataset, or the array itself."""
    if not isinstance(source, str | Path):
        return np.asarray(source)
    from skillgym.data import load_windows

    return load_windows(source).observations
