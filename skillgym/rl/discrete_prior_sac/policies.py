"""Policies over discrete skills, with critics that evaluate all skills at once.

Shapes: `B` batch, `O` observation, `K` skills, `C` critics.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3.common.policies import BaseModel, BasePolicy
from stable_baselines3.common.torch_layers import (
    BaseFeaturesExtractor,
    FlattenExtractor,
    create_mlp,
    get_actor_critic_arch,
)
from stable_baselines3.common.type_aliases import Schedule
from torch import Tensor, nn

from skillgym.errors import UnsupportedSpace, with_article
from skillgym.nn.distributions import Categorical
from skillgym.nn.mlp import LEAKY_SLOPE, initialise_linear
from skillgym.rl.common.policies import (
    DEEP,
    normalise_critic,
    probed,
    refuse_net_arch,
    trainable_copy,
)
from skillgym.rl.errors import UnusablePrior


class Logits(nn.Module):
    """Wraps a network of logits to return distributions.

    Args:
        net: Maps (B, O) to (B, K).
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, obs: Tensor) -> Categorical:
        """Distribution over K skills."""
        return Categorical.from_logits(self.net(obs))


class CategoricalActor(BasePolicy):
    """Policy over K skills.

    BatchNorm layers always use their running statistics, even during training; their affine
    parameters are trained.

    Args:
        observation_space: Observations (O,).
        action_space: Skills, Discrete(K).
        features_extractor: Flattens observations.
        network: Maps (B, O) to a `Categorical` over (B, K).
    """

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Discrete,
        features_extractor: BaseFeaturesExtractor,
        network: nn.Module,
    ) -> None:
        super().__init__(observation_space, action_space, features_extractor=features_extractor)
        self.network = network
        self.eval()

    def train(self, mode: bool = True) -> CategoricalActor:
        """Switch to training mode, except for the network, whose running statistics are fixed."""
        super().train(mode)
        self.network.eval()
        return self

    def distribution(self, obs: Any) -> Categorical:
        """Distribution over (B, K)."""
        policy: Categorical = self.network(self.extract_features(obs, self.features_extractor))
        return policy

    def forward(self, obs: Any, deterministic: bool = False) -> Tensor:
        """Skills (B,)."""
        policy = self.distribution(obs)
        return policy.mode() if deterministic else policy.sample()

    def _predict(self, observation: Any, deterministic: bool = False) -> Tensor:
        return self(observation, deterministic)


class DiscreteCritic(BaseModel):
    """C networks that map an observation to the values of all K skills.

    Args:
        observation_space: Observations (O,).
        action_space: Skills, Discrete(K).
        features_extractor: Flattens observations.
        make_network: Makes one network from O to K numbers.
        n_critics: C.
    """

    features_extractor: BaseFeaturesExtractor

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Discrete,
        features_extractor: BaseFeaturesExtractor,
        make_network: Callable[[], nn.Module],
        n_critics: int,
    ) -> None:
        super().__init__(observation_space, action_space, features_extractor=features_extractor)
        self.networks = nn.ModuleList(make_network() for _ in range(n_critics))

    def forward(self, obs: Any) -> Tensor:
        """Values (C, B, K)."""
        features = self.extract_features(obs, self.features_extractor)
        return torch.stack([network(features) for network in self.networks])


class DiscreteSACPolicy(BasePolicy):
    """Randomly initialised actor and critics with LeakyReLU.

    Args:
        observation_space: Observations (O,).
        action_space: Skills, Discrete(K).
        lr_schedule: Learning rate as a function of the remaining progress.
        net_arch: Widths of the hidden layers, or `{"pi": [...], "qf": [...]}`.
        n_critics: C.
        critic_layer_norm: Whether each hidden layer of the critics is normalised before its
            activation, which bounds the values of skills that were never tried. The authors have
            no normalisation.
        features_extractor_class: Flattens observations.
        features_extractor_kwargs: Its keywords.
        optimizer_class: Class of both optimizers.
        optimizer_kwargs: Their keywords; fused Adam by default.
        normalize_images: As for SB3's policies.
    """

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Discrete,
        lr_schedule: Schedule,
        net_arch: list[int] | dict[str, list[int]] | None = None,
        n_critics: int = 2,
        critic_layer_norm: bool = False,
        features_extractor_class: type[BaseFeaturesExtractor] = FlattenExtractor,
        features_extractor_kwargs: dict[str, Any] | None = None,
        optimizer_class: type[torch.optim.Optimizer] = torch.optim.Adam,
        optimizer_kwargs: dict[str, Any] | None = None,
        normalize_images: bool = True,
    ) -> None:
        super().__init__(
            observation_space,
            action_space,
            features_extractor_class,
            features_extractor_kwargs,
            normalize_images=normalize_images,
            optimizer_class=optimizer_class,
            optimizer_kwargs={"fused": True} if optimizer_kwargs is None else optimizer_kwargs,
        )
        self.net_arch = list(DEEP) if net_arch is None else net_arch
        self.n_critics = n_critics
        self.critic_layer_norm = critic_layer_norm
        self.actor = CategoricalActor(
            observation_space, action_space, self.make_features_extractor(), self.make_network()
        )
        self.critic = self.make_critic()
        self.critic_target = self.make_critic()
        self.critic_target.load_state_dict(self.critic.state_dict())
        self.critic_target.set_training_mode(False)
        rate = lr_schedule(1)
        for module in (self.actor, self.critic):
            module.optimizer = optimizer_class(  # type: ignore[call-arg]
                module.parameters(), lr=rate, **self.optimizer_kwargs
            )

    def make_network(self) -> nn.Module:
        """A randomly initialised network of the actor."""
        return Logits(self._mlp(get_actor_critic_arch(self.net_arch)[0]))

    def make_critic(self) -> DiscreteCritic:
        """New random critics."""
        widths = get_actor_critic_arch(self.net_arch)[1]
        return DiscreteCritic(
            self.observation_space,
            self.action_space,  # type: ignore[arg-type]
            self.make_features_extractor(),
            lambda: self._critic_network(widths),
            self.n_critics,
        )

    def _critic_network(self, widths: list[int]) -> nn.Sequential:
        network = self._mlp(widths)
        if self.critic_layer_norm:
            normalise_critic(network)
        return network

    def _mlp(self, widths: list[int]) -> nn.Sequential:
        inputs, outputs = spaces.flatdim(self.observation_space), int(self.action_space.n)  # type: ignore[attr-defined]
        activation: Any = partial(nn.LeakyReLU, LEAKY_SLOPE, inplace=True)
        network = nn.Sequential(*create_mlp(inputs, outputs, widths, activation))
        initialise_linear(network)
        return network

    def forward(self, obs: Any, deterministic: bool = False) -> Tensor:
        """Skills (B,)."""
        return self._predict(obs, deterministic)

    def _predict(self, observation: Any, deterministic: bool = False) -> Tensor:
        return self.actor(observation, deterministic)

    def set_training_mode(self, mode: bool) -> None:
        """Switch actor and critics; the target critics stay in evaluation mode."""
        self.actor.set_training_mode(mode)
        self.critic.set_training_mode(mode)
        self.training = mode

    def _get_constructor_parameters(self) -> dict[str, Any]:
        return super()._get_constructor_parameters() | {
            "net_arch": self.net_arch,
            "n_critics": self.n_critics,
            "critic_layer_norm": self.critic_layer_norm,
            "lr_schedule": self._dummy_schedule,  # a policy alone does not continue training
            "optimizer_class": self.optimizer_class,
            "optimizer_kwargs": self.optimizer_kwargs,
            "features_extractor_class": self.features_extractor_class,
            "features_extractor_kwargs": self.features_extractor_kwargs,
        }


class DiscreteSkillPriorPolicy(DiscreteSACPolicy):
    """Actor that starts as a copy of the prior, and randomly initialised critics.

    Paper: the authors' kitchen code of PTGM: critics with seven linear layers of width 256.

    Args:
        observation_space: Observations (O,).
        action_space: Skills, Discrete(K).
        lr_schedule: Learning rate as a function of the remaining progress.
        prior: Network that the actor is a copy of; passed by `DiscretePriorSAC`.
        critic_arch: Widths of the critics' hidden layers.
        kwargs: Other keywords of `DiscreteSACPolicy`, except `net_arch`.

    Raises:
        InvalidConfig: If `net_arch` is given.
    """

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Discrete,
        lr_schedule: Schedule,
        prior: nn.Module,
        critic_arch: tuple[int, ...] = DEEP,
        **kwargs: Any,
    ) -> None:
        refuse_net_arch(kwargs, "critic_arch")
        # A function, because a module cannot own another before its own constructor has run.
        self._initial_network = lambda: prior
        net_arch: dict[str, list[int]] = {"pi": [], "qf": list(critic_arch)}
        super().__init__(observation_space, action_space, lr_schedule, net_arch, **kwargs)

    def make_network(self) -> nn.Module:
        """A trainable copy of the prior."""
        return trainable_copy(self._initial_network(), "Categorical")

    def _get_constructor_parameters(self) -> dict[str, Any]:
        parameters = super()._get_constructor_parameters()
        widths = parameters.pop("net_arch")["qf"]
        return parameters | {"prior": self.actor.network, "critic_arch": tuple(widths)}


def check_discrete_prior(
    prior: nn.Module, observation_space: spaces.Space[Any], action_space: spaces.Discrete
) -> None:
    """Check that a prior (in evaluation mode) returns Categoricals over the skills.

    Raises:
        UnusablePrior: If it does not.
        UnsupportedSpace: If the skills do not start at 0.
    """
    if action_space.start != 0:
        raise UnsupportedSpace("skill", action_space, "a Discrete that starts at 0", "count from 0")
    distribution = probed(prior, observation_space, "Categorical")
    if not isinstance(distribution, Categorical):
        raise UnusablePrior(
            f"that gives {with_article(type(distribution).__name__)}", "Categorical"
        )
    if (found := tuple(distribution.log_probs.shape[1:])) != (action_space.n,):
        given = f"over skills {found} instead of {(int(action_space.n),)}"
        raise UnusablePrior(given, "Categorical")
