"""Readers of the files that the original projects distribute or record.

Letters: `T` actions of a trajectory, `O` observation size, `A` action size. None of these files has
the observation after the last action, so this action (and its reward) is left out, except at the
end of a SPiRL file with rewards.
"""

from __future__ import annotations

import gzip
import pickle
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import ArrayLike, NDArray

from skillgym.data.errors import UnreadableDataset, UntrustedPickle
from skillgym_envs.core.checks import check_choice


class Trajectory(NamedTuple):
    """One recorded trajectory.

    Attributes:
        observations: (T+1, O) float32.
        actions: (T, A) float32.
        rewards: (T,); zeros if none were recorded.
        images: (T+1, height, width, 3) uint8, if there are any.
        terminated: Whether the last action led to a terminal state. The observation after it then
            does not matter and equals the one before.
    """

    observations: NDArray[np.float32]
    actions: NDArray[np.float32]
    rewards: NDArray[np.float64]
    images: NDArray[np.uint8] | None = None
    terminated: bool = False

    @property
    def arrays(self) -> list[NDArray[Any]]:
        """All recorded arrays."""
        return [array for array in self[:4] if array is not None]


Reader = Callable[[Path], Iterator[Trajectory]]


@dataclass(frozen=True)
class Format:
    """A file format.

    Attributes:
        what: Short description.
        files: Pattern of the files in a folder; a source may also be one file.
        read: Reads a file (or a folder, if `files` is None).
        pickled: Whether reading runs code that the file contains.
    """

    what: str
    files: str | None
    read: Reader
    pickled: bool = False


def read_trajectories(source: str | Path, kind: str, trust: bool = False) -> Iterator[Trajectory]:
    """Read the trajectories of a file or folder, files in the order of their paths.

    Args:
        source: File, or folder that is searched recursively.
        kind: Key of `FORMATS`.
        trust: Whether to read formats that are pickles: reading one runs any code that its author
            put into it.

    Yields:
        Trajectories of at least one action.

    Raises:
        UntrustedPickle: If the format is a pickle and `trust` is not given.
        UnreadableDataset: If there is no such file, or one is damaged, of another format, or has
            numbers that are not finite.
        UnknownChoice: If there is no such kind.
    """
    check_choice("kind", kind, FORMATS)
    source, form = Path(source), FORMATS[kind]
    if form.pickled and not trust:
        raise UntrustedPickle(source)
    for path in _files(source, form):
        with _explained(path, kind):
            for trajectory in form.read(path):
                if len(trajectory.actions):
                    yield trajectory


def _files(source: Path, form: Format) -> list[Path]:
    found = [source] if source.exists() else []
    if source.is_dir() and form.files is not None:
        found = sorted(source.rglob(form.files))
    if not found:
        raise UnreadableDataset(source, "there is nothing of this kind", "check the path")
    return found


@contextmanager
def _explained(path: Path, kind: str) -> Iterator[None]:
    """Turn any error from a damaged or foreign file into one sentence."""
    try:
        yield
    except UnreadableDataset:
        raise
    except (
        *(OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, ImportError),
        *(IndexError, RuntimeError, pickle.UnpicklingError, zipfile.BadZipFile),
    ) as error:
        problem = f"{type(error).__name__}: {error}".splitlines()[0]
        remedy = f"check that it is a complete file of the format {kind!r}"
        raise UnreadableDataset(path, problem, remedy) from error


def _trajectory(
    observations: ArrayLike,
    actions: ArrayLike,
    rewards: ArrayLike | None = None,
    images: NDArray[np.uint8] | None = None,
    terminated: bool = False,
) -> Trajectory:
    """A trajectory from rows of each array, without the last action and its reward.

    If the trajectory ends in a terminal state, these are kept and the last observation is repeated.
    """
    states, moves = np.asarray(observations, np.float32), np.asarray(actions, np.float32)
    if states.ndim != 2 or moves.ndim != 2 or len(states) != len(moves):
        raise ValueError(f"observations {states.shape} and actions {moves.shape} do not fit")
    earned = np.zeros(len(moves)) if rewards is None else np.asarray(rewards, np.float64).ravel()
    if len(earned) != len(moves):
        raise ValueError(f"{len(earned)} rewards for {len(moves)} actions")
    if images is not None and len(images) != len(states):
        raise ValueError(f"{len(images)} images for {len(states)} observations")
    if terminated:
        states = np.concatenate([states, states[-1:]])
        images = None if images is None else np.concatenate([images, images[-1:]])
    steps = len(states) - 1
    kept = Trajectory(states, moves[:steps], earned[:steps], images, terminated)
    if len(kept.actions) and not all(np.isfinite(array).all() for array in kept[:3]):
        raise ValueError("observations, actions or rewards are not finite")
    return kept


class _Record(dict[str, Any]):
    """An object of a class that is not installed, such as ReSkill's dictionary class."""

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        """Take over the object's attributes."""
        self.update(state)


class _Unpickler(pickle.Unpickler):
    """Reads pickles of the original projects without their packages."""

    def find_class(self, module: str, name: str) -> Any:
        """The class of this name, or `_Record` if it is not installed."""
        try:
            return super().find_class(module, name)
        except (ImportError, AttributeError):
            return _Record


def _read_spirl(path: Path) -> Iterator[Trajectory]:
    """HDF5 with groups `traj0`...: states, actions, pad_mask, perhaps rewards and images.

    `pad_mask` is one before the first terminal row, which is the last row of the trajectory
    (SPiRL's loader drops it, although its state was reached). With rewards, the action of this row
    is kept, too: it earns the reward of the last subtask.
    """
    with h5py.File(path, "r") as file:
        for index in range(int(file["traj_per_file"][()])):
            group = file[f"traj{index}"]
            valid = int(np.sum(group["pad_mask"][:] > 0))
            rows = slice(0, valid + 1)
            terminated = "rewards" in group and valid < len(group["states"])
            rewards = group["rewards"][rows] if "rewards" in group else None
            images = group["images"][rows] if "images" in group else None
            if images is not None and min(images.shape[1:3]) <= 2:  # placeholders
                images = None
            yield _trajectory(
                group["states"][rows], group["actions"][rows], rewards, images, terminated
            )


def _read_skimo(path: Path) -> Iterator[Trajectory]:
    """Gzipped pickle of a list of dictionaries with `obs`, `actions` and `dones`.

    As in SkiMo's loader, a row that is done ends a trajectory, so that padding becomes trajectories
    of one row, and an item with fewer observations than flags is skipped.
    """
    with gzip.open(path, "rb") as file:
        for item in _Unpickler(file).load():
            states, moves = np.asarray(item["obs"]), np.asarray(item["actions"])
            done = np.asarray(item["dones"]).ravel()
            if len(states) < len(done):
                continue
            ends = np.flatnonzero(done[:-1]) + 1
            for rows in zip(np.split(states, ends), np.split(moves, ends), strict=True):
                yield _trajectory(*rows)


def _read_reskill(path: Path) -> Iterator[Trajectory]:
    """NumPy object array of records with lists `obs` and `actions`."""
    with path.open("rb") as file:
        np.lib.format.read_magic(file)
        np.lib.format.read_array_header_1_0(file)  # followed by the pickled array
        records = _Unpickler(file).load()
    for record in records:
        yield _trajectory(np.stack(record["obs"]), np.stack(record["actions"]))


def _read_calvin(path: Path) -> Iterator[Trajectory]:
    """Folder with a file per time step and `ep_start_end_ids.npy`: a trajectory per session.

    Observations are `robot_obs` (15) and `scene_obs` (24), actions the relative ones.
    """
    sessions = np.load(path / "ep_start_end_ids.npy").reshape(-1, 2)
    for first, last in sessions.tolist():
        states, actions = [], []
        for step in range(first, last + 1):
            with np.load(path / f"episode_{step:07d}.npz") as frame:
                states.append(np.concatenate([frame["robot_obs"], frame["scene_obs"]]))
                actions.append(frame["rel_actions"])
        yield _trajectory(np.stack(states), np.stack(actions))


FORMATS: dict[str, Format] = {
    "spirl": Format("maze and office recordings of SPiRL and SkiLD (.h5)", "*.h5", _read_spirl),
    "skimo": Format("data of SkiMo (.gz)", "*.gz", _read_skimo, pickled=True),
    "reskill": Format("demonstrations of ReSkill (demos.npy)", "demos.npy", _read_reskill, True),
    "calvin": Format("a split of CALVIN's play data, such as training/", None, _read_calvin),
}
"""Formats that `skillgym convert` reads."""
