"""PTGM: skills are goals from a small codebook of states, with a prior over the codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skillgym.lazy import lazily

if TYPE_CHECKING:
    from skillgym.skills.ptgm.codebook import Codebook, build_codebook
    from skillgym.skills.ptgm.config import KITCHEN_GOAL, PtgmConfig
    from skillgym.skills.ptgm.features import register_features
    from skillgym.skills.ptgm.model import Ptgm
    from skillgym.skills.ptgm.published import read_published

__all__ = [
    "KITCHEN_GOAL",
    "Codebook",
    "Ptgm",
    "PtgmConfig",
    "build_codebook",
    "read_published",
    "register_features",
]

__getattr__ = lazily(
    __name__,
    {
        "codebook": ("Codebook", "build_codebook"),
        "config": ("KITCHEN_GOAL", "PtgmConfig"),
        "features": ("register_features",),
        "model": ("Ptgm",),
        "published": ("read_published",),
    },
)
