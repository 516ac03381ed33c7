"""Demonstrations of a task, together with task-agnostic data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skillgym.data.windows import WindowDataset


@dataclass(frozen=True)
class Demonstrations:
    """Training data of SkiLD.

    Attributes:
        demonstrations: Trajectories of the task.
        task_agnostic: Trajectories of other tasks; they may include the demonstrations.
    """

    demonstrations: WindowDataset
    task_agnostic: WindowDataset

    def split(
        self, validation: float = 0.1, rng: np.random.Generator | None = None
    ) -> tuple[Demonstrations, Demonstrations]:
        """Split both by episode into training and validation data.

        Deviation: the authors' kitchen demonstrations for validation are copies of those for
        training.

        Args:
            validation: Share of the episodes for validation, rounded up to whole episodes.
            rng: If given, episodes are shuffled first.

        Raises:
            InvalidTrajectories: If a part would be empty.
        """
        train, rest = self.demonstrations.split(validation, rng)
        others, other_rest = self.task_agnostic.split(validation, rng)
        return Demonstrations(train, others), Demonstrations(rest, other_rest)
