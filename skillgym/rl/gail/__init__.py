"""Soft actor-critic that is rewarded for states that look like demonstrations."""

from skillgym.rl.gail.gail import GAIL

__all__ = ["GAIL"]
