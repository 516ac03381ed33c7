"""Configuration of ReSkill's model. The defaults are the authors' settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from skillgym.errors import InvalidConfig

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
        beta: Weight of the mean KL to the unit Gaussian, summed over the latent. The authors weigh
            the sum over a batch of 128 windows by 1e-8, which makes an autoencoder.
        prior: Which distribution of latents noise is turned into: the `"flow"` of the paper, a
            state-conditioned `"gaussian"` (the prior of SPiRL), or the `"unit"` Gaussian of the
            paper's ablation without a prior, where noise is the latent.
        flow_layers: Coupling layers of the flow; even.
        flow_size: Width of its networks.
        prior_learning_rate: Learning rate of the prior; that of the trainer is for the rest.
        prior_decay: Factor of the prior's learning rate after every step.
        noise_bound: Skills are chosen from [-noise_bound, noise_bound]. Deviation: the authors have
            no bound; one sample of the prior in 400 000 is cut.
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
        """Check the values; a list, which JSON has in place of a tuple, becomes a tuple.

        Raises:
            InvalidConfig: If one cannot work.
        """
        object.__setattr__(self, "layer_sizes", tuple(self.layer_sizes))
        for field in ("skill_horizon", "latent_size", "encoder_size", "flow_size"):
            self._require(field, getattr(self, field) >= 1, "at least 1")
        self._require("layer_sizes", min(self.layer_sizes, default=1) >= 1, "sizes of at least 1")
        self._require("beta", self.beta >= 0, "at least 0")
        self._require("prior", self.prior in ("flow", "gaussian", "unit"), "flow, gaussian or unit")
        even = self.flow_layers % 2 == 0 and self.flow_layers > 0
        self._require("flow_layers", even, "a positive even number")
        even = self.prior != "flow" or self.latent_size % 2 == 0
        self._require("latent_size", even, "an even number for a flow")
        for field in ("prior_learning_rate", "noise_bound"):
            self._require(field, getattr(self, field) > 0, "a positive number")
        self._require("prior_decay", 0 < self.prior_decay <= 1, "above 0, at most 1")

    def _require(self, field: str, valid: bool, expected: str) -> None:
        if not valid:
            raise InvalidConfig(field, getattr(self, field), expected)
