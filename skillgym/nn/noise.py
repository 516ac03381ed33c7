"""Gaussian noise that is a pure function of an array: the same rows give the same numbers.

A stochastic controller that draws from it needs no generator. A repeated episode has the same
actions, and one environment of many acts as it would alone.

Shapes: `B` batch, `N` numbers of a row.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def hashed_normal(rows: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Standard-normal numbers (B, size) that only depend on the bits of each row (B, N).

    A multiply-add hash of the row's 32-bit words is the seed of a splitmix64 stream, whose numbers
    the Box-Muller transform turns into normal ones.

    Paper: Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators".
    """
    words = np.ascontiguousarray(rows, np.float32).view(np.uint32).astype(np.uint64)
    keys = _splitmix(_counters(words.shape[1]))
    start = _splitmix((words * keys).sum(axis=1, dtype=np.uint64))
    pairs = (size + 1) // 2
    bits = _splitmix(start[:, None] + _counters(2 * pairs))
    uniform = ((bits >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53  # inside (0, 1)
    radius = np.sqrt(-2.0 * np.log(uniform[:, :pairs]))
    angle = 2.0 * np.pi * uniform[:, pairs:]
    normal = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return normal[:, :size].astype(np.float32)


def _counters(count: int) -> NDArray[np.uint64]:
    return np.arange(1, count + 1, dtype=np.uint64) * _GOLDEN


def _splitmix(x: NDArray[np.uint64]) -> NDArray[Any]:
    """The finaliser of splitmix64: a bijection that spreads every bit over all bits."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
