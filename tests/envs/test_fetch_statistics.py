"""What the scripted Fetch controllers reach in about 100 episodes, beside the specification.

The specification's numbers are those of 75 to 150 episodes in an independent re-creation of the
scenes on MuJoCo 3.3.7. It asks for returns within 20 %. Shares agree within 2.5 standard errors of
their difference. Where our worlds measure something else, the test has our number, and names the
specification's. The seeds are not those of `benchmarks.fetch_experts`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from benchmarks.fetch_experts import AFTERWARDS, RoughPushWorld
from skillgym_envs.core.vector_env import WorldVectorEnv
from skillgym_envs.fetch import TASKS
from skillgym_envs.fetch.expert import FetchExpert

pytestmark = pytest.mark.slow

EPISODES, FIRST_SEED = 100, 1000


class Batch(NamedTuple):
    """Episodes of one controller, `T` control steps and `N` episodes.

    Attributes:
        rewards: Rewards above that of failure, (T, N).
        moves: x, y and z of the actions (K, 3) up to the one with which a controller finished.
        lengths: Their number in each episode, (N,).
        finished: Whether the controller has finished, (N,).
    """

    rewards: np.ndarray
    moves: np.ndarray
    lengths: np.ndarray
    finished: np.ndarray


@lru_cache
def batch(task: str, controller: str, noise: float = 0.0, count: int = EPISODES) -> Batch:
    """Whole episodes, in one batch; after a controller has finished as in the benchmark."""
    keywords = {"literal_force": True} if task == "PyramidStack" else {}
    world = RoughPushWorld() if task == "RoughPush" else TASKS[task](**keywords)
    env = WorldVectorEnv(world, count, autoreset_mode=AutoresetMode.DISABLED)
    env.reset(seed=FIRST_SEED)
    rngs = (np.random.default_rng([FIRST_SEED + index, 1]) for index in range(count))
    pairs = [
        (FetchExpert((controller,), rng, noise, clip=False), data)
        for rng, data in zip(rngs, env._simulator.data, strict=True)
    ]
    for expert, data in pairs:
        expert.reset(data)
    rewards, moves, lengths = [], [], np.zeros(count, int)
    for _ in range(world.max_episode_steps):
        acting = np.array([not expert.done for expert, _ in pairs])
        actions = np.tile(AFTERWARDS.get(controller, np.zeros(4)), (count, 1))
        for index in np.flatnonzero(acting):
            expert, data = pairs[index]
            actions[index] = expert.act(data)
        moves.append(actions[acting, :3])
        lengths += acting
        rewards.append(env.step(actions)[1] - world.failure)
    env.close()
    finished = np.array([expert.done for expert, _ in pairs])
    return Batch(np.array(rewards), np.concatenate(moves), lengths, finished)


def check_share(share: float, expected: float, count: int, other: int) -> None:
    """Shares of `count` and of `other` episodes differ by no more than chance."""
    likely = np.clip(expected, 0.01, 0.99)
    error = np.sqrt(likely * (1.0 - likely) * (1.0 / count + 1.0 / other))
    assert share == pytest.approx(expected, abs=2.5 * error)


@pytest.mark.parametrize(
    ("task", "controller", "mean", "last", "ever"),
    [
        ("Place", "pick and place", 25.0, 0.95, 1.00),
        ("RoughPush", "push", 26.6, 0.99, 1.00),
        ("CleanUp", "pick and place", 11.1, 0.69, 0.70),
        ("CleanUp", "push", 0.0, 0.0, 0.0),
        ("PyramidStack", "pick and place", 31.5, 0.89, 1.00),
    ],
)
def test_returns_and_successes(task, controller, mean, last, ever):
    """Returns within 20 %; shares of episodes with a reward at the last step, and at any step."""
    rewards = batch(task, controller).rewards
    # A push of a hundred may end in the tray.
    assert rewards.sum(axis=0).mean() == pytest.approx(mean, rel=0.2, abs=0.2)
    check_share((rewards[-1] > 0).mean(), last, EPISODES, 100)
    check_share((rewards > 0).any(axis=0).mean(), ever, EPISODES, 100)


def test_slippery_pushes_earn_more_than_in_the_specification():
    """14.5 instead of 10.1, with a reward at the last step in 77 % instead of 48 %.

    Not within the specification's 20 %: its controller acts again when the block slides on after
    the controller has finished, and its fingers yield within a control step (`docs/worlds/fetch.md`
    has the numbers of both). The share with a reward at any step, 97 %, is the specification's.
    """
    rewards = batch("SlipperyPush", "push").rewards
    assert rewards.sum(axis=0).mean() == pytest.approx(14.5, abs=2.5 * 11.6 / np.sqrt(EPISODES))
    check_share((rewards[-1] > 0).mean(), 0.77, EPISODES, 100)
    check_share((rewards > 0).any(axis=0).mean(), 0.97, EPISODES, 100)


def test_steps_of_a_stack_with_full_reward_by_the_literal_rule():
    """72 % of the rewarded steps pay 1.0, in the specification 89 %.

    The readings of its force sensor, 1e-8 to 1e-5, are those of a block at rest on both sides of
    the threshold, and depend on the solver: with MuJoCo 3.3.7, our scene has 89 %, too.
    """
    rewards = batch("PyramidStack", "pick and place").rewards
    assert set(np.unique(rewards)) == {0.0, 0.75, 1.0}
    assert (rewards[rewards > 0] == 1.0).mean() == pytest.approx(0.72, abs=0.06)


@pytest.mark.parametrize(
    ("task", "controller", "count", "finished", "length", "outside", "largest"),
    [
        ("Place", "pick and place", 150, 1.0, 29.5, (0.10, 0.15, 0.03), 5.3),
        ("Place", "push", 150, 0.64, 38.5, (0.09, 0.12, 0.01), 3.1),
        ("Hook", "hook", 75, 0.88, 58.0, (0.18, 0.34, 0.01), 4.5),
    ],
)
def test_recorded_episodes(task, controller, count, finished, length, outside, largest):
    """With noise: lengths, shares of x, y and z outside of the action space, largest number.

    The specification has as many episodes and no tolerances: 10 % of the length, 3 points of the
    shares, 20 % of the largest number.
    """
    episodes = batch(task, controller, 0.5, count)
    check_share(episodes.finished.mean(), finished, count, count)
    assert episodes.lengths.mean() == pytest.approx(length, rel=0.1)
    assert episodes.lengths.min() > 11  # none is too short for a dataset
    sizes = np.abs(episodes.moves)
    np.testing.assert_allclose((sizes > 1.0).mean(axis=0), outside, atol=0.03)
    assert sizes.max() == pytest.approx(largest, rel=0.2)


@pytest.mark.parametrize(
    ("task", "controller", "count", "finished"),
    [("Place", "push", 150, 0.84), ("Hook", "hook", 75, 1.0)],
)
def test_controllers_finish_more_often_without_noise(task, controller, count, finished):
    check_share(batch(task, controller, 0.0, count).finished.mean(), finished, count, count)
