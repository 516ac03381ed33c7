"""PPO as implemented by ReSkill's authors."""

from __future__ import annotations

import math
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3 import PPO
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import GymEnv, RolloutBufferSamples, Schedule
from stable_baselines3.common.utils import explained_variance
from torch import Tensor

from skillgym.checks import check_arrays
from skillgym.errors import InvalidConfig
from skillgym.rl.reskill.buffers import RewardToGoBuffer
from skillgym.rl.reskill.policies import ReskillActorCritic
from skillgym_envs.core.checks import check_count, check_integer


class ActorStep(NamedTuple):
    """Loss and metrics of a step of the actor.

    Attributes:
        loss: Clipped surrogate loss with the entropy bonus.
        surrogate: That loss without the bonus.
        divergence: Mean of old minus new log-probabilities.
        clip_fraction: Share of the ratios outside the clip range.
    """

    loss: Tensor
    surrogate: float
    divergence: float
    clip_fraction: float


class ReskillPPO(PPO):
    """SB3's PPO with the numbers of ReSkill: one of its two levels, or a separate agent.

    Differences from SB3's PPO: the critic has its own learning rate, its target is the
    reward-to-go, the standard deviation stays between 0.2 and 1, an update takes 180 steps on the
    whole roll-out, the actor stops when it has moved too far (the critic continues), and gradients
    are not clipped. With skills as actions (`SkillActions`) it is ReSkill without the residual.

    Paper: Rana et al. 2022, "Residual Skill Policies", Sec. 4.2; arXiv:2211.02231. Numbers are
    those of the authors' code, which is based on Spinning Up.

    Args:
        policy: `"MlpPolicy"` (`ReskillActorCritic`), or an actor-critic policy of SB3.
        env: Environment.
        learning_rate: Learning rate of the actor; that of the critic is `critic_rate` (a keyword of
            the policy, 10) times as high.
        rollout_steps: Actions per roll-out, of all environments together.
        batch_size: Actions per step; the whole roll-out if None.
        n_epochs: Passes over a roll-out.
        gamma: Discount per action.
        gae_lambda: Lambda of the generalised advantages.
        clip_range: Clip range of the ratio.
        target_kl: The actor stops when the mean log-ratio of old to new probabilities exceeds 1.5
            times this; never if None.
        vf_coef: Weight of the critic's loss.
        max_grad_norm: Bound of the gradient's norm.
        rollout_buffer_class: Class of the buffer.
        kwargs: Any other keyword of SB3's PPO, except `n_steps`.

    Attributes:
        actor_learns: Whether updates change the actor, too.

    Raises:
        InvalidConfig: If a roll-out has less than one step per environment, or a value is invalid.
        UnsupportedSpace: If observations are dictionaries.
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {
        **PPO.policy_aliases,
        "MlpPolicy": ReskillActorCritic,
    }
    batch_size: int | None  # type: ignore[assignment]

    def __init__(
        self,
        policy: str | type[BasePolicy],
        env: GymEnv | str | None,
        learning_rate: float | Schedule = 1e-4,
        rollout_steps: int = 3_000,
        batch_size: int | None = None,
        n_epochs: int = 180,
        gamma: float = 0.99,
        gae_lambda: float = 0.97,
        clip_range: float | Schedule = 0.3,
        target_kl: float | None = 0.3,
        vf_coef: float = 1.0,
        max_grad_norm: float = math.inf,
        rollout_buffer_class: type[RolloutBuffer] = RewardToGoBuffer,
        **kwargs: Any,
    ) -> None:
        if "n_steps" in kwargs:
            expected = "rollout_steps, which counts those of all environments"
            raise InvalidConfig("n_steps", kwargs["n_steps"], expected)
        check_integer("rollout_steps", rollout_steps, 2)  # advantages are normalised
        check_count("n_epochs", n_epochs)
        self.rollout_steps = rollout_steps
        self.actor_learns = True
        super().__init__(
            policy,  # type: ignore[arg-type]
            env,  # type: ignore[arg-type]
            learning_rate=learning_rate,
            n_steps=rollout_steps,
            batch_size=batch_size or rollout_steps,
            n_epochs=n_epochs,
            gamma=gamma,
            gae_lambda=gae_lambda,
            clip_range=clip_range,
            target_kl=target_kl,
            vf_coef=vf_coef,
            max_grad_norm=max_grad_norm,
            rollout_buffer_class=rollout_buffer_class,
            **kwargs,
        )
        self.batch_size = batch_size  # SB3 needs a number; None follows `rollout_steps` in `load`

    def _setup_model(self) -> None:
        check_arrays(self.observation_space)
        self.n_steps = steps_per_env(self.rollout_steps, self.n_envs)
        super()._setup_model()

    def train(self) -> None:
        """Update actor and critic on the roll-out buffer."""
        policy: Any = self.policy
        policy.set_training_mode(True)
        self._update_learning_rate(policy.optimizer)
        goes_on, value_losses, steps = self.actor_learns, [], []
        for _ in range(self.n_epochs):
            for batch in self.rollout_buffer.get(self.batch_size):
                loss = self._value_loss(batch)
                value_losses.append(loss.item())
                loss = self.vf_coef * loss
                if goes_on:
                    steps.append(step := self._actor_step(batch))
                    goes_on = self.target_kl is None or step.divergence <= 1.5 * self.target_kl
                    loss = loss + step.loss if goes_on else loss
                policy.optimizer.zero_grad()
                loss.backward()  # the optimiser skips parameters without gradient
                torch.nn.utils.clip_grad_norm_(policy.parameters(), self.max_grad_norm)
                policy.optimizer.step()
        self._n_updates += self.n_epochs
        self._record(value_losses, steps, goes_on)

    def _value_loss(self, batch: RolloutBufferSamples) -> Tensor:
        """Mean squared error of the critic."""
        values = self.policy.predict_values(batch.observations)[:, 0]
        if self.clip_range_vf is not None:
            bound = self.clip_range_vf(self._current_progress_remaining)  # type: ignore[operator]
            values = batch.old_values + (values - batch.old_values).clamp(-bound, bound)
        return (values - batch.returns).square().mean()

    def _actor_step(self, batch: RolloutBufferSamples) -> ActorStep:
        """Loss of the actor, and how far it has moved."""
        distribution = self.policy.get_distribution(batch.observations)
        discrete = isinstance(self.action_space, spaces.Discrete)
        actions = batch.actions.long()[:, 0] if discrete else batch.actions
        log_ratio = distribution.log_prob(actions) - batch.old_log_prob
        advantages, ratio = batch.advantages, log_ratio.exp()
        if self.normalize_advantage and len(advantages) > 1:
            advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
        bound: float = self.clip_range(self._current_progress_remaining)  # type: ignore[operator]
        gain = torch.minimum(advantages * ratio, advantages * ratio.clamp(1 - bound, 1 + bound))
        loss = surrogate = -gain.mean()
        entropy = distribution.entropy()
        if self.ent_coef:
            loss = loss - self.ent_coef * (-log_ratio if entropy is None else entropy).mean()
        outside = ((ratio - 1.0).abs() > bound).float()
        divergence = -log_ratio.mean().item()
        return ActorStep(loss, surrogate.item(), divergence, outside.mean().item())

    def _record(self, value_losses: list[float], steps: list[ActorStep], all_steps: bool) -> None:
        """Log the update under SB3's names; `actor_steps` is the actor's number of steps."""
        buffer, record = self.rollout_buffer, self.logger.record
        explained = explained_variance(buffer.values.flatten(), buffer.returns.flatten())
        record("train/value_loss", float(np.mean(value_losses)))
        record("train/explained_variance", float(explained))
        if steps:
            record("train/policy_gradient_loss", float(np.mean([step.surrogate for step in steps])))
            record("train/approx_kl", steps[-1].divergence)
            record("train/clip_fraction", float(np.mean([step.clip_fraction for step in steps])))
        record("train/actor_steps", max(len(steps) - (not all_steps), 0))
        if hasattr(self.policy, "log_std"):
            record("train/std", self.policy.log_std.exp().mean().item())
        record("train/n_updates", self._n_updates, exclude="tensorboard")

    def _update_learning_rate(
        self, optimizers: list[torch.optim.Optimizer] | torch.optim.Optimizer
    ) -> None:
        super()._update_learning_rate(optimizers)
        for optimizer in optimizers if isinstance(optimizers, list) else [optimizers]:
            for group in optimizer.param_groups:
                group["lr"] *= group.get("rate", 1.0)


def steps_per_env(rollout_steps: int, num_envs: int) -> int:
    """Steps of a roll-out in each environment.

    Args:
        rollout_steps: Steps of all environments together.
        num_envs: Number of environments.

    Raises:
        InvalidConfig: If there are none, or if `rollout_steps` is not an integer.
    """
    check_integer("rollout_steps", rollout_steps, num_envs)
    return rollout_steps // num_envs
