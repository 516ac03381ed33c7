"""The scripted Fetch controllers: their rules, their noise, and what they reach in the worlds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from skillgym.data import load_windows
from skillgym_envs.collect import collect, dataset_spec, registered_datasets
from skillgym_envs.core.env import WorldEnv
from skillgym_envs.core.errors import UnknownTask
from skillgym_envs.fetch import TASKS
from skillgym_envs.fetch.controllers import pick_and_place, push, sweep
from skillgym_envs.fetch.expert import FetchExpert, gradient_noise

GOAL = np.array([1.3, 0.6, 0.4247])
BLOCK = np.array([1.3, 0.8, 0.4247])


def vec(*numbers: float) -> np.ndarray:
    return np.array(numbers)


@pytest.mark.parametrize(
    ("gripper", "finger", "block", "action", "finished"),
    [
        (BLOCK, 0.0, GOAL + vec(0.03, 0, 0), (0, 0, 0.01, 1), True),
        (BLOCK + vec(0.2, 0, 0.1), 0.0, BLOCK, (-2, 0, -0.2, 0), False),  # go above
        (BLOCK + vec(0, 0, 0.08), 0.0, BLOCK, (0, 0, 0, 1), False),  # open
        (BLOCK + vec(0, 0, 0.08), 0.05, BLOCK, (0, 0, -1, 0), False),  # go down
        (BLOCK + vec(0, 0, -0.02), 0.05, BLOCK, (0, 0, 0, -1), False),  # close
        (BLOCK + vec(0, 0, -0.02), 0.0245, BLOCK, (0, -2, 1, -1), False),  # carry
        (GOAL + vec(0, 0, 0.06), 0.0245, GOAL + vec(0, 0, 0.08), (0, 0, 0, 1), False),  # drop
    ],
)
def test_rules_of_pick_and_place(gripper, finger, block, action, finished):
    given = pick_and_place(gripper, finger, block, GOAL)
    np.testing.assert_allclose(given[0], action, atol=1e-12)
    assert given[1] is finished


@pytest.mark.parametrize(
    ("gripper", "block", "action", "finished"),
    [
        (BLOCK, GOAL + vec(0.005, 0, 0), (0, 0, 0, 0), True),
        # The pose behind the block is at y = 0.875 and 5 mm above it.
        (BLOCK + vec(0, 0, 0.1), BLOCK, (0, 0.75, 0.05, 0), False),  # go above it
        (BLOCK + vec(0, 0.075, 0.1), BLOCK, (0, 0, -0.95, 0), False),  # go down to it
        (BLOCK + vec(0, 0.075, 0.005), BLOCK, (0, -1.375, 0, 0), False),  # push, gain 5
        # A little to either side, where the angles are on both sides of half a turn.
        (BLOCK + vec(0.01, 0.075, 0.005), BLOCK, (-0.05, -1.375, 0, 0), False),
        (BLOCK + vec(-0.01, 0.075, 0.005), BLOCK, (0.05, -1.375, 0, 0), False),
        # On the goal's side of the block: go around over the top.
        (BLOCK + vec(0, -0.06, 0.005), BLOCK, (0, 1.35, 1.0, 0), False),
    ],
)
def test_rules_of_push(gripper, block, action, finished):
    given = push(gripper, 0.0, block, GOAL)
    np.testing.assert_allclose(given[0], action, atol=1e-12)
    assert given[1] is finished


FAR, FAR_GOAL, HOOK = vec(1.8, 0.75, 0.425), vec(1.65, 0.75, 0.42), vec(1.1, 0.35, 0.415)


@pytest.mark.parametrize(
    ("gripper", "finger", "block", "hook", "action", "finished"),
    [
        (HOOK, 0.0, FAR_GOAL + vec(0.004, 0.005, 0), HOOK, (0, 0, 0, -1), True),
        (HOOK + vec(0.2, 0, 0.3), 0.0, FAR, HOOK, (-2, 0, -2.5, 0), False),  # go above
        (HOOK + vec(0, 0, 0.15), 0.0, FAR, HOOK, (0, 0, 0, 1), False),  # open
        (HOOK + vec(0, 0, 0.15), 0.05, FAR, HOOK, (0, 0, -2, 0), False),  # go down
        (HOOK + vec(0, 0, -0.05), 0.05, FAR, HOOK, (0, 0, 0, -1), False),  # close
        # Held: first to 0.5 m before the object and 5 cm to its right, 0.45 m high.
        (HOOK + vec(0, 0, -0.05), 0.015, FAR, HOOK, (2, 3.5, 0.85, -1), False),
        # Then towards the goal.
        (vec(1.3, 0.7, 0.4), 0.015, FAR, vec(1.3, 0.7, 0.45), (-0.4, 0, 0, -1), False),
    ],
)
def test_rules_of_the_hook(gripper, finger, block, hook, action, finished):
    given = sweep(gripper, finger, block, FAR_GOAL, hook)
    np.testing.assert_allclose(given[0], action, atol=1e-12)
    assert given[1] is finished


def test_noise_is_a_slow_drift_of_the_published_size():
    """0.5 * |noise| is 0.008, 0.019, 0.037 and 0.066 on average after 10, 25, 49 and 99 steps."""
    slopes = np.random.default_rng(0).uniform(-1, 1, (2, 20_000))
    for step, expected in ((10, 0.008), (25, 0.019), (49, 0.037), (99, 0.066)):
        noise = 0.5 * np.abs(gradient_noise(0.003 * step, slopes))
        assert noise.mean() == pytest.approx(expected, rel=0.08)
    assert noise.max() < 0.18
    np.testing.assert_array_equal(gradient_noise(0.0, slopes), 0.0)
    np.testing.assert_allclose(gradient_noise(1.0, slopes), 0.0, atol=1e-12)


AFTERWARDS = {"pick and place": vec(0, 0, 1, 1), "push": np.zeros(4)}


def run(task: str, controller: str, seed: int, noise: float = 0.0, clip: bool = True) -> tuple:
    """Rewards, actions and whether the controller has finished, of one whole episode."""
    env = WorldEnv(TASKS[task]())
    env.reset(seed=seed)
    expert = FetchExpert((controller,), np.random.default_rng(seed), noise, clip)
    expert.reset(env.data)
    rewards, actions = [], []
    for _ in range(env.world.max_episode_steps):
        action = AFTERWARDS[controller] if expert.done else expert.act(env.data)
        actions.append(action)
        rewards.append(env.step(action)[1])
    return np.array(rewards), np.array(actions), expert.done


@pytest.mark.parametrize(
    ("task", "controller", "mean", "sd"),
    [
        ("Place", "pick and place", 25.0, 6.0),
        ("SlipperyPush", "push", 14.5, 11.6),  # ours; the specification has 10.1
        ("CleanUp", "pick and place", 11.1, 7.6),
        ("PyramidStack", "pick and place", 31.5, 3.9),
        ("CleanUp", "push", 0.0, 0.0),
    ],
)
def test_a_few_returns_are_those_of_the_specification(task, controller, mean, sd):
    """Twelve episodes, within 20 % or 2.5 standard errors.

    `test_fetch_statistics.py` has a hundred.
    """
    returns = [run(task, controller, seed)[0].sum() for seed in range(100, 112)]
    assert np.mean(returns) == pytest.approx(mean, rel=0.2, abs=2.5 * sd / np.sqrt(12))


def test_zero_actions_earn_nothing():
    env = WorldEnv(TASKS["PyramidStack"]())
    for seed in range(20):
        env.reset(seed=seed)
        assert not any(env.step(np.zeros(4))[1] for _ in range(50))


def test_clipping_changes_what_is_recorded_and_not_what_happens():
    clipped, free = (run("Place", "push", 0, 0.5, clip) for clip in (True, False))
    assert np.abs(free[1]).max() > 1.5
    np.testing.assert_array_equal(free[1].clip(-1, 1), clipped[1])
    np.testing.assert_array_equal(free[0], clipped[0])


def test_unknown_controller():
    with pytest.raises(UnknownTask, match="push"):
        FetchExpert(("pusch",), np.random.default_rng(0))


def test_datasets_have_their_sizes_and_draw_the_controller():
    names = [name for name in registered_datasets() if name.startswith("fetch-")]
    assert len(names) == 12
    assert len(dataset_spec("fetch-block-40000").plans) == 40_000
    plans = dataset_spec("fetch-block").plans
    assert len(plans) == 4000
    assert np.mean([plan == ("push",) for plan in plans]) == pytest.approx(0.5, abs=0.03)
    ids = {dataset_spec(name).dataset_id for name in names}
    assert len(ids) == 12


@pytest.mark.parametrize(
    "name", ["fetch-block-mini", "fetch-block-mini-unclipped", "fetch-hook-mini"]
)
def test_a_dataset_can_be_collected_and_read(name: str, tmp_path: Path) -> None:
    spec = dataset_spec(name)
    spec = replace(spec, plans=spec.plans[:2])
    data = load_windows(collect(spec, tmp_path, workers=1))
    for index in range(2):
        observations, actions = data.episode(index)
        size, limit = (43, 100) if "hook" in name else (25, 50)
        assert observations.shape == (len(actions) + 1, size)
        assert 12 <= len(actions) <= limit
        assert (np.abs(actions).max() > 1.0) == name.endswith("unclipped")


def test_failures_are_kept_and_short_episodes_are_not(tmp_path: Path) -> None:
    spec = replace(dataset_spec("fetch-block-mini"), min_steps=40, plans=(("push",),) * 2)
    data = load_windows(collect(spec, tmp_path, workers=1))
    assert all(len(data.episode(index)[1]) >= 40 for index in range(2))
