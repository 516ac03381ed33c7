"""Random numbers of N environments, drawn in blocks to keep stepping vectorised.

Each environment has its own stream, so its numbers do not depend on its neighbours.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class NoiseBlocks:
    """Uniform numbers in [-1, 1) for N environments.

    Args:
        num_envs: Number of environments N.
        size: Numbers per environment and control step S.
        block: Control steps per block; a longer episode draws another one.
    """

    def __init__(self, num_envs: int, size: int, block: int) -> None:
        self._block = block
        self._rngs: dict[int, np.random.Generator] = {}
        # The extra row at the end is read for a frozen environment whose block is used up.
        self._numbers = np.zeros((num_envs * block + 1, size))
        self._at = np.arange(num_envs) * block
        self._ends = self._at + block
        self._left = block  # steps until the first environment may run out of numbers
        self._none = np.zeros((num_envs, 0)) if size == 0 else None

    def start(self, rows: list[int], rngs: list[np.random.Generator]) -> Floats:
        """Start new blocks in some environments.

        Args:
            rows: M environments.
            rngs: Their M random streams.

        Returns:
            First numbers, shape (M, S).
        """
        for row, rng in zip(rows, rngs, strict=True):
            self._rngs[row] = rng
            self._draw(row)
        first = self._numbers[self._at[rows]]
        self._at[rows] += 1
        self._left = min(self._left, self._block - 1)
        return first

    def next(self, active: NDArray[np.bool_] | None) -> Floats:
        """Next numbers, shape (N, S); those of inactive environments are not to be used."""
        if self._none is not None:
            return self._none
        if self._left == 0:
            self._refill(active)
        self._left -= 1
        numbers: Floats = self._numbers.take(self._at, axis=0)
        self._at += 1 if active is None else active
        return numbers

    def _refill(self, active: NDArray[np.bool_] | None) -> None:
        over = self._at == self._ends
        if active is not None:
            over &= active
        for row in np.flatnonzero(over).tolist():
            self._draw(row)
        self._left = max(1, int((self._ends - self._at).min()))

    def _draw(self, row: int) -> None:
        self._at[row] = row * self._block
        block = self._numbers[row * self._block : (row + 1) * self._block]
        self._rngs[row].random(out=block)
        block *= 2.0
        block -= 1.0
