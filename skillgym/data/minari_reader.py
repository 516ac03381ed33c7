"""Reader of Minari datasets: ours, and Minari's own `D4RL/kitchen/*-v2`."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from minari import MinariDataset
from minari.storage import get_dataset_path

from skillgym.data.errors import (
    DatasetNotFound,
    InvalidTrajectories,
    SimulatorVersionWarning,
    UnreadableDataset,
)
from skillgym.data.kitchen_formats import from_d4rl_v2, is_d4rl_v2
from skillgym.data.transitions import Transitions
from skillgym.data.windows import WindowDataset, not_continuous
from skillgym.errors import SkillgymError
from skillgym_envs.collect import registered_datasets
from skillgym_envs.collect.spec import SEED_OF_EPISODE

Source: TypeAlias = str | Path | MinariDataset


class _Episode(NamedTuple):
    """The parts of an episode that are kept; all pictures and infos might not fit into memory."""

    observations: npt.NDArray[np.floating[Any]]
    actions: npt.NDArray[np.floating[Any]]
    rewards: npt.NDArray[np.floating[Any]]
    terminations: npt.NDArray[np.bool_]


def read_minari(source: Source) -> WindowDataset:
    """Read a Minari dataset into memory.

    Flat observations are read unchanged, and of dictionaries the `state` is read; those of
    `D4RL/kitchen/*-v2` are converted to the kitchen's 60-D observation.

    Args:
        source: Minari id, looked up in the local dataset folder, the path of a dataset, or an open
            dataset.

    Returns:
        Windows over all its episodes.

    Raises:
        InvalidTrajectories: If it has no episodes, its actions are not continuous, or its arrays
            do not fit together or hold NaN or infinity.
        DatasetNotFound: If it is not there.
        UnreadableDataset: If it is damaged or its observations are of an unknown kind.

    Warns:
        SimulatorVersionWarning: If it was recorded with another MuJoCo version.
    """
    return WindowDataset.from_episodes(_episodes(source))


def read_minari_transitions(source: Source, number: int | None = None) -> Transitions:
    """Read a Minari dataset with its rewards.

    Args:
        source: As in `read_minari`.
        number: Read only this many of its first episodes; all if None.

    Raises:
        InvalidTrajectories: If it has fewer, or as in `read_minari`.
        DatasetNotFound: If it is not there.
        UnreadableDataset: If it is damaged or its observations are of an unknown kind.

    Warns:
        SimulatorVersionWarning: If it was recorded with another MuJoCo version.
    """
    episodes = _episodes(source)
    if number is not None:
        check_number(source, number, len(episodes))
        episodes = episodes[:number]
    data = WindowDataset.from_episodes(episodes)
    for index, episode in enumerate(episodes):
        _check_rewards(index, episode)
    rows = np.delete(np.arange(len(data.actions)), data.episode_ends - 1)
    return Transitions(
        data.observations[rows],
        data.actions[rows],
        np.concatenate([episode.rewards for episode in episodes], dtype=np.float32),
        data.observations[rows + 1],
        np.concatenate([episode.terminations for episode in episodes]).astype(bool),
    )


def _check_rewards(index: int, episode: _Episode) -> None:
    for name in ("rewards", "terminations"):
        array, expected = getattr(episode, name), (len(episode.actions),)
        if array.shape != expected or not np.isfinite(array).all():
            raise InvalidTrajectories(
                f"episode {index} with {name} of shape {array.shape}",
                f"one finite number for each of its {expected[0]} actions",
            )


def read_world_keywords(source: Source) -> list[dict[str, Any]]:
    """Keywords of the world in which each episode of one of our datasets was recorded.

    Args:
        source: As in `read_minari`.

    Raises:
        DatasetNotFound: If it is not there.
        UnreadableDataset: If it is damaged, or does not have them.
    """
    with _reading(source) as dataset:
        metadata = dataset.storage.metadata
        facts = list(dataset.storage.get_episode_metadata(dataset.episode_indices))
    if "env" not in metadata:
        problem = "it does not name the world of each episode"
        remedy = "give one that `skillgym collect` has made"
        raise UnreadableDataset(dataset.storage.data_path, problem, remedy)
    _, keywords = metadata["env"]
    seeds = [episode["seed"] for episode in facts]
    own = [name for name, value in keywords.items() if value == SEED_OF_EPISODE]
    return [{**keywords, **dict.fromkeys(own, seed)} for seed in seeds]


@contextmanager
def _reading(source: Source) -> Iterator[MinariDataset]:
    """Open the dataset, and name it in the error if it cannot be read."""
    path = source.storage.data_path if isinstance(source, MinariDataset) else _locate(source)
    try:
        yield source if isinstance(source, MinariDataset) else MinariDataset(path)
    except SkillgymError:
        raise
    except (OSError, KeyError, ValueError, AssertionError, RuntimeError) as error:
        problem = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UnreadableDataset(path, problem, _remedy(_name(source))) from error


def _name(source: Source) -> str:
    return source.id if isinstance(source, MinariDataset) else str(source)


def check_number(source: Source, number: int, available: int) -> None:
    """Check that a dataset has this many episodes.

    Raises:
        InvalidTrajectories: If it has fewer.
    """
    if not 0 < number <= available:
        raise InvalidTrajectories(
            f"the first {number} episodes of {source}", f"1 to {available}, as many as it has"
        )


def _episodes(source: Source) -> list[_Episode]:
    """The episodes of a dataset whose observations and actions can be read."""
    with _reading(source) as dataset:
        metadata = dataset.storage.metadata
        if not isinstance(dataset.action_space, spaces.Box):
            raise not_continuous(f"actions of {dataset.action_space}")
        if not _is_readable(dataset.observation_space):
            problem = f"its observation space is {dataset.observation_space}"
            remedy = "flatten it to a Box, or give a dataset of D4RL/kitchen"
            raise UnreadableDataset(dataset.storage.data_path, problem, remedy)
        episodes = [
            _Episode(_flat(each.observations), each.actions, each.rewards, each.terminations)
            for each in dataset
        ]
    _warn_of_other_simulator(_name(source), metadata)
    return episodes


def _is_readable(space: spaces.Space[Any]) -> bool:
    if isinstance(space, spaces.Dict) and "state" in space.spaces:
        return _is_readable(space["state"])
    if isinstance(space, spaces.Dict):
        return is_d4rl_v2(space)
    return isinstance(space, spaces.Box) and len(space.shape) == 1


def _flat(observations: Any) -> npt.NDArray[np.floating[Any]]:
    if isinstance(observations, dict) and "state" in observations:
        return np.asarray(observations["state"])
    if isinstance(observations, dict):
        return from_d4rl_v2(observations["observation"])
    return np.asarray(observations)


def _locate(source: str | Path) -> Path:
    root = get_dataset_path()
    for folder in (Path(source), Path(source) / "data", root / source / "data"):
        if (folder / "metadata.json").exists():
            return folder
    for folder in (root / source, Path(source)):
        if (folder / "data").exists() or (folder / "main_data.hdf5").exists():
            raise UnreadableDataset(folder, "it has no metadata.json", _remedy(str(source)))
    local = [
        str(file.parents[1].relative_to(root))
        for file in root.rglob("data/metadata.json")
        if not any(part.startswith(".") for part in file.relative_to(root).parts)
    ]
    raise DatasetNotFound(str(source), root, local, _origin(str(source)))


def _origin(name: str) -> tuple[str, str] | None:
    """A command that makes a dataset, and the dataset's id: `name`, or the nearest known one."""
    if name.startswith("D4RL/"):
        return f"minari download {name}", name
    if not name.startswith("skillgym/"):
        return None
    commands = {make(0).dataset_id: command for command, make in registered_datasets().items()}
    closest = get_close_matches(name, commands, n=1)
    return (f"skillgym collect {commands[closest[0]]}", closest[0]) if closest else None


def _remedy(name: str) -> str:
    """What to do about a damaged dataset; only those that a command can make may be deleted."""
    command, given = _origin(name) or ("", "")
    return f"delete it and run `{command}`" if given == name else "copy or record it again"


def _warn_of_other_simulator(source: str, metadata: dict[str, Any]) -> None:
    recorded, installed = metadata.get("mujoco"), version("mujoco")
    if recorded is not None and recorded != installed:
        warnings.warn(
            f"The dataset {source} was recorded with MuJoCo {recorded}, but {installed} is "
            "installed; its actions may not replay, and agents may score differently.",
            SimulatorVersionWarning,
            stacklevel=4,
        )
