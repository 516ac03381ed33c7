"""Reader of D4RL's `kitchen-*-v0` HDF5 files."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from skillgym.data.errors import DatasetFileNotFound, UnreadableDataset
from skillgym.data.kitchen_formats import D4RL_V0_WIDTH, from_d4rl_v0
from skillgym.data.windows import WindowDataset

_KEYS = ("observations", "actions", "terminals")


def read_d4rl(path: str | Path) -> WindowDataset:
    """Read a D4RL kitchen file: flat arrays, an episode ending at every true `terminals`.

    The last action of each episode has no recorded outcome and is never in a window. Episodes also
    end at a true `timeouts`, if the file has them, and at the end of the file.

    Args:
        path: The `.hdf5` file.

    Returns:
        Windows over all its episodes.

    Raises:
        DatasetFileNotFound: If there is no such file.
        UnreadableDataset: If the file is damaged or not a D4RL kitchen file.
    """
    path = Path(path)
    if not path.exists():
        raise DatasetFileNotFound(path)
    try:
        with h5py.File(path, "r") as file:
            if missing := [key for key in _KEYS if key not in file]:
                raise UnreadableDataset(
                    path,
                    f"it lacks {', '.join(missing)}",
                    f"give a D4RL kitchen file with {', '.join(_KEYS)}",
                )
            observations, actions, ends = (file[key][:] for key in _KEYS)
            if "timeouts" in file:
                ends = np.logical_or(ends, file["timeouts"][:])
    except UnreadableDataset:
        raise
    except (OSError, RuntimeError, TypeError) as error:
        problem = str(error).splitlines()[0]
        raise UnreadableDataset(path, problem, "copy or download it again") from error
    if observations.ndim != 2 or observations.shape[1] != D4RL_V0_WIDTH:
        raise UnreadableDataset(
            path,
            f"its observations have the shape {observations.shape}",
            f"give a D4RL kitchen file, which has (N, {D4RL_V0_WIDTH})",
        )
    marked = np.flatnonzero(np.asarray(ends, bool)) + 1
    return WindowDataset(
        from_d4rl_v0(observations), actions, np.union1d(marked, [len(observations)])
    )
