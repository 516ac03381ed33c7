"""Soft actor-critic whose reward is how much its states look like demonstrations."""

from skillgym.rl.gail.gail import GAIL

__all__ = ["GAIL"]
