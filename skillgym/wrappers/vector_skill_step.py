"""The bookkeeping of one skill step of N environments."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skillgym.types import BoolArray
from skillgym.wrappers.vector_infos import merge_rows, object_rows


class VectorSkillStep:
    """Accumulates the results of one skill step of N environments."""

    def __init__(self, observation: NDArray[Any], weights: NDArray[np.float64]) -> None:
        n = len(observation)
        self.observation = observation
        self._first_observation = observation
        self.reward = np.zeros(n)
        self.terminated = np.zeros(n, bool)
        self.truncated = np.zeros(n, bool)
        self._weights = weights
        self._rewards: list[NDArray[Any]] = []
        self._steps = np.zeros(n, np.int64)
        self._subtasks: list[tuple[str, ...]] = [()] * n
        self._infos: dict[str, Any] = {}

    def add(
        self,
        t: int,
        running: BoolArray,
        observation: NDArray[Any],
        reward: NDArray[Any],
        infos: dict[str, Any],
    ) -> None:
        """Take the results of control step t for the environments whose skill is running."""
        rows = running.reshape(-1, *[1] * (observation.ndim - 1))
        self.observation = np.where(rows, observation, self.observation)
        if t == 0:
            self._first_observation = self.observation
        self._steps += running
        self._rewards.append(reward)
        self.reward += np.where(running, self._weights[t] * reward, 0.0)
        if (names := infos.get("subtasks_completed_step")) is not None:
            for row in np.flatnonzero(running & names.astype(bool)).tolist():
                self._subtasks[row] += names[row]

    def stop(
        self, stopped: BoolArray, terminated: BoolArray, truncated: BoolArray, infos: dict[str, Any]
    ) -> None:
        """Keep the flags and infos of the environments whose skill has just ended."""
        if not stopped.any():
            return
        self.terminated |= stopped & terminated
        self.truncated |= stopped & truncated
        self._infos = merge_rows(self._infos, infos, stopped)

    def infos(self) -> dict[str, Any]:
        """Infos of the last control step of each environment, and of the skill as a whole."""
        ran = self._steps > 0
        rewards = np.array(self._rewards).reshape(len(self._rewards), len(ran)).T.tolist()
        steps = self._steps.tolist()
        of_skills = [tuple(r[:k]) for r, k in zip(rewards, steps, strict=True)]
        infos = dict(self._infos)
        infos |= {"skill_steps": self._steps, "_skill_steps": ran}
        infos |= {"skill_rewards": object_rows(of_skills, ran), "_skill_rewards": ran.copy()}
        infos["skill_first_observation"] = self._first_observation
        infos["_skill_first_observation"] = ran.copy()
        if "subtasks_completed_step" in infos:
            infos["subtasks_completed_step"] = object_rows(self._subtasks, ran)
        return infos
