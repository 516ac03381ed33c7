"""Statistics over a few seeds: interquartile mean and bootstrap confidence intervals.

Paper: Agarwal et al. 2021, "Deep Reinforcement Learning at the Edge of the Statistical Precipice";
arXiv:2108.13264.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import trim_mean


class Interval(NamedTuple):
    """A point estimate and the ends of its confidence interval."""

    estimate: float
    low: float
    high: float


def iqm(scores: ArrayLike) -> float:
    """Interquartile mean: the mean of the middle half of all scores.

    Args:
        scores: Scores of any shape.
    """
    return float(trim_mean(np.asarray(scores, float), 0.25, axis=None))


def stratified_bootstrap(
    scores: ArrayLike,
    rng: np.random.Generator,
    statistic: Callable[[NDArray[np.float64]], float] = iqm,
    repetitions: int = 2000,
    confidence: float = 0.95,
) -> Interval:
    """Percentile bootstrap that resamples the runs of each task separately.

    Args:
        scores: Scores (R,) of R runs, or (R, K) of R runs on each of K tasks.
        rng: Source of randomness.
        statistic: Maps scores to a number.
        repetitions: Number of resamples.
        confidence: Coverage of the interval.

    Returns:
        The statistic of the scores with its interval.
    """
    table = np.asarray(scores, float)
    table = table.reshape(len(table), -1)
    runs, tasks = table.shape
    draws = rng.integers(0, runs, (repetitions, runs, tasks))
    samples = table[draws, np.arange(tasks)]
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile([statistic(sample) for sample in samples], (tail, 1.0 - tail))
    return Interval(statistic(table), float(low), float(high))
