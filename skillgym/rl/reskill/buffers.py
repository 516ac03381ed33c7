"""Roll-out buffers: with rewards-to-go as targets, and for skills of several control steps.

Shapes: `T` control steps of a roll-out, `N` environments.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.type_aliases import RolloutBufferSamples

ROWS = ("observations", "actions", "values", "log_probs", "advantages", "returns")


class RewardToGoBuffer(RolloutBuffer):
    """SB3's roll-out buffer with the discounted reward-to-go as target of the value.

    It bootstraps from the value of the last state. SB3's own target is the lambda-return.
    """

    def compute_returns_and_advantage(self, last_values: torch.Tensor, dones: np.ndarray) -> None:
        """Generalised advantages with `gae_lambda`, and returns with lambda = 1."""
        gae_lambda, self.gae_lambda = self.gae_lambda, 1.0
        super().compute_returns_and_advantage(last_values, dones)
        returns, self.gae_lambda = self.returns, gae_lambda
        super().compute_returns_and_advantage(last_values, dones)
        self.returns = returns

    def get(self, batch_size: int | None = None) -> Generator[RolloutBufferSamples, None, None]:
        """Batches of transitions in random order; a single batch of all is not shuffled."""
        if not self.generator_ready:
            for name in ROWS:
                setattr(self, name, self._transitions(getattr(self, name)))
            self.generator_ready = True
        count = len(self.values)
        if batch_size is None or batch_size >= count:
            yield self._get_samples(slice(None))  # type: ignore[arg-type]
            return
        indices = np.random.permutation(count)  # noqa: NPY002  (SB3's stream)
        for first in range(0, count, batch_size):
            yield self._get_samples(indices[first : first + batch_size])

    def _transitions(self, array: NDArray[Any]) -> NDArray[Any]:
        """Rows (T N, ...) of an array (T, N, ...), environment by environment."""
        return self.swap_and_flatten(array)


class SkillRolloutBuffer(RewardToGoBuffer):
    """Transitions of skills, from rewards of control steps: a semi-Markov decision process.

    It is filled at every control step. A row in which a skill was chosen becomes a transition,
    whose reward is the undiscounted sum up to the next such row, or to the end of the episode or of
    the roll-out. `gamma` and `gae_lambda` apply per skill. The other rows are never returned.

    Deviation: rewards before the first skill of a roll-out (of a skill that the previous roll-out
        cut) belong to no transition. If the lengths of roll-outs and episodes are multiples of that
        of skills, there are none.
    """

    due: NDArray[np.bool_]

    def reset(self) -> None:
        """Forget all rows."""
        super().reset()
        self.due = np.zeros((self.buffer_size, self.n_envs), bool)

    def add(self, *args: Any, due: NDArray[np.bool_] | None = None, **kwargs: Any) -> None:
        """Add one control step of each environment.

        Args:
            args: As for SB3's `RolloutBuffer`.
            due: Environments (N,) in which a skill was chosen; all if None.
            kwargs: As for SB3's `RolloutBuffer`.
        """
        self.due[self.pos] = True if due is None else due
        super().add(*args, **kwargs)

    def compute_returns_and_advantage(self, last_values: torch.Tensor, dones: np.ndarray) -> None:
        """Advantages and rewards-to-go in the rows in which skills were chosen.

        Args:
            last_values: Values of the states after the last control step, (N,).
            dones: Whether that step ended an episode, (N,).
        """
        next_value = last_values.clone().cpu().numpy().flatten()
        next_return, next_advantage = next_value.copy(), np.zeros_like(next_value)
        reward = np.zeros_like(next_value)
        goes_on = 1.0 - dones.astype(np.float32)
        for step in reversed(range(self.buffer_size)):
            next_value, next_return = next_value * goes_on, next_return * goes_on
            next_advantage, reward = next_advantage * goes_on, reward * goes_on
            reward = reward + self.rewards[step]
            delta = reward + self.gamma * next_value - self.values[step]
            self.advantages[step] = delta + self.gamma * self.gae_lambda * next_advantage
            self.returns[step] = reward + self.gamma * next_return
            due = self.due[step]
            next_value = np.where(due, self.values[step], next_value)
            next_advantage = np.where(due, self.advantages[step], next_advantage)
            next_return = np.where(due, self.returns[step], next_return)
            reward = np.where(due, 0.0, reward)
            goes_on = 1.0 - self.episode_starts[step]

    def _transitions(self, array: NDArray[Any]) -> NDArray[Any]:
        """The rows in which a skill was chosen."""
        return self.swap_and_flatten(array)[self.due.swapaxes(0, 1).flatten()]
