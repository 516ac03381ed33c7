"""PriorSAC solves a task that its prior solves rarely."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box
from gymnasium.wrappers import TimeLimit
from numpy.typing import NDArray

from skillgym.rl import PriorSAC
from skillgym.wrappers import SkillActions
from tests.skill_stubs import StubSkills


class Field(gym.Env[NDArray[np.float32], NDArray[np.float32]]):
    """A point in the plane that is to reach a circle around (1, 1); reward 1 and end on arrival."""

    observation_space = Box(-np.inf, np.inf, (2,), np.float32)
    action_space = Box(-1.0, 1.0, (2,), np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        super().reset(seed=seed)
        self.position = self.np_random.uniform(-0.1, 0.1, 2).astype(np.float32)
        return self.position.copy(), {}

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        self.position += 0.1 * action
        arrived = bool(np.linalg.norm(self.position - 1.0) < 0.3)
        return self.position.copy(), float(arrived), arrived, False, {}


class Directions(StubSkills):
    """Skills that move along a direction."""

    def __init__(self) -> None:
        super().__init__(max_steps=5, observation_size=2, action_size=2)

    def act(self, obs: NDArray[Any], state: dict[str, NDArray[Any]], t: int) -> NDArray[Any]:
        return state["skill"].clip(-1.0, 1.0).astype(np.float32)


def success(agent: PriorSAC, env: gym.Env[Any, Any], episodes: int = 60) -> float:
    arrived = 0
    for k in range(episodes):
        observation, _ = env.reset(seed=1000 + k)
        over = False
        while not over:
            observation, _, terminated, truncated, _ = env.step(agent.predict(observation)[0])
            over = terminated or truncated
        arrived += terminated
    return arrived / episodes


@pytest.mark.parametrize("kl", ["sampled", "analytic"])
def test_it_solves_what_its_prior_seldom_solves(kl: Any) -> None:
    env = SkillActions(TimeLimit(Field(), 40), Directions())
    agent = PriorSAC(
        "SkillPriorPolicy",
        env,
        kl=kl,
        target_divergence=2.0,
        alpha="auto_0.1",
        learning_starts=200,
        learning_rate=1e-3,
        batch_size=64,
        policy_kwargs={"critic_arch": (64, 64)},
        buffer_size=5000,
        seed=0,
        device="cpu",
    )
    assert success(agent, env) < 0.4
    agent.learn(1000)
    assert success(agent, env) > 0.9
    assert 0.5 < agent.logger.name_to_value["train/prior_divergence"] < 4.0
