"""Interquartile mean and stratified bootstrap."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from skillgym.evaluation.statistics import iqm, stratified_bootstrap

# Made with rliable 1.2.0 (https://github.com/google-research/rliable, the code of Agarwal et al.
# 2021), arch 7.2.0 and NumPy 2.4.6:
#     statistics = lambda x: np.array([metrics.aggregate_iqm(x), metrics.aggregate_mean(x)])
#     np.random.seed(0)
#     library.get_interval_estimates({"a": scores}, statistics, reps=50_000)
RUNS = [
    [0.11, 0.52, 1.06, 2.26, 1.51],
    [0.95, 3.13, 0.88, 1.14, 0.67],
    [1.47, 1.96, 0.96, 2.90, 0.51],
    [4.08, 2.03, 4.35, 5.24, 2.17],
    [1.66, 0.50, 2.29, 0.56, 1.16],
    [5.07, 2.13, 4.66, 2.63, 1.73],
    [3.33, 0.95, 1.73, 1.92, 1.23],
    [0.50, 2.54, 0.87, 1.32, 1.17],
    [2.01, 1.88, 0.47, 2.40, 1.46],
    [3.07, 0.91, 0.12, 1.02, 1.57],
]
FEW_SEEDS = [[0.81, 0.71, 0.59, 0.11], [0.75, 0.76, 0.66, 0.19], [0.73, 0.60, 0.46, 0.10]]
ONE_TASK = [[0.69], [-0.76], [1.42], [0.73], [0.84], [1.16], [0.79]]
PUBLISHED = [
    (FEW_SEEDS, iqm, 0.625, 0.57, 0.681667),
    (FEW_SEEDS, np.mean, 0.539167, 0.505, 0.571667),
    (RUNS, iqm, 1.566923, 1.279615, 1.900385),
    (RUNS, np.mean, 1.8152, 1.4962, 2.153805),
    (ONE_TASK, iqm, 0.842, 0.148, 1.126),
    (ONE_TASK, np.mean, 0.695714, 0.162857, 1.091429),
]


@pytest.mark.parametrize(("scores", "statistic", "estimate", "low", "high"), PUBLISHED)
def test_it_agrees_with_rliable(
    scores: Any, statistic: Any, estimate: float, low: float, high: float
) -> None:
    ours = stratified_bootstrap(scores, np.random.default_rng(0), statistic, repetitions=50_000)
    assert ours.estimate == pytest.approx(estimate, abs=1e-6)
    # The resamples are others: ends agree up to the error of 50 000 of them.
    assert (ours.low, ours.high) == pytest.approx((low, high), abs=0.03 * (high - low))


def test_iqm_ignores_the_extreme_quarters() -> None:
    assert iqm([-1000.0, 1.0, 3.0, 1000.0]) == 2.0
    assert iqm(np.full((3, 5), 2.5)) == 2.5
    assert iqm([[0.0, 9.0], [1.0, 5.0]], axis=1).tolist() == [4.5, 3.0]


def test_interval_holds_the_estimate_and_depends_on_the_generator_alone() -> None:
    scores = np.random.default_rng(0).normal(size=(10, 4))
    first = stratified_bootstrap(scores, np.random.default_rng(1))
    again = stratified_bootstrap(scores, np.random.default_rng(1))
    assert first == again
    assert first.low < first.estimate < first.high
    assert first.estimate == iqm(scores)


def test_resampling_stays_within_each_task() -> None:
    # Runs of a task agree, so resampling runs within tasks changes nothing.
    scores = np.tile([0.0, 1.0, 5.0, 10.0], (6, 1))
    interval = stratified_bootstrap(scores, np.random.default_rng(0), np.mean)
    assert interval.low == interval.high == interval.estimate == 4.0


def test_coverage_of_the_mean() -> None:
    rng = np.random.default_rng(2)
    covered = 0
    for _ in range(200):
        sample = rng.normal(size=30)
        interval = stratified_bootstrap(sample, rng, np.mean, repetitions=300)
        covered += interval.low <= 0.0 <= interval.high
    assert covered / 200 == pytest.approx(0.95, abs=0.05)
