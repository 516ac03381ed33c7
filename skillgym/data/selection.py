"""Selection of demonstrations by the subtasks that they complete."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from skillgym.data.windows import WindowDataset
from skillgym_envs.kitchen.datasets import completed_elements
from skillgym_envs.kitchen.tasks import resolve_tasks


def episodes_of_task(data: WindowDataset, tasks: str | Sequence[str]) -> npt.NDArray[np.int64]:
    """Indices of the kitchen episodes whose first elements are those of a task, in order.

    Paper: Pertsch et al. 2021, "Demonstration-Guided RL with Learned Skills" (SkiLD): an element is
    complete at the first observation nearer than 0.3 to its goal. D4RL's `kitchen-mixed` has 24
    episodes of `"kbts"` and 21 of `"misaligned"`.

    Args:
        data: Kitchen data; `data.subset(...)` of the result gives the demonstrations.
        tasks: Name of a task set or element names.

    Returns:
        Indices, shape (number of such episodes,).
    """
    wanted = resolve_tasks(tasks)
    done = [completed_elements(data.episode(i)[0]) for i in range(data.num_episodes)]
    chosen = [i for i, elements in enumerate(done) if elements[: len(wanted)] == wanted]
    return np.array(chosen, dtype=np.int64)
