"""Soft actor-critic over discrete skills with a divergence from a prior instead of the entropy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, Literal

import torch
from gymnasium import spaces
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import GymEnv, ReplayBufferSamples, Schedule
from torch import Tensor, nn

from skillgym.checks import check_positive
from skillgym.errors import InvalidConfig
from skillgym.nn.distributions import Categorical
from skillgym.nn.priors import UniformPrior
from skillgym.rl.buffers import ShiftedReplayBuffer
from skillgym.rl.common import losses
from skillgym.rl.common.off_policy import PriorOffPolicyAlgorithm
from skillgym.rl.common.temperature import Temperature
from skillgym.rl.discrete_prior_sac.losses import (
    DIRECTIONS,
    FLOOR,
    Direction,
    divergence,
    expected_value,
    values_of,
)
from skillgym.rl.discrete_prior_sac.policies import (
    CategoricalActor,
    DiscreteCritic,
    DiscreteSACPolicy,
    DiscreteSkillPriorPolicy,
    check_discrete_prior,
)
from skillgym_envs.core.checks import check_choice, check_flag, check_range


class DiscretePriorSAC(PriorOffPolicyAlgorithm):
    """Chooses codes of a skill model and stays close to its prior: the kitchen algorithm of PTGM.

    The actor maximises the expected value minus alpha times the KL divergence from the prior, which
    is also part of the critics' target; alpha keeps the mean divergence at its target. All
    expectations over skills are exact sums.

    Paper: Yuan, Mu and Lu 2024, "Pre-Training Goal-based Models for Sample-Efficient Reinforcement
    Learning", Sec. 3.4; ICLR. Order of an update and numbers follow the authors' kitchen code.

    Deviation: a transition holds the states and the end of the skill that was executed (authors:
        shifted by one control step, see `ShiftedReplayBuffer`, and with the skill chosen after it).
        The next value is the exact expectation (authors: one sample). The divergence is that of
        the distributions (authors: 1e-8 is added to probabilities). Gradients of the critics are
        clipped together (authors: one by one). `literal=True` restores all.
        The warm-up is 1000 skills and part of the budget (authors: 5000, not counted). Time limits
        bootstrap (authors: stored as terminal states, as `skillgym.rl.presets` do).

    Args:
        policy: `"SkillPriorPolicy"` (the actor is a copy of the prior), or `"MlpPolicy"`.
        env: Environment whose actions are discrete skills, or any environment with discrete actions
            if `prior` is given.
        prior: `"auto"` takes that of the environment's skill model. Otherwise a network that maps
            observations (B, O) to a `skillgym.nn.distributions.Categorical`, or None for a uniform
            prior; with `kl_direction="policy-prior"` this is soft actor-critic with the entropy.
        kl_direction: Direction of the divergence, see `losses.divergence`.
        target_divergence: Target delta of the mean divergence [nat].
        alpha: `"auto"` (learned, starts at 1), `"auto_<start>"`, or a fixed weight.
        min_alpha: Lower bound of a learned alpha.
        learning_rate: Learning rate of actor, critics and alpha.
        buffer_size: Number of transitions in the replay buffer.
        learning_starts: Skills before the first update.
        batch_size: Transitions per update.
        tau: Coefficient of the soft update of the target critics.
        gamma: Discount per skill.
        train_freq: Skills between updates.
        gradient_steps: Updates after each `train_freq` skills; -1 for as many as skills.
        max_grad_norm: Largest norm of the gradients of actor and critics; None for no clipping.
        literal: Follow the authors' code: transitions are those of a `ShiftedReplayBuffer` and hold
            the skill that was chosen after them (the last one of an episode, its own), the next
            value is that of one sampled skill, 1e-8 is added to the probabilities by which a
            divergence divides, and the gradients of each critic are clipped by themselves.
        kwargs: Any other keyword of SB3's off-policy algorithms.

    Raises:
        NoPrior: If the environment has no skill model.
        UnusablePrior: If the prior is not over the discrete skills.
        NormalizedObservations: If observations are normalised, for which the prior is not trained.
        InvalidConfig: If a keyword has an invalid value.
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {
        "MlpPolicy": DiscreteSACPolicy,
        "SkillPriorPolicy": DiscreteSkillPriorPolicy,
    }
    prior_policy = DiscreteSkillPriorPolicy
    saved_settings = (*PriorOffPolicyAlgorithm.saved_settings, "alpha")
    policy: DiscreteSACPolicy
    actor: CategoricalActor
    critic: DiscreteCritic
    critic_target: DiscreteCritic
    prior: nn.Module

    def __init__(
        self,
        policy: str | type[BasePolicy],
        env: GymEnv | str | None,
        *,
        prior: Literal["auto"] | nn.Module | None = "auto",
        kl_direction: Direction = "prior-policy",
        target_divergence: float = 5.0,
        alpha: str | float = "auto",
        min_alpha: float = 0.0,
        learning_rate: float | Schedule = 3e-4,
        buffer_size: int = 1_000_000,
        learning_starts: int = 1000,
        batch_size: int = 256,
        tau: float = 0.005,
        gamma: float = 0.99,
        train_freq: int | tuple[int, str] = 1,
        gradient_steps: int = -1,
        max_grad_norm: float | None = 10.0,
        literal: bool = False,
        _init_setup_model: bool = True,
        **kwargs: Any,
    ) -> None:
        check_choice("kl_direction", kl_direction, DIRECTIONS)
        check_range("target_divergence", target_divergence, 0.0)
        check_range("min_alpha", min_alpha, 0.0)
        check_flag("literal", literal)
        if max_grad_norm is not None:
            check_positive("max_grad_norm", max_grad_norm)
        if kwargs.get("action_noise") is not None:
            raise InvalidConfig("action_noise", kwargs["action_noise"], "None for discrete skills")
        if literal:
            buffer = kwargs.get("replay_buffer_class") or ShiftedReplayBuffer
            if not issubclass(buffer, ShiftedReplayBuffer):
                expected = "a ShiftedReplayBuffer, or literal=False"
                raise InvalidConfig("replay_buffer_class", buffer.__name__, expected)
            given = kwargs.get("replay_buffer_kwargs") or {}
            kwargs |= {
                "replay_buffer_class": buffer,
                "replay_buffer_kwargs": {"chosen_after": True, **given},
            }
        self.prior_source = prior
        self.kl_direction: Direction = kl_direction
        self.target_divergence = target_divergence
        self.alpha = alpha
        self.min_alpha = min_alpha
        self.max_grad_norm = max_grad_norm
        self.literal = literal
        super().__init__(
            policy,
            env,  # type: ignore[arg-type]
            learning_rate,
            buffer_size,
            learning_starts,
            batch_size,
            tau,
            gamma,
            train_freq,
            gradient_steps,
            sde_support=False,
            supported_action_spaces=(spaces.Discrete,),
            support_multi_env=True,
            **kwargs,
        )
        if _init_setup_model:
            self._setup_model()

    def _setup_model(self) -> None:
        super()._setup_model()
        self.actor, self.critic = self.policy.actor, self.policy.critic
        self.critic_target = self.policy.critic_target
        self.temperature = Temperature(
            "alpha",
            self.alpha,
            self.target_divergence,
            self.lr_schedule(1),
            self.device,
            self.min_alpha,
        )

    def _setup_prior(self) -> None:
        space: Any = self.action_space
        self.prior = self._frozen_prior() or UniformPrior(int(space.n))
        check_discrete_prior(self.prior, self.observation_space, space)

    def _excluded_save_params(self) -> list[str]:
        names = ["actor", "critic", "critic_target", "temperature"]
        return [*super()._excluded_save_params(), *names]

    def _get_torch_save_params(self) -> tuple[list[str], list[str]]:
        modules = ["policy", "actor.optimizer", "critic.optimizer"]
        learned = ["temperature.optimizer"] if self.temperature.optimizer is not None else []
        return modules + learned, ["temperature.log_value"]

    def _optimizers(self) -> list[torch.optim.Optimizer]:
        optimizers = [self.actor.optimizer, self.critic.optimizer]
        return [*optimizers, *filter(None, [self.temperature.optimizer])]

    def _update(self, batch: ReplayBufferSamples) -> dict[str, Tensor]:
        """One update on a batch: temperature, then actor and critics from the same old networks."""
        prior, next_prior = self._priors(batch)
        policy = self.actor.distribution(batch.observations)
        gap = self._divergence(policy, prior)
        alpha_loss = self.temperature.update(gap)
        alpha = self.temperature.value

        q_values = self.critic(batch.observations)
        value = expected_value(policy, q_values.detach())
        actor_loss = losses.actor_loss(value[:, None], alpha * gap)
        target = self._target(batch, alpha, next_prior)
        critic_loss = losses.critic_loss(values_of(q_values, batch.actions), target)

        self._step(self.actor, actor_loss, [self.actor])
        critics = self.critic.networks if self.literal else [self.critic]
        self._step(self.critic, critic_loss, critics)
        return {
            "alpha": alpha,
            "alpha_loss": alpha_loss,
            "actor_loss": actor_loss,
            "critic_loss": critic_loss,
            "prior_divergence": gap.mean(),
            "policy_entropy": policy.entropy().mean(),
            "target_q": target.mean(),
        }

    @torch.no_grad()
    def _target(self, batch: ReplayBufferSamples, alpha: Tensor, next_prior: Categorical) -> Tensor:
        """Regression target of the critics, (B, 1)."""
        observations = batch.next_observations
        policy = self.actor.distribution(observations)
        q_values = self.critic_target(observations)
        if self.literal:
            next_values = values_of(q_values, policy.sample()[:, None])
        else:
            next_values = expected_value(policy, q_values)[:, None]
        return losses.td_target(
            batch.rewards,
            batch.dones,
            self.gamma if batch.discounts is None else batch.discounts,
            next_values,
            alpha * self._divergence(policy, next_prior),
        )

    def _divergence(self, policy: Categorical, prior: Categorical) -> Tensor:
        return divergence(policy, prior, self.kl_direction, FLOOR if self.literal else 0.0)

    @torch.no_grad()
    def _priors(self, batch: ReplayBufferSamples) -> tuple[Categorical, Categorical]:
        """The prior in the states and in the next states, from one pass."""
        states = torch.cat([batch.observations, batch.next_observations])
        both: Categorical = self.prior(states.float())
        now, then = both.log_probs.chunk(2)
        return Categorical(now), Categorical(then)

    def _step(
        self, network: CategoricalActor | DiscreteCritic, loss: Tensor, clipped: Iterable[nn.Module]
    ) -> None:
        network.optimizer.zero_grad()
        loss.backward()
        if self.max_grad_norm is not None:
            for part in clipped:
                nn.utils.clip_grad_norm_(part.parameters(), self.max_grad_norm, foreach=True)
        network.optimizer.step()
