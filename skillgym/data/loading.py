"""Functions that read a dataset of any format."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from skillgym.data.d4rl_reader import read_d4rl
from skillgym.data.minari_reader import (
    check_number,
    read_minari,
    read_minari_transitions,
    read_world_keywords,
)
from skillgym.data.pictures import PictureWindows
from skillgym.data.transitions import Transitions
from skillgym.data.windows import WindowDataset
from skillgym.errors import InvalidConfig


def load_windows(source: str | Path) -> WindowDataset:
    """Read a dataset into memory: a D4RL `.hdf5` file, a Minari id, or a Minari folder.

    Args:
        source: Its name; with `[:N]` at the end only its first N episodes.

    Raises:
        InvalidTrajectories: If it has fewer than N.
        DatasetNotFound: If it is not there; the message has the command that makes it.
        UnreadableDataset: If it is damaged or of an unknown format.
    """
    source, number = split_name(source)
    path = Path(source)
    is_d4rl = path.is_file() or path.suffix in (".hdf5", ".h5")
    data = read_d4rl(path) if is_d4rl else read_minari(source)
    if number is None:
        return data
    check_number(source, number, data.num_episodes)
    return data.subset(np.arange(number))


def load_pictures(source: str | Path) -> PictureWindows:
    """Read a dataset of the maze into memory; its pictures are drawn when they are needed.

    Args:
        source: Minari id or folder of a dataset of states that was made by `skillgym collect`;
            with `[:N]` at the end only its first N episodes.

    Raises:
        InvalidTrajectories: If it has fewer than N.
        DatasetNotFound: If it is not there; the message has the command that makes it.
        UnreadableDataset: If it is damaged, or does not tell which maze an episode is in.
    """
    name, number = split_name(source)
    data = PictureWindows.of_worlds(read_minari(name), read_world_keywords(name))
    if number is None:
        return data
    check_number(name, number, data.windows.num_episodes)
    return data.subset(np.arange(number))


def load_transitions(source: str | Path) -> Transitions:
    """Read a dataset with rewards into memory: a Minari id, or a Minari folder.

    Args:
        source: Its name; with `[:N]` at the end only its first N episodes.

    Raises:
        InvalidTrajectories: If it has fewer than N.
        DatasetNotFound: If it is not there; the message has the command that makes it.
        UnreadableDataset: If it is damaged or of an unknown format.
    """
    return read_minari_transitions(*split_name(source))


def split_name(source: str | Path) -> tuple[str | Path, int | None]:
    """A dataset's name without its `[:N]`, and N (None for all episodes).

    Raises:
        InvalidConfig: If what stands in brackets at its end is something else.
    """
    found = re.fullmatch(r"(.+)\[(.*)\]", str(source))
    if found is None or Path(source).exists():
        return source, None
    if not re.fullmatch(r":\d+", found[2]):
        raise InvalidConfig("dataset", str(source), f"{found[1]}[:N] for the first N episodes")
    return found[1], int(found[2][1:])
