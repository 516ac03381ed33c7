"""Transitions with rewards, for replay buffers.

Letters: `N` transitions, `O` observation size, `A` action size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]


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
    terminations: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        """Number of transitions N."""
        return len(self.rewards)
