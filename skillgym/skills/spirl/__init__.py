"""SPiRL: skills as latent codes of action windows, with a state-conditioned prior."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skillgym.lazy import lazily

if TYPE_CHECKING:
    from skillgym.skills.spirl.config import FlatPriorConfig, ImageSpirlConfig, SpirlConfig
    from skillgym.skills.spirl.flat import FlatPrior
    from skillgym.skills.spirl.image import ImageClosedLoopSpirl, ImageOpenLoopSpirl
    from skillgym.skills.spirl.model import ClosedLoopSpirl, OpenLoopSpirl

__all__ = [
    "ClosedLoopSpirl",
    "FlatPrior",
    "FlatPriorConfig",
    "ImageClosedLoopSpirl",
    "ImageOpenLoopSpirl",
    "ImageSpirlConfig",
    "OpenLoopSpirl",
    "SpirlConfig",
]

__getattr__ = lazily(
    __name__,
    {
        "config": ("FlatPriorConfig", "ImageSpirlConfig", "SpirlConfig"),
        "flat": ("FlatPrior",),
        "image": ("ImageClosedLoopSpirl", "ImageOpenLoopSpirl"),
        "model": ("ClosedLoopSpirl", "OpenLoopSpirl"),
    },
)
