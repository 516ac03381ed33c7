"""Soft actor-critic with a divergence from a skill prior instead of the entropy."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal, cast

import torch
from stable_baselines3 import SAC
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import GymEnv, ReplayBufferSamples
from torch import Tensor, nn

from skillgym.checks import check_positive
from skillgym.errors import InvalidConfig
from skillgym.nn.distributions import Distribution, Gaussian
from skillgym.nn.priors import TanhPrior
from skillgym.rl.common import losses
from skillgym.rl.common.off_policy import PriorOffPolicyAlgorithm
from skillgym.rl.common.temperature import start_of
from skillgym.rl.prior_sac.losses import analytic_divergence, sampled_divergence
from skillgym.rl.prior_sac.policies import SkillPriorPolicy, check_latents, check_prior
from skillgym_envs.core.checks import check_count, check_range

KLS = ("sampled", "analytic", None)


class PriorSAC(PriorOffPolicyAlgorithm, SAC):
    """SB3's SAC, regularised towards a skill prior: the algorithm of SPiRL.

    The actor maximises Q minus alpha times the KL divergence from the prior, which is also part of
    the critics' target; alpha keeps the mean divergence at its target. The divergence is that of
    the Gaussians before squashing; the executed skill is close to a sample of them (`TanhPrior`).
    With `SkillPriorPolicy` the actor starts as the prior and the warm-up samples it, too.

    Paper: Pertsch et al. 2020, "Accelerating Reinforcement Learning with Learned Skill Priors",
    Alg. 1; arXiv:2010.11944. Order of an update and numbers follow the authors' code.

    Deviation: the warm-up is 1000 skills and part of the budget (authors: 5000, not counted). Time
    limits bootstrap (authors: stored as terminal states, as `skillgym.rl.presets` do).

    Args:
        policy: `"SkillPriorPolicy"` (the actor is a copy of the prior), or one of SB3's SAC
            policies.
        env: Environment whose actions are skills (`SkillActions`), or any environment if `prior` is
            given.
        prior: `"auto"` takes that of the environment's skill model, `"posterior"` its distribution
            over the skills of demonstrations (`SkildModel`). Otherwise a network that maps
            observations (B, O) to a `skillgym.nn.distributions` distribution over actions, or None
            for SB3's SAC.
        kl: `"sampled"` (10 samples), `"analytic"` (Gaussian priors only), or None: the prior only
            initialises the policy and the objective is that of SB3's SAC (fine-tuning).
        target_divergence: Target delta of the mean divergence [nat].
        alpha: `"auto"` (learned, starts at 1), `"auto_<start>"`, or a fixed weight.
        num_kl_samples: Samples of the sampled divergence.
        latent_scale: Latents are divided by this before the tanh. None: half the range of the
            skills, so that the tanh hardly changes latents. 1: the authors' code.
        learning_starts: Skills before the first update.
        kwargs: Any other keyword of SB3's SAC. Its defaults are the paper's: batch size 256, gamma
            0.99 per skill, tau 0.005, learning rates 3e-4, one update per skill.

    Raises:
        InvalidConfig: If a keyword has an invalid value.
        NoPrior: If the environment has no skill model.
        UnusablePrior: If the prior is not over the skills, or `SkillPriorPolicy` cannot start from
            it.
        UnsupportedSpace: If observations are not arrays, which the prior needs.
        NormalizedObservations: If observations are normalised, for which the prior is not trained.
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {
        **SAC.policy_aliases,
        "SkillPriorPolicy": SkillPriorPolicy,
    }
    prior_policy = SkillPriorPolicy
    saved_settings = (*PriorOffPolicyAlgorithm.saved_settings, "alpha", "ent_coef")

    def __init__(
        self,
        policy: str | type[BasePolicy],
        env: GymEnv | str | None,
        *,
        prior: Literal["auto", "posterior"] | nn.Module | None = "auto",
        kl: Literal["sampled", "analytic"] | None = "sampled",
        target_divergence: float = 5.0,
        alpha: str | float = "auto",
        num_kl_samples: int = 10,
        latent_scale: float | None = None,
        learning_starts: int = 1000,
        **kwargs: Any,
    ) -> None:
        if kl not in KLS:
            raise InvalidConfig("kl", kl, "'sampled', 'analytic' or None")
        start_of("alpha", alpha)  # SB3 would accept a negative weight
        check_count("num_kl_samples", num_kl_samples)
        check_range("target_divergence", target_divergence, 0.0)
        if kwargs.get("use_sde"):
            raise InvalidConfig("use_sde", True, "False, as gSDE has no prior")
        if "ent_coef" in kwargs:
            raise InvalidConfig("ent_coef", kwargs["ent_coef"], "that keyword under its name alpha")
        entropy = kwargs.get("target_entropy", "auto")
        if entropy != "auto" and prior is not None and kl is not None:
            expected = "target_divergence, as the divergence replaces the entropy"
            raise InvalidConfig("target_entropy", entropy, expected)
        if latent_scale is not None:
            check_positive("latent_scale", latent_scale, math.inf)
        self.prior = None
        self.prior_source = prior
        self.kl = kl
        self.target_divergence = target_divergence
        self.num_kl_samples = num_kl_samples
        self.latent_scale = latent_scale
        kwargs = {"gradient_steps": -1} | kwargs
        super().__init__(
            policy,  # type: ignore[arg-type]
            env,  # type: ignore[arg-type]
            ent_coef=alpha,
            learning_starts=learning_starts,
            **kwargs,
        )

    def _frozen(self, source: nn.Module) -> nn.Module:
        """A frozen copy of a distribution over skills, as a distribution before the tanh."""
        space: Any = self.action_space
        copy = cast(TanhPrior, super()._frozen(TanhPrior(source, space, self.latent_scale)))
        check_latents(copy.prior, self.observation_space, space)  # the range would broadcast
        if self.kl == "analytic":
            check_prior(copy, self.observation_space, space)
        return copy

    def train(self, gradient_steps: int, batch_size: int = 64) -> None:
        """Update the networks; without a divergence this is SB3's own."""
        if self.prior is None or self.kl is None:
            SAC.train(self, gradient_steps, batch_size)
        else:
            super().train(gradient_steps, batch_size)

    def _optimizers(self) -> list[torch.optim.Optimizer]:
        optimizers = [self.actor.optimizer, self.critic.optimizer]
        return [*optimizers, *filter(None, [self.ent_coef_optimizer])]

    def _update(self, batch: ReplayBufferSamples) -> dict[str, Tensor]:
        """One update on a batch: temperature, then actor and critics from the same old networks."""
        policy, action = self._act(batch.observations)
        penalty, metrics = self._penalty(batch, policy)
        q_of_policy = torch.cat(self.critic(batch.observations, action), dim=1)
        actor_loss = losses.actor_loss(q_of_policy, penalty)
        with torch.no_grad():
            next_policy, next_action = self._act(batch.next_observations)
            target = losses.td_target(
                self._rewards(batch),
                batch.dones,
                self.gamma if batch.discounts is None else batch.discounts,
                torch.cat(self.critic_target(batch.next_observations, next_action), dim=1),
                self._next_penalty(batch, next_policy),
            )
        q_values = torch.cat(self.critic(batch.observations, batch.actions), dim=1)
        critic_loss = losses.critic_loss(q_values, target)

        self.actor.optimizer.zero_grad()
        # The critics' weights get no gradient from the actor's loss.
        actor_loss.backward(inputs=list(self.actor.parameters()))
        self.critic.optimizer.zero_grad()
        critic_loss.backward()
        self.actor.optimizer.step()
        self.critic.optimizer.step()
        return {
            **metrics,
            "actor_loss": actor_loss,
            "critic_loss": critic_loss,
            "policy_entropy": policy.entropy().mean(),
            "target_q": target.mean(),
        }

    def _penalty(
        self, batch: ReplayBufferSamples, policy: Gaussian
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Update the temperature; returns alpha * divergence in the states (B,), and metrics."""
        divergence = self._divergence(policy, self._distribution(self.prior, batch.observations))
        alpha_loss = self._update_alpha(divergence)
        alpha = self._alpha()
        metrics = {
            "alpha": alpha,
            "alpha_loss": alpha_loss,
            "prior_divergence": divergence.mean(),
        }
        return alpha * divergence, metrics

    def _next_penalty(self, batch: ReplayBufferSamples, next_policy: Gaussian) -> Tensor:
        """Alpha * divergence in the next states, (B,)."""
        prior = self._distribution(self.prior, batch.next_observations)
        return self._alpha() * self._divergence(next_policy, prior)

    def _rewards(self, batch: ReplayBufferSamples) -> Tensor:
        """Rewards of the skills, (B, 1)."""
        return batch.rewards

    def _act(self, observations: Tensor) -> tuple[Gaussian, Tensor]:
        """The policy before squashing, and one squashed sample (B, Z) of it."""
        mean, log_std, _ = self.actor.get_action_dist_params(observations)
        policy = Gaussian(mean, log_std)
        return policy, torch.tanh(policy.sample())

    @torch.no_grad()
    def _distribution(self, network: Any, observations: Tensor) -> Distribution:
        """Distribution that a frozen network returns."""
        distribution: Distribution = network(observations.float())
        return distribution

    def _divergence(self, policy: Gaussian, prior: Distribution) -> Tensor:
        if self.kl == "analytic":
            return analytic_divergence(policy, prior)  # type: ignore[arg-type]
        noise = torch.randn(self.num_kl_samples, *policy.mean.shape, device=self.device)
        return sampled_divergence(policy, prior, noise)

    def _alpha(self) -> Tensor:
        """Weight of the divergence, without gradient."""
        if self.log_ent_coef is None:
            return self.ent_coef_tensor
        return self.log_ent_coef.detach().exp()

    def _update_alpha(self, divergence: Tensor, weights: Tensor | float = 1.0) -> Tensor:
        """Update the temperature, if it is learned, and return its loss."""
        if self.ent_coef_optimizer is None or self.log_ent_coef is None:
            return torch.zeros(())
        loss = losses.temperature_loss(
            self.log_ent_coef, divergence, self.target_divergence, weights
        )
        self.ent_coef_optimizer.zero_grad()
        loss.backward()
        self.ent_coef_optimizer.step()
        return loss
