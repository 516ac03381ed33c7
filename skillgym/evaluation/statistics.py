"""Statistics over a few seeds: interquartile mean and bootstrap confidence intervals.

Paper: Agarwal et al. 2021, "Deep Reinforcement Learning at the Edge of the Statistical Precipice",
Sec. 4; arXiv:2108.13264.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import trim_mean


class Interval(NamedTuple):
    """A point estimate and the ends of its confidence interval."""

    estimate: float
    low: float
    high: float


class Statistic(Protocol):
    """Maps scores to a number along an axis, as `iqm` and `np.mean` do."""

    def __call__(self, scores: NDArray[np.float64], /, *, axis: int) -> Any:
        """The statistic of the scores along an axis."""


def iqm(scores: ArrayLike, axis: int | None = None) -> Any:
    """Interquartile mean: the mean of the middle half; with fewer than four scores, of all.

    Args:
        scores: Scores of any shape.
        axis: Axis to reduce; all if None.
    """
    return trim_mean(np.asarray(scores, float), 0.25, axis=axis)


def stratified_bootstrap(
    scores: ArrayLike,
    rng: np.random.Generator,
    statistic: Statistic = iqm,
    repetitions: int = 10_000,
    confidence: float = 0.95,
) -> Interval:
    """Percentile bootstrap that resamples the runs of each task separately.

    Args:
        scores: Scores (R,) of R runs, or (R, K) of R runs on each of K tasks.
        rng: Source of randomness.
        statistic: Statistic that is estimated, over all runs and tasks at once.
        repetitions: Number of resamples.
        confidence: Coverage of the interval.

    Returns:
        The statistic of the scores with its interval.
    """
    table = np.asarray(scores, float)
    table = table.reshape(len(table), -1)
    runs, tasks = table.shape
    draws = rng.integers(0, runs, (repetitions, runs, tasks))
    samples = table[draws, np.arange(tasks)].reshape(repetitions, -1)
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(statistic(samples, axis=1), (tail, 1.0 - tail))
    return Interval(float(statistic(table.ravel(), axis=0)), float(low), float(high))
