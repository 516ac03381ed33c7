"""Functions that read a dataset of any format."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
from minari import MinariDataset

from skillgym.data.d4rl_reader import read_d4rl
from skillgym.data.minari_reader import (
    Source,
    check_number,
    read_minari,
    read_minari_transitions,
    read_world_keywords,
)
from skillgym.data.pictures import PictureWindows
from skillgym.data.transitions import Transitions
from skillgym.data.windows import WindowDataset
from skillgym.errors import InvalidConfig


def load_windows(source: Source) -> WindowDataset:
    """Read a dataset into memory: a D4RL `.hdf5` file, a Minari id, or a Minari folder.

    Args:
        source: Its name; with `[:N]` at the end only its first N episodes. Or an open Minari
            dataset, of which the episodes that it was filtered for are read.

    Raises:
        InvalidTrajectories: If it has fewer than N, or its actions are not continuous.
        DatasetNotFound: If it is not there; the message has the command that makes it, if any.
        DatasetFileNotFound: If it is the path of an `.hdf5` file that is not there.
        UnreadableDataset: If it is damaged or of an unknown format.
    """
    name, number = split_name(source)
    is_minari = isinstance(name, MinariDataset) or not _is_file(Path(name))
    data = read_minari(name) if is_minari else read_d4rl(name)
    if number is None:
        return data
    check_number(name, number, data.num_episodes)
    return data.subset(np.arange(number))


def load_pictures(source: Source) -> PictureWindows:
    """Read a dataset of the maze into memory; its pictures are rendered when they are needed.

    Args:
        source: Minari id or folder of a dataset of states that was made by `skillgym collect`;
            with `[:N]` at the end only its first N episodes. Or an open one.

    Raises:
        InvalidTrajectories: If it has fewer than N.
        DatasetNotFound: If it is not there; the message has the command that makes it, if any.
        UnreadableDataset: If it is damaged, or does not say in which maze an episode is.
    """
    name, number = split_name(source)
    data = PictureWindows.of_worlds(read_minari(name), read_world_keywords(name))
    if number is None:
        return data
    check_number(name, number, data.windows.num_episodes)
    return data.subset(np.arange(number))


def load_transitions(source: Source) -> Transitions:
    """Read a dataset with rewards into memory: a Minari id, or a Minari folder.

    Args:
        source: Its name; with `[:N]` at the end only its first N episodes. Or an open Minari
            dataset, of which the episodes that it was filtered for are read.

    Raises:
        InvalidTrajectories: If it has fewer than N, or its actions are not continuous.
        DatasetNotFound: If it is not there; the message has the command that makes it, if any.
        UnreadableDataset: If it is damaged or of an unknown format.
    """
    return read_minari_transitions(*split_name(source))


def _is_file(path: Path) -> bool:
    return path.is_file() or path.suffix in (".hdf5", ".h5")


def split_name(source: Source) -> tuple[Source, int | None]:
    """A dataset's name without its `[:N]`, and N (None for all episodes); `~` is expanded.

    Raises:
        InvalidConfig: If the brackets at its end contain anything else.
    """
    if isinstance(source, MinariDataset):
        return source, None
    name = os.path.expanduser(source)
    found = re.fullmatch(r"(.+)\[(.*)\]", name)
    if found is None or Path(name).exists():
        return name, None
    if not re.fullmatch(r":\d+", found[2]):
        raise InvalidConfig("dataset", name, f"{found[1]}[:N] for the first N episodes")
    return found[1], int(found[2][1:])
