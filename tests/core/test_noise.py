"""Blocks of random numbers: one stream per environment, whoever is frozen or reset meanwhile."""

from __future__ import annotations

import numpy as np
import pytest

from skillgym_envs.core.noise import NoiseBlocks


def stream(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("block", [2, 3, 7])
def test_each_environment_reads_its_own_stream(block):
    """Whatever the others do, environment i sees the numbers of its stream in order."""
    rng = np.random.default_rng(0)
    noise = NoiseBlocks(3, 2, block)
    got = [[row] for row in noise.start([0, 1, 2], [stream(i) for i in range(3)])]
    for _ in range(40):
        active = rng.random(3) < 0.6
        numbers = noise.next(None if active.all() else active)
        for i in np.flatnonzero(active):
            got[i].append(numbers[i])
    for i in range(3):
        expected = 2.0 * stream(i).random((len(got[i]), 2)) - 1.0
        np.testing.assert_array_equal(got[i], expected)


def test_a_reset_begins_a_new_block():
    noise = NoiseBlocks(2, 1, 5)
    rngs = [stream(0), stream(1)]
    noise.start([0, 1], rngs)
    noise.next(None)
    first = noise.start([1], rngs[1:])
    expected = 2.0 * stream(1).random((10, 1)) - 1.0
    np.testing.assert_array_equal(first[0], expected[5])  # the rest of the first block is dropped
    np.testing.assert_array_equal(noise.next(None)[1], expected[6])


def test_the_numbers_are_uniform():
    noise = NoiseBlocks(1, 1000, 11)
    noise.start([0], [stream(0)])
    numbers = np.array([noise.next(None) for _ in range(100)])
    assert -1.0 <= numbers.min() < -0.999
    assert 0.999 < numbers.max() < 1.0
    assert abs(numbers.mean()) < 0.01
