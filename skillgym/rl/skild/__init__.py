"""Soft actor-critic that is guided by the skills of demonstrations."""

from skillgym.rl.skild.skild import SkiLD

__all__ = ["SkiLD"]
