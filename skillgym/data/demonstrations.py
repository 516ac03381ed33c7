"""Demonstrations of a task beside data of no task in particular."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skillgym.data.errors import InvalidTrajectories
from skillgym.data.windows import WindowDataset


@dataclass(frozen=True)
class Demonstrations:
    """What SkiLD learns from.

    Attributes:
        demonstrations: Trajectories of the task.
        task_agnostic: Trajectories of other tasks; they may include the demonstrations.
        limit: Number of demonstrations to train on; all that are not for validation if None.
    """

    demonstrations: WindowDataset
    task_agnostic: WindowDataset
    limit: int | None = None

    def split(
        self, validation: float = 0.1, rng: np.random.Generator | None = None
    ) -> tuple[Demonstrations, Demonstrations]:
        """Split both by episode into training and validation data.

        Deviation: the authors' kitchen demonstrations for validation are copies of those that are
        trained on.

        Args:
            validation: Share of the episodes for validation, rounded up to whole episodes.
            rng: If given, episodes are shuffled first.

        Raises:
            InvalidTrajectories: If a part would be empty, or has fewer episodes than `limit`.
        """
        train, rest = self.demonstrations.split(validation, rng)
        if self.limit is not None:
            if not 0 < self.limit <= train.num_episodes:
                raise InvalidTrajectories(
                    f"{train.num_episodes} demonstrations to train on, of which {self.limit} are "
                    "wanted",
                    f"a number from 1 to {train.num_episodes}",
                )
            train = train.subset(np.arange(self.limit))
        others, other_rest = self.task_agnostic.split(validation, rng)
        return Demonstrations(train, others), Demonstrations(rest, other_rest)
