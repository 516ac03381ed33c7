"""Transitions with rewards, for replay buffers.

Letters: `N` transitions, `O` observation size, `A` action size.
"""

from __future__ import annotations

from dataclasses import dataclass

from skillgym.types import BoolArray, FloatArray


@dataclass(frozen=True)
class Transitions:
    """Single control steps.

    Attributes:
        observations: (N, O).
        actions: (N, A).
        rewards: (N,).
        next_observations: (N, O).
        terminations: Whether the next state is terminal; time limits are not, (N,).
    """

    observations: FloatArray
    actions: FloatArray
    rewards: FloatArray
    next_observations: FloatArray
    terminations: BoolArray

    def __len__(self) -> int:
        """Number of transitions N."""
        return len(self.rewards)
