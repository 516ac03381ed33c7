"""Generative adversarial imitation learning with a soft actor-critic."""

from __future__ import annotations

from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3 import SAC
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import GymEnv, ReplayBufferSamples
from torch import Tensor

from skillgym.checks import check_arrays
from skillgym.errors import InvalidConfig, UnsupportedSpace
from skillgym.rl.buffers import RelabellingReplayBuffer
from skillgym.rl.common.discriminators import DiscriminatorTraining, StateSource
from skillgym.rl.common.priors import kept_if_refused, refuse_normalized
from skillgym.rl.skild.losses import (
    check_ends,
    check_reward,
    mixed_reward,
    with_absorbing_ends,
)
from skillgym.skills.skild.discriminator import Discriminator
from skillgym.skills.skild.losses import MAX_LOG_ODDS


class GAIL(SAC):
    """SB3's SAC with the reward log D(s) - log(1 - D(s)) of a discriminator that learns with it.

    D tells states of demonstrations from those of the agent. With `env_reward_weight` above 0 this
    is SkiLD's baseline GAIL + RL.

    Paper: Ho and Ermon 2016, "Generative Adversarial Imitation Learning", Alg. 1; arXiv:1606.03476.
    The discriminator, its training and the reward are those of SkiLD's code (arXiv:2107.10253).

    Deviation: SAC, one of the variants in SkiLD's code, instead of PPO, so that all baselines
    have the same kind of replay and budget. As there, D sees states without actions.

    Args:
        policy: One of SB3's SAC policies.
        env: Any environment with one-dimensional observations.
        demonstrations: States (N, O), or the id or path of a dataset.
        env_reward_weight: Weight of the environment's reward.
        discriminator_reward_weight: Weight of the discriminator's reward.
        max_log_odds: Bound of the discriminator's reward [nat], as for `SkiLD`.
        absorbing_ends: Whether terminal states are absorbing for the discriminator's reward, which
            then continues for ever, as for `SkiLD`.
        discriminator_updates: Updates of the discriminator for each update of the agent; a number
            below 1 is a probability. Deviation: one; the authors do five for each update of PPO,
            which are rarer.
        gradient_penalty: Weight of the gradient penalty of the discriminator.
        kwargs: Any other keyword of SB3's SAC.

    Raises:
        InvalidConfig: If there are no demonstrations, rewards cannot be recomputed, or a value is
            invalid.
        ShapeMismatch: If the demonstrations are from another world.
        NormalizedObservations: If observations are normalised; those of demonstrations are not.
        UnsupportedSpace: If observations are not one-dimensional.
    """

    replay_buffer: RelabellingReplayBuffer

    def __init__(
        self,
        policy: str | type[BasePolicy],
        env: GymEnv | str | None,
        *,
        demonstrations: StateSource | None = None,
        env_reward_weight: float = 0.0,
        discriminator_reward_weight: float = 1.0,
        max_log_odds: float | None = MAX_LOG_ODDS,
        absorbing_ends: bool = False,
        discriminator_updates: float = 1.0,
        gradient_penalty: float = 0.0,
        **kwargs: Any,
    ) -> None:
        weights = env_reward_weight, discriminator_reward_weight
        check_reward(*weights, max_log_odds, absorbing_ends)
        buffer = kwargs.get("replay_buffer_class") or RelabellingReplayBuffer
        if not issubclass(buffer, RelabellingReplayBuffer):
            expected = "a RelabellingReplayBuffer, whose rewards are the discriminator's"
            raise InvalidConfig("replay_buffer_class", buffer.__name__, expected)
        self.demonstrations = demonstrations
        self.env_reward_weight = env_reward_weight
        self.discriminator_reward_weight = discriminator_reward_weight
        self.max_log_odds = max_log_odds
        self.absorbing_ends = absorbing_ends
        self.discriminator_updates = discriminator_updates
        self.gradient_penalty = gradient_penalty
        keywords = {"gradient_steps": -1, **kwargs, "replay_buffer_class": buffer}
        super().__init__(policy, env, **keywords)  # type: ignore[arg-type]
        # Not for a saved agent, which may be loaded only to act.
        if self.env is not None and hasattr(self, "tuning"):
            self.tuning.read(spaces.flatdim(self.observation_space))

    def _setup_model(self) -> None:
        refuse_normalized(self)
        shape = check_arrays(self.observation_space)
        if len(shape) != 1:
            raise UnsupportedSpace("observation", self.observation_space)
        super()._setup_model()
        check_ends(self.absorbing_ends, self.gamma)
        self.discriminator = Discriminator(shape[0]).to(self.device)
        self.tuning = DiscriminatorTraining(
            self.discriminator,
            self.demonstrations,
            self.discriminator_updates,
            self.lr_schedule(1),
            self.gradient_penalty,
        )

    def set_env(self, env: GymEnv, force_reset: bool = True) -> None:
        """Change the environments (see SB3's `BaseAlgorithm.set_env`).

        Raises:
            NormalizedObservations: If observations are normalised.
        """
        with kept_if_refused(self):
            super().set_env(env, force_reset)
            refuse_normalized(self)

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "discriminator", "tuning"]

    def _get_torch_save_params(self) -> tuple[list[str], list[str]]:
        modules, tensors = super()._get_torch_save_params()
        return [*modules, "discriminator", "tuning.optimizer"], tensors

    def train(self, gradient_steps: int, batch_size: int = 64) -> None:
        """Update the discriminator, then the agent with the recomputed rewards."""
        metrics: dict[str, Tensor] = {}
        self._update_learning_rate(self.tuning.optimizer)
        buffer = self.replay_buffer
        buffer.relabel = None
        for _ in range(sum(self.tuning.draw_number() for _ in range(gradient_steps))):
            states = buffer.sample(batch_size, env=self._vec_normalize_env).observations
            metrics = self.tuning.update(states.float())
        buffer.relabel = self._relabel
        super().train(gradient_steps, batch_size)
        for name, value in metrics.items():
            self.logger.record(f"train/{name}", value.item())

    @torch.no_grad()
    def _relabel(self, batch: ReplayBufferSamples) -> Tensor:
        rewards = self._mixed(batch.rewards, batch.observations)
        if not self.absorbing_ends:
            return rewards
        for_ever = self._mixed(torch.zeros_like(rewards), batch.next_observations)
        return with_absorbing_ends(rewards, batch.dones, for_ever, self.gamma, self.gamma)

    def _mixed(self, rewards: Tensor, observations: Tensor) -> Tensor:
        logits = self.discriminator(observations.float())
        weights = self.env_reward_weight, self.discriminator_reward_weight
        return mixed_reward(rewards, logits, *weights, self.max_log_odds)
