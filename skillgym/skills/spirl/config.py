"""Configurations of the SPiRL models. The defaults are the authors' kitchen settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from skillgym.checks import check_positive, make_tuple, require
from skillgym_envs.core.checks import check_choice, check_flag, check_integer, check_range


@dataclass(frozen=True, kw_only=True)
class SpirlConfig:
    """Configuration of `ClosedLoopSpirl` and `OpenLoopSpirl`.

    Paper: Pertsch et al. 2020, arXiv:2010.11944; the values of the authors' code.

    Attributes:
        skill_horizon: H, control steps of one skill.
        latent_size: Z, size of the skill latent.
        hidden_size: Width of all networks.
        encoder_size: Width of the encoder's output before the last linear layer (32 in SPiRL's
            office).
        decoder_layers: Square layers of the closed-loop decoder.
        prior_layers: Square layers of the prior.
        prior: Distribution of the prior.
        prior_loss: `"nll"` (default) or the analytic `"kl"` (Gaussian prior only).
        prior_frequencies: Frequencies of sines and cosines that the prior sees besides the
            observation, in cycles per unit; see `prior_positions`. Deviation: the authors have
            none, but train longer.
        prior_positions: How many of the first entries of the observation these are computed from.
        prior_noise: Standard deviations of noise on the observations to which the prior is fitted,
            one for each entry, or none. Deviation: the authors have none. With it, the prior
            generalises to states beside the recorded paths. SkiLD's posterior uses it, too.
        beta: Weight of the mean KL to the unit Gaussian. Maze: 1e-3.
        target_kl: If given, beta is learned, starting at 1, so that the mean KL meets this value,
            in nats per dimension.
        beta_learning_rate: Learning rate of the learned beta.
        latent_bound: Skills are chosen from [-latent_bound, latent_bound]. Deviation: the authors'
            agents use 2, which excludes some of the latents that the decoder was fitted to.
        squash_actions: Send decoded actions of the closed-loop model through tanh, as the authors'
            agent did, instead of clipping them to the action space.
    """

    skill_horizon: int = 10
    latent_size: int = 10
    hidden_size: int = 128
    encoder_size: int = 128
    decoder_layers: int = 5
    prior_layers: int = 6
    prior: Literal["gaussian", "mixture", "flow"] = "gaussian"
    prior_loss: Literal["nll", "kl"] = "nll"
    prior_frequencies: tuple[float, ...] = ()
    prior_positions: int = 0
    prior_noise: tuple[float, ...] = ()
    beta: float = 5e-4
    target_kl: float | None = None
    beta_learning_rate: float = 3e-4
    latent_bound: float = 3.0
    squash_actions: bool = False

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            InvalidConfig: If one cannot work.
        """
        for field in ("prior_frequencies", "prior_noise"):
            for number in make_tuple(self, field):
                check_positive(field, number)
        for field in ("skill_horizon", "latent_size", "hidden_size", "encoder_size"):
            check_integer(field, getattr(self, field), 1)
        for field in ("decoder_layers", "prior_layers", "prior_positions"):
            check_integer(field, getattr(self, field), 0)
        for field in ("latent_bound", "beta_learning_rate"):
            check_positive(field, getattr(self, field))
        check_range("beta", self.beta, 0.0)
        if self.target_kl is not None:
            check_range("target_kl", self.target_kl, 0.0)
        check_choice("prior", self.prior, ("gaussian", "mixture", "flow"))
        check_choice("prior_loss", self.prior_loss, ("nll", "kl"))
        check_flag("squash_actions", self.squash_actions)
        require(
            self,
            "prior_positions",
            bool(self.prior_positions) == bool(self.prior_frequencies),
            "at least 1 with prior_frequencies, and 0 without",
        )
        require(
            self,
            "prior_loss",
            self.prior_loss == "nll" or self.prior == "gaussian",
            "nll for a mixture or a flow, whose KL has no closed form",
        )
        even = self.prior != "flow" or self.latent_size % 2 == 0
        require(self, "latent_size", even, "an even number for a flow prior")


@dataclass(frozen=True, kw_only=True)
class ImageSpirlConfig(SpirlConfig):
    """Configuration of `ImageClosedLoopSpirl` and `ImageOpenLoopSpirl`.

    The defaults are the authors' maze settings, for which these fields of `SpirlConfig` have other
    values: `encoder_size` 32, `decoder_layers` 3, `beta` 1e-2. `prior_noise` is that of the ball's
    position [m] and velocity [m/s] in the pictures that the prior is fitted to.

    Attributes:
        state_size: How many numbers precede the pictures in an observation; the model ignores them.
        image_size: Rows and columns of a picture, a power of two from 8 on [pixel].
        image_channels: Channels of all pictures together: two pictures with red, green and blue.
        conv_channels: Channels after the first convolution.
        picture_features: F, size of the features of pictures.
    """

    encoder_size: int = 32
    decoder_layers: int = 3
    beta: float = 1e-2
    state_size: int = 4
    image_size: int = 32
    image_channels: int = 6
    conv_channels: int = 8
    picture_features: int = 32

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            InvalidConfig: If one cannot work.
        """
        super().__post_init__()
        size = self.image_size
        check_integer("image_size", size, 8)
        require(self, "image_size", size & (size - 1) == 0, "a power of two")
        check_integer("state_size", self.state_size, 0)
        for field in ("image_channels", "conv_channels", "picture_features"):
            check_integer(field, getattr(self, field), 1)
        frequencies, noise = self.prior_frequencies, self.prior_noise
        require(self, "prior_frequencies", frequencies == (), "() for a prior that sees pictures")
        require(self, "prior_noise", len(noise) in (0, 2), "two numbers, or none")


@dataclass(frozen=True, kw_only=True)
class FlatPriorConfig:
    """Configuration of `FlatPrior`, the single-step action prior and behaviour-cloning baseline.

    Attributes:
        hidden_size: Width of the network.
        num_layers: Number of square layers.
    """

    hidden_size: int = 128
    num_layers: int = 5

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            InvalidConfig: If one cannot work.
        """
        check_integer("hidden_size", self.hidden_size, 1)
        check_integer("num_layers", self.num_layers, 0)
