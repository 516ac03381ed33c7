"""Functions that read a dataset of any format."""

from __future__ import annotations

from pathlib import Path

from skillgym.data.d4rl_reader import read_d4rl
from skillgym.data.minari_reader import read_minari, read_minari_transitions
from skillgym.data.transitions import Transitions
from skillgym.data.windows import WindowDataset


def load_windows(source: str | Path) -> WindowDataset:
    """Read a dataset into memory: a D4RL `.hdf5` file, a Minari id, or a Minari folder.

    Raises:
        DatasetNotFound: If it is not there; the message has the command that makes it.
        UnreadableDataset: If it is damaged or of an unknown format.
    """
    path = Path(source)
    if path.is_file() or path.suffix in (".hdf5", ".h5"):
        return read_d4rl(path)
    return read_minari(source)


def load_transitions(source: str | Path) -> Transitions:
    """Read a dataset with rewards into memory: a Minari id, or a Minari folder.

    Raises:
        DatasetNotFound: If it is not there; the message has the command that makes it.
        UnreadableDataset: If it is damaged or of an unknown format.
    """
    return read_minari_transitions(source)
