"""Configuration of ReSkill's model. The defaults are the authors' settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from skillgym.checks import check_positive, make_tuple, require
from skillgym_envs.core.checks import check_choice, check_integer, check_range

AUTHORS_BATCH, AUTHORS_EPOCH = 128, 309
"""Windows of one update, and updates of one epoch (39 600 trajectories), in the authors' code."""


@dataclass(frozen=True, kw_only=True)
class ReskillConfig:
    """Configuration of `ReskillModel`.

    Paper: Rana et al. 2022, "Residual Skill Policies", arXiv:2211.02231; the values of the authors'
    code.

    Attributes:
        skill_horizon: H, control steps of one skill.
        latent_size: Z, size of the skill latent and of the noise; even.
        encoder_size: Width of the encoder's LSTM.
        layer_sizes: Hidden layers of the encoder's head and of the decoder.
        beta: Weight of the mean KL to the unit Gaussian, summed over the latent. The authors weight
            the sum over a batch of 128 windows by 1e-8, so that the model is an autoencoder.
        prior: Distribution of latents into which noise is turned: the `"flow"` of the paper, a
            state-conditioned `"gaussian"` (the prior of SPiRL), or the `"unit"` Gaussian of the
            paper's ablation without a prior, where noise is the latent.
        flow_layers: Number of coupling layers of the flow; even.
        flow_size: Width of the flow's networks.
        prior_learning_rate: Learning rate of the prior; all else has that of the trainer.
        prior_decay: Factor of the prior's learning rate after every step.
        noise_bound: Skills are chosen from [-noise_bound, noise_bound]. Deviation: the authors have
            no bound; one sample of the prior in 400 000 is clipped.
    """

    skill_horizon: int = 10
    latent_size: int = 4
    encoder_size: int = 128
    layer_sizes: tuple[int, ...] = (64, 32)
    beta: float = 1e-8 * AUTHORS_BATCH
    prior: Literal["flow", "gaussian", "unit"] = "flow"
    flow_layers: int = 4
    flow_size: int = 512
    prior_learning_rate: float = 1e-3
    prior_decay: float = 0.999 ** (1 / AUTHORS_EPOCH)
    noise_bound: float = 5.0

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            InvalidConfig: If one is invalid.
        """
        for field in ("skill_horizon", "latent_size", "encoder_size", "flow_layers", "flow_size"):
            check_integer(field, getattr(self, field), 1)
        for size in make_tuple(self, "layer_sizes"):
            check_integer("layer_sizes", size, 1)
        for field in ("prior_learning_rate", "prior_decay", "noise_bound"):
            check_positive(field, getattr(self, field))
        check_range("prior_decay", self.prior_decay, 0.0, 1.0)
        check_range("beta", self.beta, 0.0)
        check_choice("prior", self.prior, ("flow", "gaussian", "unit"))
        require(self, "flow_layers", self.flow_layers % 2 == 0, "an even number")
        even = self.prior != "flow" or self.latent_size % 2 == 0
        require(self, "latent_size", even, "an even number for a flow")
