"""ReSkill: skills as latent codes, chosen by the noise of a state-conditioned flow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skillgym.lazy import lazily

if TYPE_CHECKING:
    from skillgym.skills.reskill.config import ReskillConfig
    from skillgym.skills.reskill.model import ReskillModel

__all__ = ["ReskillConfig", "ReskillModel"]

__getattr__ = lazily(
    __name__,
    {
        "config": ("ReskillConfig",),
        "model": ("ReskillModel",),
    },
)
