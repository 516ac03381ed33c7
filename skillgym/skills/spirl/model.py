"""The closed-loop and the open-loop skill model of SPiRL.

Shapes: `B` batch, `H` skill horizon, `O` observation, `F` features, `A` action, `Z` latent.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
import torch
from gymnasium.spaces import Box
from numpy.typing import NDArray
from torch import Tensor, nn

from skillgym.nn.distributions import Gaussian, normal_like
from skillgym.nn.fourier import FourierFeatures
from skillgym.nn.lstm import EmbeddedLSTM
from skillgym.nn.mlp import MLP, FoldedMLP
from skillgym.nn.priors import PRIORS
from skillgym.skills.base import Batch, Scalars, SkillModule
from skillgym.skills.spirl.config import SpirlConfig, require
from skillgym.skills.spirl.losses import (
    best_mse,
    beta_loss,
    posterior_kl,
    prior_kl,
    prior_nll,
    reconstruction_loss,
)
from skillgym.types import FloatArray, SkillState


class SkillEncoder(nn.Module):
    """Posterior q(z | window): LSTM over the steps, linear layer on its last output, Gaussian.

    Args:
        step_size: Size of the input of one step.
        config: Widths.
    """

    def __init__(self, step_size: int, config: SpirlConfig) -> None:
        super().__init__()
        self.lstm = EmbeddedLSTM(step_size, config.hidden_size, config.encoder_size)
        self.head = nn.Linear(config.encoder_size, 2 * config.latent_size)
        nn.init.xavier_normal_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, steps: Tensor) -> Gaussian:
        """Gaussian over (B, Z) for the window's steps (B, H, step_size)."""
        return Gaussian.from_parameters(self.head(self.lstm.last(steps)))


class SpirlModel(SkillModule):
    """Base of both models: posterior, prior, objective.

    Paper: Pertsch et al. 2020, "Accelerating RL with Learned Skill Priors", Sec. 3.2;
    arXiv:2010.11944.

    A skill is a latent z in `skill_space`, the input of the decoder. `prior` is a distribution over
    all latents; agents squash its samples into the space.

    Args:
        observation_space: One-dimensional Box of size O.
        action_space: One-dimensional Box of size A.
        config: Sizes and weights; the default is the authors' kitchen model.

    Raises:
        InvalidConfig: If `prior_noise` or `prior_positions` do not fit the observation.
    """

    config_class: ClassVar[type] = SpirlConfig
    selection_metric: ClassVar[str] = "prior_best_mse"
    independent: ClassVar[tuple[str, ...]] = ("prior",)

    def __init__(
        self,
        observation_space: gym.Space[Any],
        action_space: gym.Space[Any],
        config: SpirlConfig | None = None,
    ) -> None:
        config = config or SpirlConfig()
        bound, latent_size = config.latent_bound, config.latent_size
        skill_space = Box(-bound, bound, (latent_size,), np.float32)
        super().__init__(observation_space, action_space, skill_space, config.skill_horizon)
        self.config: SpirlConfig = config
        size, numbers = self.observation_space.shape[0], self.noise_size
        noise, positions = config.prior_noise, config.prior_positions
        require(config, "prior_noise", len(noise) in (0, numbers), f"{numbers} numbers, or none")
        require(config, "prior_positions", positions <= size, f"at most {size}")
        self.prior = self.make_prior()
        if config.target_kl is not None:
            self.log_beta = nn.Parameter(torch.zeros(()))

    def make_prior(self) -> nn.Module:
        """A new prior."""
        config, size = self.config, self.observation_space.shape[0]
        sizes = config.latent_size, config.hidden_size, config.prior_layers
        if not config.prior_frequencies:
            return PRIORS[config.prior](size, *sizes)
        features = FourierFeatures(size, config.prior_positions, config.prior_frequencies)
        return nn.Sequential(features, PRIORS[config.prior](features.output_size, *sizes))

    @property
    def noise_size(self) -> int:
        """Number of standard deviations in `prior_noise`: O by default."""
        return int(self.observation_space.shape[0])

    @property
    def feature_size(self) -> int:
        """F, the size of the features that encoder and decoder see; O by default."""
        return int(self.observation_space.shape[0])

    def features(self, observations: Tensor) -> Tensor:
        """Features (..., F) of observations (..., O) for encoder and decoder; all by default."""
        return observations

    @abstractmethod
    def encode(self, observations: Tensor, actions: Tensor) -> Gaussian:
        """Posterior over (B, Z) for features (B, H+1, F) and actions (B, H, A)."""

    @abstractmethod
    def decode(self, observations: Tensor, latents: Tensor) -> Tensor:
        """Raw action means (B, H, A) for features (B, H, F) and latents (B, Z)."""

    def loss(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Scalars]:
        """Objective of windows (B, H+1, O), (B, H, A); all terms use the same sample z.

        Only the encoder sees actions before the skill, if the windows have any.
        """
        observations, actions = batch[:2]
        features = self.features(observations)
        posterior = self.encode(features, actions)
        latents = posterior.sample(generator)
        prior = self.prior(self._prior_observations(batch, generator))
        decoded = self.decode(features[:, :-1], latents)
        reconstruction = reconstruction_loss(decoded, actions[:, -self.max_steps :])
        kl = posterior_kl(posterior)
        nll = prior_nll(prior, latents)
        prior_term = nll if self.config.prior_loss == "nll" else prior_kl(posterior, prior)
        total = reconstruction + self._beta() * kl + prior_term
        scalars = {"loss": total, "reconstruction": reconstruction, "kl": kl, "prior_nll": nll}
        if self.config.target_kl is not None:
            total = total + beta_loss(self.log_beta, kl, self.config.target_kl)
            scalars["beta"] = self.log_beta.exp()
        return total, {name: value.detach() for name, value in scalars.items()}

    @torch.no_grad()
    def validation(self, batch: Batch, generator: torch.Generator) -> Scalars:
        """The losses, and the best action MSE of 100 decoded draws, averaged over the windows.

        `unit_best_mse` draws from the unit Gaussian (the authors' metric of the skill space),
        `prior_best_mse` from the learned prior in the first state (a metric of skill space and
        prior together).
        """
        _, scalars = self.loss(batch, generator)
        prior = self.prior(batch[0][:, 0])
        mean = batch[0].new_zeros(len(batch[0]), self.config.latent_size)
        scalars["unit_best_mse"] = self._best_mse(batch, lambda: normal_like(mean, generator))
        scalars["prior_best_mse"] = self._best_mse(batch, lambda: prior.sample(generator))
        return scalars

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """Autoencoder and prior; a learned beta has its own learning rate."""
        groups = super().parameter_groups(learning_rate)
        if self.config.target_kl is not None:
            groups[0]["params"] = [p for p in groups[0]["params"] if p is not self.log_beta]
            groups.append({"params": [self.log_beta], "lr": self.config.beta_learning_rate})
        return groups

    def _prior_observations(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """The observations (B, O) to which the prior is fitted."""
        return self._with_noise(batch[0][:, 0], generator)

    def _with_noise(self, observations: Tensor, generator: torch.Generator) -> Tensor:
        """Observations (B, O), with noise while training."""
        if not self.training or not self.config.prior_noise:
            return observations
        deviations = observations.new_tensor(self.config.prior_noise)
        return observations + deviations * normal_like(observations, generator)

    def _beta(self) -> Tensor | float:
        if self.config.target_kl is None:
            return self.config.beta
        return self.log_beta.detach().exp()

    def _best_mse(self, batch: Batch, draw: Callable[[], Tensor]) -> Tensor:
        """Mean over the windows of the smallest MSE over 100 draws of z."""
        features, actions = self.features(batch[0])[:, :-1], batch[1][:, -self.max_steps :]
        return best_mse(lambda: self.decode(features, draw()), actions)


class ClosedLoopSpirl(SpirlModel):
    """Closed-loop skills: the decoder is an MLP from the current observation and z to one action.

    The encoder reads actions and observations.

    Kitchen size (O 60, A 9): 363 825 parameters (encoder 160 148, decoder 93 449, prior 110 228).
    The authors' code counts 363 826, because it keeps a frozen, unused scalar log-sigma that does
    not exist here.

    Paper: Pertsch et al. 2021, "Demonstration-Guided RL with Learned Skills", Sec. 4.1;
    arXiv:2107.10253.
    Deviation: decoded actions are clipped to the action space. The authors' agent sends them
    through tanh, although the decoder was fitted to raw actions, and adds noise of sigma e^-10;
    `config.squash_actions` restores the tanh.
    """

    type_tag: ClassVar[str] = "spirl_cl"

    def __init__(
        self,
        observation_space: gym.Space[Any],
        action_space: gym.Space[Any],
        config: SpirlConfig | None = None,
    ) -> None:
        super().__init__(observation_space, action_space, config)
        config = self.config
        action_size = self.action_space.shape[0]
        self.encoder = SkillEncoder(self.feature_size + action_size, config)
        self.decoder = MLP(
            self.feature_size + config.latent_size,
            config.hidden_size,
            action_size,
            config.decoder_layers,
        )
        self._controller: FoldedMLP | None = None

    def encode(self, observations: Tensor, actions: Tensor) -> Gaussian:
        """Posterior from steps [a_t, s_t], t = 0 ... H - 1; the last observation is not used."""
        posterior: Gaussian = self.encoder(torch.cat([actions, observations[:, :-1]], dim=-1))
        return posterior

    def decode(self, observations: Tensor, latents: Tensor) -> Tensor:
        """Action means, each from its own observation; BatchNorm sees B * H rows."""
        repeated = latents.unsqueeze(1).expand(-1, observations.shape[1], -1)
        decoded: Tensor = self.decoder(torch.cat([observations, repeated], dim=-1))
        return decoded

    def begin(self, obs: NDArray[Any], skill: NDArray[Any]) -> SkillState:
        """Remember z."""
        return {"latent": self.checked_skill(obs, skill).copy()}

    def act(self, obs: NDArray[Any], state: SkillState, t: int) -> FloatArray:
        """One action per row from the current observation and z."""
        if self._controller is None:
            self._controller = FoldedMLP(self.decoder)
        steps = np.concatenate([self.seen(obs), state["latent"]], axis=1)
        actions = self._controller(steps)
        return self.bounded(np.tanh(actions) if self.config.squash_actions else actions)

    def seen(self, obs: NDArray[Any]) -> NDArray[np.float32]:
        """The features (B, F) of observations (B, O), in NumPy."""
        return np.asarray(obs, np.float32)

    def __getstate__(self) -> dict[str, Any]:
        """State without the controller, which copies and pickles rebuild."""
        return {**self.__dict__, "_controller": None}


class OpenLoopSpirl(SpirlModel):
    """Open-loop skills: the decoder is an autoregressive LSTM that plans H actions from z alone.

    The encoder reads actions.

    First input and first state of the decoder are learned constants. Kitchen size (O 60, A 9):
    398 778 parameters.

    Paper: Pertsch et al. 2020, Sec. 3.2; arXiv:2010.11944.
    """

    type_tag: ClassVar[str] = "spirl_ol"

    def __init__(
        self,
        observation_space: gym.Space[Any],
        action_space: gym.Space[Any],
        config: SpirlConfig | None = None,
    ) -> None:
        super().__init__(observation_space, action_space, config)
        config = self.config
        action_size, width = self.action_space.shape[0], config.hidden_size
        self.encoder = SkillEncoder(action_size, config)
        self.decoder = EmbeddedLSTM(action_size + config.latent_size, width, action_size)
        self.first_input = nn.Parameter(torch.zeros(action_size))
        self.first_state = nn.Parameter(torch.zeros(2, 1, width))

    def encode(self, observations: Tensor, actions: Tensor) -> Gaussian:
        """Posterior from the actions alone."""
        posterior: Gaussian = self.encoder(actions)
        return posterior

    def decode(self, observations: Tensor, latents: Tensor) -> Tensor:
        """Action means of the plan, independent of the observations."""
        return self.plan(latents, self.max_steps)

    def plan(self, latents: Tensor, num_steps: int) -> Tensor:
        """Action means (B, num_steps, A) for latents (B, Z)."""
        batch = len(latents)
        hidden, cell = self.first_state.expand(2, batch, -1).unbind(0)
        state = (hidden, cell)
        output, outputs = self.first_input.expand(batch, -1), []
        for _ in range(num_steps):
            output, state = self.decoder.step(torch.cat([output, latents], dim=-1), state)
            outputs.append(output)
        return torch.stack(outputs, dim=1)

    @torch.inference_mode()
    def begin(self, obs: NDArray[Any], skill: NDArray[Any]) -> SkillState:
        """Decode the whole plan, (B, H, A)."""
        latents = torch.from_numpy(self.checked_skill(obs, skill)).to(self.first_input.device)
        actions = self.plan(latents, self.max_steps).cpu().numpy()
        return {"plan": self.bounded(actions)}

    def act(self, obs: NDArray[Any], state: SkillState, t: int) -> FloatArray:
        """Step t of the plan."""
        return state["plan"][:, t].copy()
