"""The skill model of ReSkill: autoencoder of windows, and a flow that turns noise into latents.

Shapes: `B` batch, `H` skill horizon, `O` observation, `A` action, `Z` latent.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
import torch
from gymnasium.spaces import Box
from numpy.typing import NDArray
from torch import Tensor, nn

from skillgym.errors import UnsupportedSpace
from skillgym.nn.distributions import Gaussian
from skillgym.nn.flows import BoundedConditioner, FlowDistribution, InverseFlow, RealNVP
from skillgym.nn.mlp import FoldedMLP
from skillgym.nn.priors import GaussianMLP, UnitGaussian
from skillgym.skills.base import Batch, Scalars, SkillModule
from skillgym.skills.reskill.config import ReskillConfig
from skillgym.skills.reskill.losses import posterior_kl, reconstruction_loss
from skillgym.skills.spirl.losses import best_mse, prior_nll
from skillgym.types import FloatArray, SkillState

SPIRL_PRIOR = (128, 6)
"""Width and number of square layers of SPiRL's prior, the alternative to the flow."""


class Layers(nn.Sequential):
    """Linear layers, all but the last followed by BatchNorm and LeakyReLU(0.01).

    Args:
        sizes: Sizes of input, hidden layers and output.
    """

    def __init__(self, *sizes: int) -> None:
        layers: list[nn.Module] = []
        for before, after in pairwise(sizes[:-1]):
            layers += [nn.Linear(before, after), nn.BatchNorm1d(after), nn.LeakyReLU()]
        super().__init__(*layers, nn.Linear(sizes[-2], sizes[-1]))

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., I) to (..., O); the normalisation treats all leading axes as batch."""
        y: Tensor = super().forward(x.reshape(-1, x.shape[-1]))
        return y.reshape(*x.shape[:-1], -1)


class SkillEncoder(nn.Module):
    """Posterior q(z | window): LSTM over the steps, layers on its last state, Gaussian.

    Args:
        step_size: Size of the input of one step.
        config: Sizes.
    """

    def __init__(self, step_size: int, config: ReskillConfig) -> None:
        super().__init__()
        self.lstm = nn.LSTM(step_size, config.encoder_size, batch_first=True)
        self.head = Layers(config.encoder_size, *config.layer_sizes, 2 * config.latent_size)

    def forward(self, steps: Tensor) -> Gaussian:
        """Gaussian over (B, Z) for the window's steps (B, H, step_size)."""
        _, (hidden, _) = self.lstm(steps)
        mean, log_variance = self.head(hidden[0]).chunk(2, dim=-1)
        return Gaussian(mean, 0.5 * log_variance)


class FlowPrior(nn.Module):
    """p(z | s): a RealNVP whose map from latents to noise scales by at most e^2 per dimension.

    Args:
        observation_size: O.
        config: Sizes.
    """

    def __init__(self, observation_size: int, config: ReskillConfig) -> None:
        super().__init__()
        self.size = config.latent_size
        sizes = self.size, observation_size, config.flow_layers // 2, config.flow_size
        self.flow = InverseFlow(RealNVP(*sizes, conditioner=BoundedConditioner))

    def forward(self, obs: Tensor) -> FlowDistribution:
        """Distribution over (..., Z) for observations (..., O)."""
        return FlowDistribution(self.flow, obs, self.size)


class ReskillModel(SkillModule):
    """Skills are noise that a state-conditioned flow turns into latents of closed-loop skills.

    `skill_space` contains the noise, and `prior` is the unit Gaussian over it: an agent that acts
    at random acts like the data in every state. `begin` turns noise into a latent that suits the
    state (`latent_prior`), `act` decodes it together with each observation.

    Fetch block size (O 25, A 4): 2 320 668 parameters (encoder 92 200, decoder 4 324, flow
    2 224 144). Hook size (O 43): 2 404 764 (101 416, 5 476, 2 297 872).

    Paper: Rana et al. 2022, "Residual Skill Policies: Learning an Adaptable Skill-based Action
    Space for Reinforcement Learning for Robotics", Sec. 4.1; arXiv:2211.02231.

    Deviation: RAdam instead of Adam, as for all models. Windows may start at every step of an
        episode (the last two starts are never drawn in the authors' code).

    Args:
        observation_space: One-dimensional Box of size O.
        action_space: Bounded one-dimensional Box of size A; the decoder cannot leave it.
        config: Sizes and weights; the default is the authors' model.

    Raises:
        UnsupportedSpace: If the action space has no bounds.
    """

    type_tag: ClassVar[str] = "reskill"
    config_class: ClassVar[type] = ReskillConfig
    selection_metric: ClassVar[str] = "prior_best_mse"
    centre: Tensor
    half_range: Tensor

    def __init__(
        self,
        observation_space: gym.Space[Any],
        action_space: gym.Space[Any],
        config: ReskillConfig | None = None,
    ) -> None:
        config = config or ReskillConfig()
        bound, latent_size = config.noise_bound, config.latent_size
        skill_space = Box(-bound, bound, (latent_size,), np.float32)
        super().__init__(observation_space, action_space, skill_space, config.skill_horizon)
        self.config: ReskillConfig = config
        if not self.action_space.is_bounded():
            expected = "bounds, which the decoder's tanh is scaled to"
            advice = "wrap the environment so that its actions are bounded"
            raise UnsupportedSpace("action", self.action_space, expected, advice)
        bounds = self.action_space.low, self.action_space.high
        low, high = (torch.as_tensor(bound, dtype=torch.float32) for bound in bounds)
        self.register_buffer("centre", (high + low) / 2, persistent=False)
        self.register_buffer("half_range", (high - low) / 2, persistent=False)
        size, action_size = self.observation_space.shape[0], self.action_space.shape[0]
        # The prior comes last, so that models that only differ in it have equal skills.
        self.encoder = SkillEncoder(size + action_size, config)
        self.decoder = Layers(size + latent_size, *config.layer_sizes, action_size)
        self.prior = UnitGaussian(latent_size)
        self.latent_prior = make_prior(size, config)
        self._controller: FoldedMLP | None = None

    def encode(self, observations: Tensor, actions: Tensor) -> Gaussian:
        """Posterior over (B, Z) from actions and all but the last of observations (B, H+1, O)."""
        posterior: Gaussian = self.encoder(torch.cat([observations[:, :-1], actions], dim=-1))
        return posterior

    def decode(self, observations: Tensor, latents: Tensor) -> Tensor:
        """Actions (B, H, A), each from its own observation (B, H, O) and the latents (B, Z)."""
        repeated = latents.unsqueeze(1).expand(-1, observations.shape[1], -1)
        decoded = torch.tanh(self.decoder(torch.cat([observations, repeated], dim=-1)))
        return self.centre + self.half_range * decoded

    def loss(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Scalars]:
        """Objective of windows (B, H+1, O), (B, H, A).

        The prior is fitted to the sample z that is decoded, and sends no gradient through it.
        """
        observations, actions = batch
        posterior = self.encode(observations, actions)
        latents = posterior.sample(generator)
        reconstruction = reconstruction_loss(self.decode(observations[:, :-1], latents), actions)
        kl = posterior_kl(posterior)
        nll = prior_nll(self.latent_prior(observations[:, 0]), latents)
        total = reconstruction + self.config.beta * kl + nll
        scalars = {"loss": total, "reconstruction": reconstruction, "kl": kl, "prior_nll": nll}
        return total, {name: value.detach() for name, value in scalars.items()}

    @torch.no_grad()
    def validation(self, batch: Batch, generator: torch.Generator) -> Scalars:
        """The losses, and the best action MSE of 100 draws from the prior in the first state."""
        observations, actions = batch
        _, scalars = self.loss(batch, generator)
        prior = self.latent_prior(observations[:, 0])
        scalars["prior_best_mse"] = best_mse(
            lambda: self.decode(observations[:, :-1], prior.sample(generator)), actions
        )
        return scalars

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """The prior has a higher learning rate than the autoencoder, which decays."""
        config, prior = self.config, list(self.latent_prior.parameters())
        rest = [*self.encoder.parameters(), *self.decoder.parameters()]
        groups: list[dict[str, Any]] = [{"params": rest, "lr": learning_rate}]
        if prior:
            rate = {"lr": config.prior_learning_rate, "decay": config.prior_decay}
            groups.append({"params": prior, **rate})
        return groups

    @torch.inference_mode()
    def begin(self, obs: NDArray[Any], skill: NDArray[Any]) -> SkillState:
        """Turn noise (B, Z) into latents that suit the observations."""
        noise = torch.from_numpy(self.checked_skill(obs, skill))
        states = torch.from_numpy(np.asarray(obs, np.float32))
        device = next(self.parameters()).device
        prior = self.latent_prior(states.to(device))
        return {"latent": prior.transform(noise.to(device)).cpu().numpy()}

    def act(self, obs: NDArray[Any], state: SkillState, t: int) -> FloatArray:
        """One action per row from the current observation and z."""
        if self._controller is None:
            self._controller = FoldedMLP(self.decoder)
        steps = np.concatenate([np.asarray(obs, np.float32), state["latent"]], axis=1)
        actions = np.tanh(self._controller(steps))
        return self.bounded(self.centre.cpu().numpy() + self.half_range.cpu().numpy() * actions)

    def __getstate__(self) -> dict[str, Any]:
        """State without the controller, which copies and pickles rebuild."""
        return {**self.__dict__, "_controller": None}


def make_prior(observation_size: int, config: ReskillConfig) -> nn.Module:
    """The network of `config.prior`, which maps observations to a distribution over latents."""
    if config.prior == "flow":
        return FlowPrior(observation_size, config)
    if config.prior == "gaussian":
        return GaussianMLP(observation_size, config.latent_size, *SPIRL_PRIOR)
    return UnitGaussian(config.latent_size)
