"""SkiLD: which skills demonstrations use, and where."""

from __future__ import annotations

from skillgym.skills.skild.config import SkildConfig
from skillgym.skills.skild.discriminator import Discriminator
from skillgym.skills.skild.model import SkildModel

__all__ = ["Discriminator", "SkildConfig", "SkildModel"]
