"""The published variants of the maze task."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

VariantName = Literal["spirl", "skild", "skimo"]

START = (10.0, 24.0)
"""Start of the published task, in the maze of size 40 and seed 0 [m]."""

GOAL = (18.0, 8.0)
"""Goal of the published task [m]."""


@dataclass(frozen=True)
class Variant:
    """Differences between the published tasks.

    Attributes:
        start_noise: Half-width of the uniform noise on each coordinate of the start [m].
        goal_radius: Distance from the goal at which it counts as reached [m].
        goal_reward: Reward of each step at the goal.
        terminate: Whether reaching the goal ends the episode.
    """

    start_noise: float
    goal_radius: float
    goal_reward: float
    terminate: bool

    def elsewhere(self) -> Variant:
        """The task in mazes other than the published one: no noise, a goal as wide as a cell."""
        return replace(self, start_noise=0.0, goal_radius=0.5)


VARIANTS: dict[str, Variant] = {
    "spirl": Variant(0.0, 1.0, 1.0, False),
    "skild": Variant(2.0, 2.0, 100.0, True),
    "skimo": Variant(2.0, 2.0, 100.0, True),
}
"""Tasks of the papers: SPiRL (arXiv:2010.11944) as of the paper, its radius being 2 in the authors'
code from 2021 on; SkiLD (arXiv:2107.10253) and SkiMo (arXiv:2207.07560), which are the same task.
"""
