"""Replay of skills as a semi-Markov decision process."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.type_aliases import ReplayBufferSamples
from stable_baselines3.common.vec_env import VecNormalize


class SkillReplayBuffer(ReplayBuffer):
    """Discounts the value after a skill by gamma^k, where k control steps were run.

    It fills the `discounts` of SB3's samples, so every off-policy algorithm of SB3 uses it. The
    rewards of the environment should be discounted inside the skill, too: `SkillActions(...,
    reward="discounted", gamma=gamma)`.

    Paper: Sutton, Precup and Singh 1999, "Between MDPs and semi-MDPs", Sec. 3.

    Args:
        buffer_size: Number of transitions.
        observation_space: Observations.
        action_space: Skills.
        gamma: Discount per control step, the same as that of the environment's rewards.
        kwargs: Other keywords of SB3's `ReplayBuffer`.

    Example:
        >>> SAC("MlpPolicy", env, replay_buffer_class=SkillReplayBuffer,
        ...     replay_buffer_kwargs={"gamma": 0.99})  # doctest: +SKIP
    """

    def __init__(
        self,
        buffer_size: int,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        *args: Any,
        gamma: float = 0.99,
        **kwargs: Any,
    ) -> None:
        super().__init__(buffer_size, observation_space, action_space, *args, **kwargs)
        self.gamma = gamma
        self.discounts = np.zeros((self.buffer_size, self.n_envs), dtype=np.float32)

    def add(
        self,
        obs: np.ndarray,
        next_obs: np.ndarray,
        action: np.ndarray,
        reward: np.ndarray,
        done: np.ndarray,
        infos: list[dict[str, Any]],
    ) -> None:
        """Store one transition per environment; without `skill_steps` it counts as one step."""
        steps = [info.get("skill_steps", 1) for info in infos]
        self.discounts[self.pos] = self.gamma ** np.array(steps, dtype=np.float64)
        super().add(obs, next_obs, action, reward, done, infos)

    def _get_samples(
        self, batch_inds: np.ndarray, env: VecNormalize | None = None
    ) -> ReplayBufferSamples:
        columns = np.random.randint(0, self.n_envs, size=len(batch_inds))  # noqa: NPY002  (SB3's stream)
        at = batch_inds, columns
        if self.optimize_memory_usage:
            next_obs = self.observations[(batch_inds + 1) % self.buffer_size, columns]
        else:
            next_obs = self.next_observations[at]
        # Time limits are no terminal states.
        dones = self.dones[at] * (1.0 - self.timeouts[at])
        data = (
            self._normalize_obs(self.observations[at], env),
            self.actions[at],
            self._normalize_obs(next_obs, env),
            dones[:, None],
            self._normalize_reward(self.rewards[at][:, None], env),
            self.discounts[at][:, None],
        )
        return ReplayBufferSamples(*(self.to_torch(array) for array in data))  # type: ignore[arg-type]
