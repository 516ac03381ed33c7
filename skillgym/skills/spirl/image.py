"""SPiRL with pictures: prior and closed-loop decoder see the last two pictures, but no state.

Shapes: `...` any leading axes, `B` batch, `H` skill horizon, `O` observation, `A` action, `Z`
latent, `F` features of two pictures.
"""

from __future__ import annotations

from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from skillgym.data.pictures import PictureWindows
from skillgym.errors import ShapeMismatch
from skillgym.nn.conv import ConvEncoder, FoldedConv
from skillgym.nn.distributions import Distribution, Gaussian
from skillgym.nn.priors import PRIORS
from skillgym.skills.base import Batch
from skillgym.skills.spirl.config import ImageSpirlConfig
from skillgym.skills.spirl.model import ClosedLoopSpirl, OpenLoopSpirl, SpirlModel


class PictureEncoder(nn.Module):
    """Features of the pictures in an observation.

    Args:
        config: Sizes.
    """

    def __init__(self, config: ImageSpirlConfig) -> None:
        super().__init__()
        self.state_size = config.state_size
        self.shape = (config.image_channels, config.image_size, config.image_size)
        self.conv = ConvEncoder(
            config.image_channels,
            config.image_size,
            config.conv_channels,
            config.picture_features,
        )

    def forward(self, obs: Tensor) -> Tensor:
        """Features (..., F) of observations (..., O)."""
        features: Tensor = self.conv(obs[..., self.state_size :].unflatten(-1, self.shape))
        return features


class PicturePrior(nn.Module):
    """A prior that sees only the pictures in an observation.

    Args:
        config: Sizes.
    """

    def __init__(self, config: ImageSpirlConfig) -> None:
        super().__init__()
        self.pictures = PictureEncoder(config)
        self.head = PRIORS[config.prior](
            config.picture_features, config.latent_size, config.hidden_size, config.prior_layers
        )

    def forward(self, obs: Tensor) -> Distribution:
        """Distribution over (..., Z) for observations (..., O)."""
        distribution: Distribution = self.head(self.pictures(obs))
        return distribution


class PictureSpirl(SpirlModel):
    """Base of both image models: the prior, the configuration, and how batches are drawn.

    A window starts with one more action than a skill has: the skill begins with the second picture,
    because the first observation has no previous one. Observations are those of
    `MazeWorld(observation="image")`: the state, the previous picture, the picture.
    """

    config_class: ClassVar[type] = ImageSpirlConfig
    config: ImageSpirlConfig

    def __init__(
        self,
        observation_space: gym.Space[Any],
        action_space: gym.Space[Any],
        config: ImageSpirlConfig | None = None,
    ) -> None:
        config = config or ImageSpirlConfig()
        super().__init__(observation_space, action_space, config)
        expected = config.state_size + config.image_channels * config.image_size**2
        if self.observation_space.shape != (expected,):
            raise ShapeMismatch("observations", self.observation_space.shape, f"({expected},)")

    def make_prior(self) -> nn.Module:
        """A prior that sees pictures."""
        return PicturePrior(self.config)

    @property
    def noise_size(self) -> int:
        """Two: noise on the ball's position and velocity."""
        return 2

    def _prior_observations(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """Observations with noise from the batch, as pictures with noise have to be rendered."""
        return batch[2] if self.training and len(batch) > 2 else batch[0][:, 0]


class ImageClosedLoopSpirl(PictureSpirl, ClosedLoopSpirl):
    """Closed-loop skills that see pictures: encoder and decoder share their features.

    The encoder reads the H + 1 actions of a window, each with the features of the observation to
    which it leads. Maze size (two pictures of 32 x 32, A 2): 358 746 parameters (prior 134 172,
    features 27 528, encoder 141 364, decoder 55 682). The authors' code counts 358 747, because it
    keeps a frozen, unused scalar log-sigma.

    Paper: Pertsch et al. 2020, "Accelerating RL with Learned Skill Priors", Sec. 4 (maze);
    arXiv:2010.11944, the closed-loop variant of the authors' code.
    Deviation: as in `ClosedLoopSpirl`, actions are clipped, not sent through tanh.

    Args:
        observation_space: Of `MazeWorld(observation="image")`, or alike.
        action_space: One-dimensional Box of size A.
        config: Sizes and weights; the default is the authors' maze model.

    Raises:
        ShapeMismatch: If observations do not have the sizes of the configuration.
    """

    type_tag: ClassVar[str] = "spirl_image_cl"

    def __init__(
        self,
        observation_space: gym.Space[Any],
        action_space: gym.Space[Any],
        config: ImageSpirlConfig | None = None,
    ) -> None:
        super().__init__(observation_space, action_space, config)
        self.pictures = PictureEncoder(self.config)
        self._eye: FoldedConv | None = None

    @property
    def feature_size(self) -> int:
        """F."""
        return self.config.picture_features

    def draw(
        self, data: PictureWindows, rng: np.random.Generator, batch_size: int
    ) -> tuple[NDArray[Any], ...]:
        """Observations (B, H+1, O), and actions (B, H+1, A) that lead to them.

        With `prior_noise` also the first observation with noise, (B, O).
        """
        return data.sample(rng, batch_size, self.max_steps + 1, noise=self.config.prior_noise)

    def features(self, observations: Tensor) -> Tensor:
        """Features of the pictures."""
        seen: Tensor = self.pictures(observations)
        return seen

    def encode(self, observations: Tensor, actions: Tensor) -> Gaussian:
        """Posterior from steps [a_t, features of o_(t+1)], (B, H+1, F) and (B, H+1, A)."""
        posterior: Gaussian = self.encoder(torch.cat([actions, observations], dim=-1))
        return posterior

    def seen(self, obs: NDArray[Any]) -> NDArray[np.float32]:
        """Features (B, F) of observations (B, O), in NumPy."""
        if self._eye is None:
            self._eye = FoldedConv(self.pictures.conv)
        pictures = np.asarray(obs[:, self.config.state_size :], np.float32)
        return self._eye(pictures.reshape(len(obs), *self.pictures.shape))

    def __getstate__(self) -> dict[str, Any]:
        """State without controller and encoder, which copies and pickles rebuild."""
        return {**super().__getstate__(), "_eye": None}


class ImageOpenLoopSpirl(PictureSpirl, OpenLoopSpirl):
    """Open-loop skills with a prior that sees pictures: the model of the published maze results.

    The encoder reads the H + 1 actions of a window, the decoder plans the last H. Maze size (two
    pictures of 32 x 32, A 2): 405 716 parameters.

    Paper: Pertsch et al. 2020, "Accelerating RL with Learned Skill Priors", Sec. 4 (maze);
    arXiv:2010.11944.

    Args:
        observation_space: Of `MazeWorld(observation="image")`, or alike.
        action_space: One-dimensional Box of size A.
        config: Sizes and weights; the default is the authors' maze model.

    Raises:
        ShapeMismatch: If observations do not have the sizes of the configuration.
    """

    type_tag: ClassVar[str] = "spirl_image_ol"

    def draw(
        self, data: PictureWindows, rng: np.random.Generator, batch_size: int
    ) -> tuple[NDArray[Any], ...]:
        """The observation (B, 1, O) in which a skill begins, and actions (B, H+1, A) around it.

        With `prior_noise` also the observation with noise, (B, O).
        """
        noise = self.config.prior_noise
        return data.sample(rng, batch_size, self.max_steps + 1, num_observations=1, noise=noise)
