"""Skill-based RL that follows demonstrations where it can."""

from __future__ import annotations

from typing import Any, Literal, cast

import torch
from gymnasium import spaces
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import GymEnv, ReplayBufferSamples
from torch import Tensor, nn

from skillgym.errors import InvalidConfig, ShapeMismatch
from skillgym.nn.devices import device_of
from skillgym.nn.distributions import Gaussian
from skillgym.rl.buffers import SkillReplayBuffer
from skillgym.rl.common.discriminators import DiscriminatorTraining, StateSource
from skillgym.rl.common.policies import SHALLOW
from skillgym.rl.common.priors import distribution_of, find_skill_model, frozen_copy
from skillgym.rl.common.temperature import Temperature
from skillgym.rl.prior_sac import PriorSAC
from skillgym.rl.prior_sac.policies import SkillPriorPolicy
from skillgym.rl.skild import losses
from skillgym.skills.skild.discriminator import Discriminator
from skillgym.skills.skild.losses import MAX_LOG_ODDS
from skillgym_envs.core.checks import check_choice, check_range

CHOICES = {
    "start": ("posterior", "prior"),
    "target_weights": ("next", "current"),
    "kl": ("sampled", "analytic"),
}


class SkiLD(PriorSAC):
    """PriorSAC with two regularisers: the skills of demonstrations near them, the prior elsewhere.

    With D(s) the probability that s is a state of the demonstrations, p_a the skill prior and p_d
    the skill posterior, the penalty is alpha (1 - D) KL(pi || p_a) + alpha_q D KL(pi || p_d). The
    reward of a skill that began in s is a weighted sum of the environment's and log D(s) -
    log(1 - D(s)). With `env_reward_weight=0` it imitates without any reward.

    Paper: Pertsch et al. 2021, "Demonstration-Guided Reinforcement Learning with Learned Skills",
    Alg. 1; arXiv:2107.10253. Numbers are those of the authors' kitchen.

    Deviation: the target weights the divergences in s' by D(s'), as the paper's equations do; the
    authors' code uses D(s), which `target_weights="current"` restores.

    Deviation: fixed temperatures have the values of the authors' configurations. In their code
    alpha stays 1 whatever is configured (kitchen 0.1, office 5), while alpha_q is applied;
    `alpha=1.0` restores it.

    Deviation: the authors' imitation runs keep the environment's reward and never update D.
    `env_reward_weight=0.0, discriminator_reward_weight=1.0` (and `discriminator_updates`) is what
    the paper describes; the defaults are what their code runs. D is updated with the states of the
    replay buffer's batch (authors: of a second buffer of a million). The replay buffer holds a
    million skills (authors: two).

    `absorbing_ends=True` is from Kostrikov et al. 2019, "Discriminator-Actor-Critic", Sec. 4.2;
    arXiv:1809.02925. Without it, the value of a terminal state is 0, so an agent that is only
    rewarded for being near the demonstrations stays there and avoids the goal, where episodes end.

    Args:
        policy: `"SkillPriorPolicy"` (the actor starts as posterior or prior), or one of SB3's SAC
            policies.
        env: Environment whose actions are the skills of a `SkildModel`.
        start: Whether the policy starts as the posterior or the prior.
        kl: `"sampled"` (10 samples) or `"analytic"`.
        target_divergence: Target of the divergence from the prior [nat].
        alpha: Its weight: `"auto"` (learned, starts at 1), `"auto_<start>"`, or fixed.
        posterior_target_divergence: Target of the divergence from the posterior [nat].
        posterior_alpha: Its weight, likewise.
        env_reward_weight: Weight of the environment's reward (lambda).
        discriminator_reward_weight: Weight of log D(s) - log(1 - D(s)) (1 - lambda).
        max_log_odds: Bound of log D(s) - log(1 - D(s)) [nat]; by default about 46, that of the
            authors' code. If the data are easy to tell apart, the discriminator reaches it and
            outweighs any other reward. None: the authors' logarithms, see `log_odds_reward`.
        absorbing_ends: Whether terminal states are absorbing for log D(s) - log(1 - D(s)), which
            then continues for ever.
        target_weights: Whether the target uses D of the `"next"` or of the `"current"` state.
        discriminator_updates: Updates of the discriminator for each update of the agent; a number
            below 1 is a probability.
        demonstrations: States (N, O), or the id or path of a dataset; needed for these updates.
        learning_starts: Skills before the first update. Deviation: part of the budget.
        batch_size: Transitions of one update.
        policy_kwargs: Keywords of the policy; the critics have three hidden layers of width 256.
        kwargs: Any other keyword of `PriorSAC`, except `prior`.

    Raises:
        NoPrior: If the environment has no skill model.
        NoDemonstrations: If the skill model has neither posterior nor discriminator.
        InvalidConfig: If a keyword has an invalid value, such as returns over several skills
            (`n_steps`) with a discriminator that is updated.
    """

    saved_settings = (*PriorSAC.saved_settings, "posterior_alpha", "discriminator_updates")

    def __init__(
        self,
        policy: str | type[BasePolicy],
        env: GymEnv | str | None,
        *,
        start: Literal["posterior", "prior"] = "posterior",
        kl: Literal["sampled", "analytic"] = "sampled",
        target_divergence: float = 10.0,
        alpha: str | float = 0.1,
        posterior_target_divergence: float = 1.0,
        posterior_alpha: str | float = 0.1,
        env_reward_weight: float = 0.9,
        discriminator_reward_weight: float = 0.1,
        max_log_odds: float | None = MAX_LOG_ODDS,
        absorbing_ends: bool = False,
        target_weights: Literal["next", "current"] = "next",
        discriminator_updates: float = 0.0,
        demonstrations: StateSource | None = None,
        learning_starts: int = 2000,
        batch_size: int = 128,
        policy_kwargs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        given = {"start": start, "target_weights": target_weights, "kl": kl}
        for field, value in given.items():
            check_choice(field, value, CHOICES[field])
        check_range("posterior_target_divergence", posterior_target_divergence, 0.0)
        weights = env_reward_weight, discriminator_reward_weight
        losses.check_reward(*weights, max_log_odds, absorbing_ends)
        if "prior" in kwargs:
            expected = "none, as prior and posterior are those of the skill model"
            raise InvalidConfig("prior", kwargs["prior"], expected)
        self.start = start
        self.posterior: nn.Module | None = None
        self.discriminator: Discriminator | None = None
        self.posterior_target_divergence = posterior_target_divergence
        self.posterior_alpha = posterior_alpha
        self.env_reward_weight = env_reward_weight
        self.discriminator_reward_weight = discriminator_reward_weight
        self.max_log_odds = max_log_odds
        self.absorbing_ends = absorbing_ends
        self.target_weights = target_weights
        self.discriminator_updates = discriminator_updates
        self.demonstrations = demonstrations
        self.tuning: DiscriminatorTraining | None = None
        if policy in ("SkillPriorPolicy", SkillPriorPolicy):
            policy_kwargs = {"critic_arch": SHALLOW, **(policy_kwargs or {})}
        super().__init__(
            policy,
            env,
            kl=kl,
            target_divergence=target_divergence,
            alpha=alpha,
            learning_starts=learning_starts,
            batch_size=batch_size,
            policy_kwargs=policy_kwargs,
            **kwargs,
        )
        # Not for a saved agent, which may be loaded only to act.
        if self.env is not None and self.tuning is not None:
            self.tuning.read(spaces.flatdim(self.observation_space))

    def _setup_model(self) -> None:
        super()._setup_model()
        # In a sampled n-step return, only the first of its states is known.
        n_steps = getattr(self.replay_buffer, "n_steps", 1)
        if self.discriminator_updates and n_steps > 1:
            raise InvalidConfig("n_steps", n_steps, "1, or discriminator_updates=0.0")
        self._mixed_when_stored = n_steps > 1
        losses.check_ends(self.absorbing_ends, self._skill_discount())
        self.posterior_temperature = Temperature(
            "posterior_alpha",
            self.posterior_alpha,
            self.posterior_target_divergence,
            self.lr_schedule(1),
            self.device,
        )
        if self.discriminator_updates:
            self.tuning = DiscriminatorTraining(
                cast(Discriminator, self.discriminator),
                self.demonstrations,
                self.discriminator_updates,
                self.lr_schedule(1),
            )

    def _setup_prior(self) -> None:
        self.prior, self.posterior, self.discriminator = self._frozen_parts()

    def _check_skills(self) -> None:
        self._frozen_parts()

    def _frozen_parts(self) -> tuple[nn.Module, nn.Module, Discriminator]:
        """Frozen copies of the skill model's prior, posterior and discriminator."""
        model, name = find_skill_model(self.env, self.prior_reference)
        parts = [distribution_of(model, part) for part in ("prior", "posterior", "discriminator")]
        prior, posterior = (self._frozen(part) for part in parts[:2])
        discriminator = cast(Discriminator, frozen_copy(parts[2], self.device))
        check_discriminator(discriminator, self.observation_space)
        self._check_reference(name, model, prior, posterior, discriminator)
        self._skill_steps: int = model.max_steps
        return prior, posterior, discriminator

    def _initial_policy(self) -> nn.Module | None:
        return self.posterior if self.start == "posterior" else self.prior

    def _excluded_save_params(self) -> list[str]:
        names = ["posterior", "discriminator", "posterior_temperature", "tuning"]
        return [*super()._excluded_save_params(), *names]

    def _get_torch_save_params(self) -> tuple[list[str], list[str]]:
        modules, tensors = super()._get_torch_save_params()
        if self.posterior_temperature.optimizer is not None:
            modules = [*modules, "posterior_temperature.optimizer"]
        if self.tuning is not None:
            modules = [*modules, "tuning.discriminator", "tuning.optimizer"]
        return modules, [*tensors, "posterior_temperature.log_value"]

    def _optimizers(self) -> list[torch.optim.Optimizer]:
        tuning = None if self.tuning is None else self.tuning.optimizer
        own = self.posterior_temperature.optimizer, tuning
        return [*super()._optimizers(), *filter(None, own)]

    def _update(self, batch: ReplayBufferSamples) -> dict[str, Tensor]:
        metrics: dict[str, Tensor] = {}
        if self.tuning is not None:
            for _ in range(self.tuning.draw_number()):
                metrics = self.tuning.update(batch.observations.float())
        return {**metrics, **super()._update(batch)}

    def _penalty(
        self, batch: ReplayBufferSamples, policy: Gaussian
    ) -> tuple[Tensor, dict[str, Tensor]]:
        logits = self._logits(batch.observations)
        demonstration = torch.sigmoid(logits)
        divergence, posterior_divergence = self._divergences(policy, batch.observations)
        temperature = self.posterior_temperature
        posterior_alpha_loss = temperature.update(posterior_divergence, demonstration)
        alpha_loss = self._update_alpha(divergence, 1.0 - demonstration)
        alphas = self._alpha(), temperature.value
        parts = losses.guided_penalty(demonstration, divergence, posterior_divergence, *alphas)
        metrics = {
            "alpha": alphas[0],
            "alpha_loss": alpha_loss,
            "posterior_alpha": alphas[1],
            "posterior_alpha_loss": posterior_alpha_loss,
            "prior_divergence": losses.weighted_mean(divergence, 1.0 - demonstration),
            "posterior_divergence": losses.weighted_mean(posterior_divergence, demonstration),
            "demonstration_weight": demonstration.mean(),
            "prior_penalty": parts[0].mean(),
            "posterior_penalty": parts[1].mean(),
        }
        if not self._mixed_when_stored:
            env_reward = self.env_reward_weight * batch.rewards
            metrics["env_reward"] = env_reward.mean()
            mixed = self._mixed(batch.rewards, logits)
            metrics["discriminator_reward"] = (mixed - env_reward).mean()
        return parts[0] + parts[1], metrics

    def _next_penalty(self, batch: ReplayBufferSamples, next_policy: Gaussian) -> Tensor:
        weighing = batch.next_observations if self.target_weights == "next" else batch.observations
        parts = losses.guided_penalty(
            torch.sigmoid(self._logits(weighing)),
            *self._divergences(next_policy, batch.next_observations),
            self._alpha(),
            self.posterior_temperature.value,
        )
        return parts[0] + parts[1]

    def _store_transition(self, replay_buffer: ReplayBuffer, *transition: Any) -> None:
        super()._store_transition(replay_buffer, *transition)
        if self._mixed_when_stored:
            row = replay_buffer.pos - 1
            stored = _transitions(replay_buffer, row)
            replay_buffer.rewards[row] = self._weighted(stored)[:, 0].cpu().numpy()

    def _rewards(self, batch: ReplayBufferSamples) -> Tensor:
        return batch.rewards if self._mixed_when_stored else self._weighted(batch)

    def _weighted(self, batch: ReplayBufferSamples) -> Tensor:
        """Weighted rewards (B, 1) of single skills, including those of absorbing states."""
        rewards = self._mixed(batch.rewards, self._logits(batch.observations))
        if not self.absorbing_ends:
            return rewards
        for_ever = self._mixed(torch.zeros_like(rewards), self._logits(batch.next_observations))
        discount = self.gamma if batch.discounts is None else batch.discounts
        return losses.with_absorbing_ends(
            rewards, batch.dones, for_ever, discount, self._skill_discount()
        )

    def _skill_discount(self) -> float:
        """Discount of a skill that runs to its end."""
        buffer = self.replay_buffer
        if isinstance(buffer, SkillReplayBuffer):
            return float(buffer.gamma**self._skill_steps)
        return self.gamma

    def _mixed(self, rewards: Tensor, logits: Tensor) -> Tensor:
        weights = self.env_reward_weight, self.discriminator_reward_weight
        return losses.mixed_reward(rewards, logits, *weights, self.max_log_odds)

    @torch.no_grad()
    def _logits(self, observations: Tensor) -> Tensor:
        """Logits of D(s), (B,)."""
        logits: Tensor = cast(Discriminator, self.discriminator)(observations.float())
        return logits

    def _divergences(self, policy: Gaussian, observations: Tensor) -> tuple[Tensor, Tensor]:
        """Divergences from prior and posterior, each (B,) with its own samples."""
        return (
            self._divergence(policy, self._distribution(self.prior, observations)),
            self._divergence(policy, self._distribution(self.posterior, observations)),
        )


def check_discriminator(discriminator: Discriminator, observation_space: spaces.Space[Any]) -> None:
    """Check that a discriminator returns one logit per state.

    Raises:
        ShapeMismatch: If it does not.
    """
    states = torch.zeros(2, spaces.flatdim(observation_space), device=device_of(discriminator))
    with torch.no_grad():
        found = discriminator(states).shape
    if found != (2,):
        raise ShapeMismatch("logits of the discriminator for two states", found, "(2,)")


def _transitions(buffer: ReplayBuffer, row: int) -> ReplayBufferSamples:
    """Transitions of all environments in a row; time limits are not terminal."""
    columns = (
        buffer._normalize_obs(buffer.observations[row]),
        buffer.actions[row],
        buffer._normalize_obs(buffer.next_observations[row]),
        (buffer.dones[row] * (1.0 - buffer.timeouts[row]))[:, None],
        buffer.rewards[row][:, None],
    )
    return ReplayBufferSamples(*(buffer.to_torch(column) for column in columns))  # type: ignore[arg-type]
