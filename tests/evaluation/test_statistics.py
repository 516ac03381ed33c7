"""Interquartile mean and stratified bootstrap."""

from __future__ import annotations

import numpy as np
import pytest

from skillgym.evaluation.statistics import iqm, stratified_bootstrap


def test_iqm_ignores_the_extreme_quarters() -> None:
    assert iqm([-1000.0, 1.0, 3.0, 1000.0]) == 2.0
    assert iqm(np.full((3, 5), 2.5)) == 2.5


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
