"""Roll-outs: the counting of episodes, returns and control steps."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Discrete
from stable_baselines3.common.vec_env import DummyVecEnv

from skillgym.evaluation.prior import prior_policy
from skillgym.evaluation.rollouts import rollout
from skillgym.nn.priors import UniformPrior
from skillgym.rl.presets import make_env


class Countdown(gym.Env[Any, Any]):
    """Episode k of environment i has `2 + i + k` steps of reward 1 and completes k subtasks."""

    observation_space = gym.spaces.Box(-1.0, 1.0, (1,))
    action_space = gym.spaces.Box(-1.0, 1.0, (1,))

    def __init__(self, index: int, skill_steps: int | None) -> None:
        self.index, self.skill_steps, self.episode = index, skill_steps, -1

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        self.episode += 1
        self.left = 2 + self.index + self.episode
        return np.zeros(1, np.float32), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.left -= 1
        info: dict[str, Any] = {"subtasks_completed": ("a", "b", "c")[: self.episode]}
        if self.skill_steps is not None:
            info["skill_steps"] = self.skill_steps
        return np.zeros(1, np.float32), 1.0, self.left == 0, False, info


def make(num_envs: int, skill_steps: int | None = None) -> DummyVecEnv:
    return DummyVecEnv([lambda i=i: Countdown(i, skill_steps) for i in range(num_envs)])


def test_each_environment_gives_its_first_episodes() -> None:
    episodes = rollout(lambda o: np.zeros((2, 1)), make(2), episodes=5, seed=0)
    # Three of the first environment, two of the second, although the first is faster.
    assert episodes.returns.tolist() == [2, 3, 4, 3, 4]
    assert episodes.lengths.tolist() == [2, 3, 4, 3, 4]
    assert episodes.num_subtasks.tolist() == [0, 1, 2, 0, 1]
    assert episodes.rates() == pytest.approx({"a": 3 / 5, "b": 1 / 5})


def test_a_fast_environment_gives_no_more_episodes_than_the_others() -> None:
    episodes = rollout(lambda o: np.zeros((6, 1)), make(6), episodes=6, seed=0)
    assert episodes.returns.tolist() == [2, 3, 4, 5, 6, 7]


def test_the_seed_reaches_the_environments() -> None:
    class Seeded(Countdown):
        def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
            self.episode = self.episode if seed is None else seed - 1
            return super().reset()

    env = DummyVecEnv([lambda: Seeded(0, None)] * 2)
    episodes = rollout(lambda o: np.zeros((2, 1)), env, episodes=4, seed=3)
    assert episodes.returns.tolist() == [2 + 3, 2 + 4, 2 + 4, 2 + 5]


def test_length_counts_the_control_steps_of_skills() -> None:
    episodes = rollout(lambda o: np.zeros((1, 1)), make(1, skill_steps=10), episodes=1, seed=0)
    assert episodes.lengths.tolist() == [20]


def test_metrics() -> None:
    env = make(2, skill_steps=10)  # returns 2, 3, 3 and 4
    metrics = rollout(lambda o: np.zeros((2, 1)), env, episodes=4, seed=0).metrics()
    assert (metrics["return"], metrics["episode_length"]) == (3.0, 30.0)
    assert metrics["subtasks"] == metrics["subtasks_std"] == metrics["rate/a"] == 0.5


def test_a_subtask_that_is_never_completed_has_a_rate_too() -> None:
    env = make(1)
    env.set_attr("world", SimpleNamespace(subtasks=("d", "b", "a")))
    episodes = rollout(lambda o: np.zeros((1, 1)), env, episodes=3, seed=0)
    assert list(episodes.rates().items()) == [("a", 2 / 3), ("b", 1 / 3), ("d", 0.0)]
    assert episodes.metrics()["rate/d"] == 0.0


def test_skills_that_count_from_another_number_than_zero() -> None:
    model: Any = SimpleNamespace(skill_space=Discrete(2, start=5), prior=UniformPrior(2))
    skills = prior_policy(model, seed=0)(np.zeros((50, 3)))
    assert set(skills.tolist()) == {5, 6}


def test_prior_acts_in_the_kitchen_and_repeats_itself(kitchen_skills: Any) -> None:
    env = make_env("spirl-cl", num_envs=2, skill_model=str(kitchen_skills), max_episode_steps=20)
    model = env.get_attr("skill_model")[0]
    observations = env.reset()
    first = prior_policy(model, seed=3)(observations)
    assert first.shape == (2, 10) and (np.abs(first) <= 2.0).all()
    np.testing.assert_array_equal(first, prior_policy(model, seed=3)(observations))
    double = observations.astype(np.float64)  # as most environments of other packages observe
    np.testing.assert_array_equal(first, prior_policy(model, seed=3)(double))
    likeliest = prior_policy(model, seed=3, deterministic=True)(observations)
    assert not np.allclose(first, likeliest)
    other = prior_policy(model, seed=4, deterministic=True)(observations)
    np.testing.assert_array_equal(likeliest, other)
    episodes = rollout(prior_policy(model, seed=3), env, episodes=4, seed=0)
    env.close()
    assert episodes.lengths.tolist() == [20] * 4
    assert set(episodes.rates()) == set(env.get_attr("world")[0].subtasks)
