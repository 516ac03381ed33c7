"""One episode: the expert tries until it completes the plan."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from skillgym_envs.collect.errors import ExpertFailed
from skillgym_envs.collect.spec import DatasetSpec

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Episode:
    """A recorded episode. Letters: `T` control steps, `O` observation size, `A` action size.

    Attributes:
        observations: Shape (T+1, O).
        actions: As executed, shape (T, A).
        rewards: Shape (T,).
        terminated: Whether the last step terminated the episode; otherwise it truncated it.
        facts: JSON-able: index, env seed, plan, subtasks achieved by each attempt, seconds.
    """

    observations: FloatArray
    actions: FloatArray
    rewards: NDArray[np.float64]
    terminated: bool
    facts: dict[str, Any]


class Recorder:
    """Records episodes of a dataset, each of which only depends on its index."""

    def __init__(self, spec: DatasetSpec) -> None:
        self.spec = spec
        self.env = self._make({})

    def record(self, index: int) -> Episode:
        """Run the expert until an attempt completes the plan of episode `index`.

        Raises:
            ExpertFailed: If none does within the spec's number of attempts.
        """
        began = time.perf_counter()
        plan = self.spec.plans[index]
        outcomes: list[tuple[str, ...]] = []
        for attempt in range(self.spec.max_attempts):
            seed, rng = self.spec.attempt_seeds(index, attempt)
            observations, actions, rewards, terminated, done = self._attempt(plan, seed, rng)
            judge = self.spec.achieved
            outcomes.append(judge(observations) if judge else plan if done else ())
            success = outcomes[-1][: len(plan)] == plan
            if (success or self.spec.keep_failures) and len(actions) >= self.spec.min_steps:
                facts = {"index": index, "env_seed": seed, "plan": plan, "attempts": outcomes}
                facts["seconds"] = time.perf_counter() - began
                return Episode(observations, actions, rewards, terminated, facts)
        raise ExpertFailed(index, plan, len(outcomes), outcomes[-1])

    def _attempt(
        self, plan: tuple[str, ...], seed: int, rng: np.random.Generator
    ) -> tuple[FloatArray, FloatArray, NDArray[np.float64], bool, bool]:
        expert = self.spec.make_expert(plan, rng)
        own = {self.spec.seed_keyword: seed, self.spec.plan_keyword: plan}
        keywords = {name: value for name, value in own.items() if name is not None}
        if keywords:
            self.env.close()
            self.env = self._make(keywords)
        observation, _ = self.env.reset(seed=seed)
        data = self.env.get_wrapper_attr("data")
        expert.reset(data)
        observations = [observation.copy()]
        actions: list[FloatArray] = []
        rewards: list[float] = []
        terminated = truncated = False
        while not (terminated or truncated or (expert.done and actions)):
            action = np.asarray(expert.act(data), np.float32)  # recorded exactly as executed
            observation, reward, terminated, truncated, _ = self.env.step(action)
            observations.append(observation.copy())
            actions.append(action)
            rewards.append(float(reward))
        return (
            np.asarray(observations, np.float32),
            np.asarray(actions, np.float32),
            np.asarray(rewards),
            terminated,
            expert.done,
        )

    def _make(self, keywords: Mapping[str, Any]) -> gym.Env[Any, Any]:
        keywords = {**self.spec.env_kwargs, **keywords}
        return gym.make(self.spec.env_id, disable_env_checker=True, **keywords)
