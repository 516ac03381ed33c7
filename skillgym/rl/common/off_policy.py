"""The training loop of soft actor-critics with a prior."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.buffers import NStepReplayBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.noise import ActionNoise
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.type_aliases import MaybeCallback, ReplayBufferSamples
from torch import Tensor

from skillgym.rl.buffers import cut_episodes
from skillgym.rl.common.priors import PriorAlgorithm


class PriorOffPolicyAlgorithm(PriorAlgorithm, OffPolicyAlgorithm):
    """SB3's loop around an update of actor, critics and temperature.

    Attributes:
        prior_policy: Policy that starts as the prior. It collects the warm-up itself; for other
            policies, skills of the warm-up are uniform.
        target_divergence: Target of the mean divergence from the prior [nat].
        target_update_interval: Updates between updates of the target critics.
    """

    actor: Any
    critic: Any
    critic_target: Any
    target_divergence: float
    target_update_interval: int = 1

    @abstractmethod
    def _update(self, batch: ReplayBufferSamples) -> dict[str, Tensor]:
        """One update on a batch; returns what to log."""

    @abstractmethod
    def _optimizers(self) -> list[torch.optim.Optimizer]:
        """Optimizers that follow the schedule of the learning rate."""

    def _setup_model(self) -> None:
        super()._setup_model()
        # As SB3 does where it chooses the buffer itself.
        if isinstance(self.replay_buffer, NStepReplayBuffer):
            self.replay_buffer.gamma = self.replay_buffer_kwargs.get("gamma", self.gamma)

    def _setup_learn(
        self,
        total_timesteps: int,
        callback: MaybeCallback = None,
        reset_num_timesteps: bool = True,
        *arguments: Any,
        **keywords: Any,
    ) -> tuple[int, BaseCallback]:
        if self.replay_buffer is not None and (reset_num_timesteps or self._last_obs is None):
            cut_episodes(self.replay_buffer)  # SB3 resets the environments
        return super()._setup_learn(
            total_timesteps, callback, reset_num_timesteps, *arguments, **keywords
        )

    def _sample_action(
        self, learning_starts: int, action_noise: ActionNoise | None = None, n_envs: int = 1
    ) -> tuple[np.ndarray, np.ndarray]:
        if isinstance(self.policy, self.prior_policy):
            learning_starts = 0
        return super()._sample_action(learning_starts, action_noise, n_envs)

    def train(self, gradient_steps: int, batch_size: int = 64) -> None:
        """Update actor, critics and temperature."""
        self.policy.set_training_mode(True)
        self._update_learning_rate(self._optimizers())
        updates = []
        for step in range(gradient_steps):
            batch = self.replay_buffer.sample(batch_size, env=self._vec_normalize_env)  # type: ignore[union-attr]
            updates.append(self._update(batch))
            if step % self.target_update_interval == 0:
                self._update_target_critics()
        self._n_updates += gradient_steps
        self._record(updates)

    @torch.no_grad()
    def _update_target_critics(self) -> None:
        target: list[Tensor] = list(self.critic_target.parameters())
        online: list[Tensor] = list(self.critic.parameters())
        torch._foreach_lerp_(target, online, self.tau)
        # Running statistics of a BatchNorm in a features extractor, as in SB3's SAC.
        for old, new in zip(self.critic_target.buffers(), self.critic.buffers(), strict=True):
            old.copy_(new)

    def _record(self, updates: list[dict[str, Tensor]]) -> None:
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
        self.logger.record("train/target_divergence", self.target_divergence)
        for name in {name: None for update in updates for name in update}:
            values = [update[name].item() for update in updates if name in update]
            self.logger.record(f"train/{name}", np.mean(values))
