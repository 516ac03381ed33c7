"""Configuration of SkiLD's model; the defaults are the authors' settings for all worlds."""

from __future__ import annotations

from dataclasses import dataclass

from skillgym.skills.spirl.config import SpirlConfig
from skillgym_envs.core.checks import check_integer, check_range


@dataclass(frozen=True, kw_only=True)
class SkildConfig(SpirlConfig):
    """Configuration of `SkildModel`: that of its skill embedding, and of its other networks.

    The skill posterior has the architecture of the embedding's prior.

    Paper: Pertsch et al. 2021, arXiv:2107.10253; the values of the authors' code.

    Attributes:
        discriminator_size: Width of the discriminator.
        discriminator_layers: Number of square layers of the discriminator.
        fallback_weight: Weight of the divergence of the posterior from the prior in states that are
            not from demonstrations; the paper has no such term (0).
        embedding: Digest of the embedding's tensors; None if they were never frozen.
    """

    discriminator_size: int = 32
    discriminator_layers: int = 3
    fallback_weight: float = 0.0
    embedding: str | None = None

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            InvalidConfig: If one is invalid.
        """
        super().__post_init__()
        check_integer("discriminator_size", self.discriminator_size, 1)
        check_integer("discriminator_layers", self.discriminator_layers, 0)
        check_range("fallback_weight", self.fallback_weight, 0.0)
