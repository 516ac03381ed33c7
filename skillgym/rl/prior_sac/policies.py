"""A policy that starts as the skill prior.

Shapes: `B` batch, `O` observation, `Z` latent.
"""

from __future__ import annotations

from functools import partial
from typing import Any, cast

import torch
from gymnasium import spaces
from stable_baselines3.common.distributions import SquashedDiagGaussianDistribution
from stable_baselines3.common.policies import BasePolicy, ContinuousCritic
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.type_aliases import Schedule
from stable_baselines3.sac.policies import SACPolicy
from torch import Tensor, nn

from skillgym.errors import InvalidConfig, with_article
from skillgym.nn.devices import device_of
from skillgym.nn.distributions import Gaussian, Standardised
from skillgym.nn.mlp import LEAKY_SLOPE, initialise_linear
from skillgym.rl.common.policies import (
    DEEP,
    normalise_critic,
    probed,
    refuse_net_arch,
    trainable_copy,
)
from skillgym.rl.errors import UnusablePrior


class SkillActor(BasePolicy):
    """Policy whose network is a copy of a prior over unsquashed actions (a `TanhPrior`).

    BatchNorm layers always use their running statistics, even during training; their affine
    parameters are trained.

    Paper: Pertsch et al. 2020, Sec. 3.3 (the policy is initialised with the prior);
    arXiv:2010.11944.

    Args:
        observation_space: Observations (O,).
        action_space: Skills (Z,).
        features_extractor: Flattens observations.
        network: The prior's network, in evaluation mode, which is copied. Maps (B, O) to a
            `Gaussian` over (B, Z).

    Raises:
        UnusablePrior: If the network's distribution is not a Gaussian of the right size, or if it
            has no parameters.
    """

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Box,
        features_extractor: BaseFeaturesExtractor,
        network: nn.Module,
    ) -> None:
        super().__init__(
            observation_space,
            action_space,
            features_extractor=features_extractor,
            squash_output=True,
        )
        check_prior(network, observation_space, action_space)
        self.network = trainable_copy(network)
        self.action_dist = SquashedDiagGaussianDistribution(action_space.shape[0])
        self.eval()

    def train(self, mode: bool = True) -> SkillActor:
        """Switch to training mode, except for the network, whose running statistics are fixed."""
        super().train(mode)
        self.network.eval()
        return self

    def get_action_dist_params(self, obs: Any) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Mean and log-std (B, Z) before squashing; the third is empty, as in SB3's actor."""
        gaussian = self.network(self.extract_features(obs, self.features_extractor))
        return gaussian.mean, gaussian.log_std, {}

    def forward(self, obs: Any, deterministic: bool = False) -> Tensor:
        """Squashed skills (B, Z) in [-1, 1]; SB3 scales them to the action space."""
        mean, log_std, _ = self.get_action_dist_params(obs)
        return self.action_dist.actions_from_params(mean, log_std, deterministic)

    def action_log_prob(self, obs: Any) -> tuple[Tensor, Tensor]:
        """Squashed skills (B, Z) and their log-probabilities (B,)."""
        mean, log_std, _ = self.get_action_dist_params(obs)
        return self.action_dist.log_prob_from_params(mean, log_std)

    def _predict(self, observation: Any, deterministic: bool = False) -> Tensor:
        return self(observation, deterministic)


class SkillPriorPolicy(SACPolicy):
    """Actor that starts as a copy of the prior, and LeakyReLU critics.

    Paper: Pertsch et al. 2020, App. B and the authors' code: critics with seven linear layers of
    width 256, Xavier-normal weights and zero biases; arXiv:2010.11944. `critic_layer_norm`: Ball et
    al. 2023, "Efficient Online Reinforcement Learning with Offline Data"; arXiv:2302.02948.

    Deviation: critics see latents scaled to [-1, 1], as in SB3; the authors feed [-2, 2].

    Args:
        observation_space: Observations (O,).
        action_space: Skills (Z,).
        lr_schedule: Learning rate as a function of the remaining progress.
        prior: Network that the actor is a copy of; passed by `PriorSAC`.
        critic_arch: Widths of the critics' hidden layers.
        critic_layer_norm: Whether each hidden layer of the critics is normalised before its
            activation, which bounds the values of skills that were never tried. The authors have
            no normalisation.
        critic_inputs: The critics see only the first so many numbers of an observation; all if
            None. In the authors' maze with pictures, these are the four of the state.
        optimizer_kwargs: Keywords of the optimizers; fused Adam by default.
        kwargs: Other keywords of SB3's SAC policy, except `net_arch`.

    Raises:
        InvalidConfig: If `net_arch` is given.
    """

    actor: SkillActor  # type: ignore[assignment]

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Box,
        lr_schedule: Schedule,
        prior: nn.Module,
        critic_arch: tuple[int, ...] = DEEP,
        critic_layer_norm: bool = False,
        critic_inputs: int | None = None,
        optimizer_kwargs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        refuse_net_arch(kwargs, "critic_arch")
        # A function, because a module cannot own another before its own constructor has run.
        self._initial_network = lambda: prior
        self.critic_inputs = critic_inputs
        self.critic_layer_norm = critic_layer_norm
        kwargs = {"activation_fn": partial(nn.LeakyReLU, LEAKY_SLOPE, inplace=True)} | kwargs
        super().__init__(
            observation_space,
            action_space,
            lr_schedule,
            net_arch={"pi": [], "qf": list(critic_arch)},
            optimizer_kwargs={"fused": True} if optimizer_kwargs is None else optimizer_kwargs,
            **kwargs,
        )

    def make_actor(  # type: ignore[override]
        self, features_extractor: BaseFeaturesExtractor | None = None
    ) -> SkillActor:
        """A new actor that equals the prior."""
        extractor = features_extractor or self.make_features_extractor()
        actor = SkillActor(
            self.observation_space,
            self.action_space,  # type: ignore[arg-type]
            extractor,
            self._initial_network(),
        )
        return actor.to(self.device)

    def make_critic(
        self, features_extractor: BaseFeaturesExtractor | None = None
    ) -> ContinuousCritic:
        """New, randomly initialised critics."""
        if self.critic_inputs is not None:
            features_extractor = FirstEntries(self.observation_space, self.critic_inputs)
        critic = super().make_critic(features_extractor)
        initialise_linear(critic)
        if self.critic_layer_norm:
            for network in critic.q_networks:
                normalise_critic(cast(nn.Sequential, network))
        return critic.to(self.device)

    def _get_constructor_parameters(self) -> dict[str, Any]:
        parameters = super()._get_constructor_parameters()
        for name in ("net_arch", "use_sde", "log_std_init", "use_expln", "clip_mean"):
            del parameters[name]
        return parameters | {
            "prior": self.actor.network,
            "critic_arch": tuple(self.net_arch["qf"]),  # type: ignore[call-overload]
            "critic_layer_norm": self.critic_layer_norm,
            "critic_inputs": self.critic_inputs,
        }


class FirstEntries(BaseFeaturesExtractor):
    """The first numbers of an observation.

    Args:
        observation_space: Observations (O,).
        count: How many.
    """

    def __init__(self, observation_space: spaces.Space[Any], count: int) -> None:
        size = spaces.flatdim(observation_space)
        if not 0 < count <= size:
            raise InvalidConfig("critic_inputs", count, f"1 to {size}")
        super().__init__(observation_space, features_dim=count)

    def forward(self, observations: Tensor) -> Tensor:
        """(B, count) of observations (B, O)."""
        return observations[:, : self.features_dim]


def check_prior(
    prior: nn.Module, observation_space: spaces.Space[Any], action_space: spaces.Space[Any]
) -> None:
    """Check that a prior (in evaluation mode) returns Gaussians over the skills.

    Raises:
        UnusablePrior: If it does not.
    """
    distribution = probed(prior, observation_space)
    if isinstance(distribution, Standardised):
        distribution = distribution.base
    if not isinstance(distribution, Gaussian):
        raise UnusablePrior(f"that gives {with_article(type(distribution).__name__)}")
    _check_size(distribution, action_space)


def check_latents(
    prior: nn.Module, observation_space: spaces.Space[Any], action_space: spaces.Space[Any]
) -> None:
    """Check that a prior (in evaluation mode) returns densities of skills, of any distribution.

    Raises:
        UnusablePrior: If it does not.
        UnsupportedSpace: If observations are not arrays.
    """
    distribution: Any = probed(prior, observation_space)
    if isinstance(distribution, Gaussian):  # its density would broadcast skills of other sizes
        _check_size(distribution, action_space)
        return
    skill = torch.zeros(1, *(action_space.shape or ()), device=device_of(prior))
    try:
        with torch.no_grad():
            found = tuple(distribution.log_prob(skill).shape)
    except (AttributeError, RuntimeError, TypeError, ValueError) as error:
        name = with_article(type(distribution).__name__)
        raise UnusablePrior(f"that gives {name} without densities of skills ({error})") from error
    if found != (1,):
        raise UnusablePrior(f"that gives one skill densities of shape {found}")


def _check_size(distribution: Gaussian, action_space: spaces.Space[Any]) -> None:
    if (found := tuple(distribution.mean.shape[1:])) != action_space.shape:
        raise UnusablePrior(f"over latents of shape {found}, skills have {action_space.shape}")
