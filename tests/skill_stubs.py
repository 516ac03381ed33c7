"""Environments and skill models whose behaviour can be computed by hand."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium.spaces import Box, Discrete
from numpy.typing import NDArray

from skillgym.nn.priors import CategoricalMLP, GaussianMLP


class CountingEnv(gym.Env[NDArray[np.float32], NDArray[np.float32]]):
    """Observation (t, last action, random number), reward t. Terminates after `end` steps."""

    metadata = {"render_modes": ["rgb_array"]}  # noqa: RUF012
    observation_space = Box(-np.inf, np.inf, (3,), np.float32)
    action_space = Box(-1.0, 1.0, (1,), np.float32)

    def __init__(self, end: int = 10_000, render_mode: str | None = None) -> None:
        self.end = end
        self.render_mode = render_mode
        self.t = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        super().reset(seed=seed)
        self.t = 0
        return self._observe(0.0), {"fresh": True}

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        reward = float(self.t)
        self.t += 1
        info = {
            "t": self.t,
            "subtasks_completed_step": (f"step {self.t}",) if self.t % 7 == 0 else (),
        }
        return self._observe(float(action[0])), reward, self.t >= self.end, False, info

    def render(self) -> NDArray[np.uint8]:  # type: ignore[override]
        return np.full((2, 2, 3), self.t, np.uint8)

    def _observe(self, action: float) -> NDArray[np.float32]:
        return np.array([self.t, action, self.np_random.random()], np.float32)


class StubSkills:
    """Skills that play their first number plus a hundredth of the time since they began.

    Args:
        max_steps: H.
        observation_size: O.
        action_size: A.
        early_end: Skills whose second number is positive end after this many steps.
    """

    skill_space = Box(-2.0, 2.0, (2,), np.float32)

    def __init__(
        self,
        max_steps: int = 10,
        observation_size: int = 3,
        action_size: int = 1,
        early_end: int | None = None,
    ) -> None:
        self.max_steps = max_steps
        self.early_end = early_end
        self.action_size = action_size
        torch.manual_seed(0)
        self.prior = GaussianMLP(observation_size, 2, 16, 2).eval()

    def begin(self, obs: NDArray[Any], skill: NDArray[Any]) -> dict[str, NDArray[Any]]:
        return {"skill": skill, "start": obs[:, :1]}

    def act(self, obs: NDArray[Any], state: dict[str, NDArray[Any]], t: int) -> NDArray[Any]:
        wave = state["skill"][:, :1] * 0.1 + 0.01 * t + 0.001 * (obs[:, :1] - state["start"])
        return np.repeat(wave.clip(-1.0, 1.0), self.action_size, axis=1).astype(np.float32)

    def finished(self, obs: NDArray[Any], state: dict[str, NDArray[Any]], t: int) -> NDArray[Any]:
        over = np.full(len(obs), t + 1 == self.max_steps)
        if self.early_end is not None:
            over |= (state["skill"][:, 1] > 0.0) & (t + 1 >= self.early_end)
        return over


class StubCodes(StubSkills):
    """Discrete skills: code c plays c / 10, and the time since it began.

    Args:
        num_codes: K.
        max_steps: H.
    """

    def __init__(self, num_codes: int = 4, max_steps: int = 5) -> None:
        super().__init__(max_steps)
        self.skill_space = Discrete(num_codes)  # type: ignore[assignment]
        prior = CategoricalMLP(3, num_codes, 16, 2).eval()
        prior.net.head.bias.data.copy_(torch.linspace(1, 0, num_codes))  # prefers code 0
        self.prior = prior  # type: ignore[assignment]

    def begin(self, obs: NDArray[Any], skill: NDArray[Any]) -> dict[str, NDArray[Any]]:
        return super().begin(obs, skill[:, None].astype(np.float32))


class GivenActions(StubSkills):
    """Gives the same actions always."""

    given: Any

    def act(self, obs: Any, state: Any, t: int) -> Any:
        return self.given


class GivenEnds(StubSkills):
    """Says the same always of which skills are over."""

    given: Any

    def finished(self, obs: Any, state: Any, t: int) -> Any:
        return self.given
