"""Writes finished episodes as a Minari dataset, completely or not at all."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gymnasium as gym
import minari
import numpy as np
from gymnasium import spaces
from minari.data_collector import EpisodeBuffer
from minari.namespace import create_namespace, list_local_namespaces
from numpy.typing import NDArray

import skillgym_envs
from skillgym_envs.collect.episodes import Episode
from skillgym_envs.collect.spec import DatasetSpec
from skillgym_envs.core.files import replace_directory, sync
from skillgym_envs.core.versions import package_versions

LICENCE = "MIT"
AUTHOR = "The skillgym authors"
PACKAGES = ("mujoco", "gymnasium", "gymnasium-robotics", "numpy", "minari")


def assemble(
    spec: DatasetSpec, episodes: Sequence[Episode], root: Path, work: Path, wall_seconds: float
) -> Path:
    """Write the dataset in a work folder and move it to its place in one step.

    Args:
        spec: Specification of the dataset.
        episodes: All its episodes, in order.
        root: Minari's dataset folder.
        work: Folder on the same file system, for the unfinished dataset.
        wall_seconds: Duration of the collection, for the metadata [s].

    Returns:
        The dataset's folder.

    Raises:
        OSError: If it cannot be written, for example because there is too little space.
    """

    def build() -> None:
        dataset = _create(spec, episodes)
        dataset.storage.update_metadata(_metadata(spec, episodes, wall_seconds))
        dataset.storage.update_episode_metadata(
            [
                {
                    "sequence": json.dumps(e.facts["plan"]),
                    "attempts": len(e.facts["attempts"]),
                    "success": _did(e.facts["attempts"][-1], e.facts["plan"]),
                }
                for e in episodes
            ]
        )

    arrays = [array for e in episodes for array in (e.observations, e.actions, e.rewards)]
    return install(spec.dataset_id, root, work, arrays, len(episodes), build)


def install(
    dataset_id: str,
    root: Path,
    work: Path,
    arrays: Iterable[NDArray[Any]],
    num_episodes: int,
    build: Callable[[], None],
) -> Path:
    """Build a dataset in a work folder, then move it to its place in one step.

    Args:
        dataset_id: Minari id of the dataset.
        root: Minari's dataset folder.
        work: Folder on the same file system, for the unfinished dataset.
        arrays: Arrays that will be written.
        num_episodes: Number of episodes.
        build: Makes the dataset; meanwhile, Minari's dataset folder is `work`.

    Returns:
        The dataset's folder; an existing one is replaced. If the process is killed meanwhile,
        `recover` restores it.

    Raises:
        OSError: If it cannot be written, for example because there is too little space.
    """
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    _check_room(work, sum(array.nbytes for array in arrays), num_episodes)
    with _datasets_root(work), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # optional fields that are left out
        build()
    finished, final = work / dataset_id, root / dataset_id
    for file in finished.rglob("*"):
        if file.is_file():
            sync(file)
    with _datasets_root(root):
        namespace = str(Path(dataset_id).parent)
        if namespace not in (".", *list_local_namespaces()):
            create_namespace(namespace)
    replace_directory(final, finished)
    return final


def _check_room(folder: Path, size: int, num_episodes: int) -> None:
    """Fail before anything is written: HDF5 crashes the process when a disk runs full."""
    needed = int(1.2 * size) + num_episodes * 2**15 + 2**16  # chunks are rounded up
    if hasattr(os, "posix_fallocate"):
        with tempfile.TemporaryFile(dir=folder) as file:
            os.posix_fallocate(file.fileno(), 0, needed)
    elif shutil.disk_usage(folder).free < needed:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


def _create(spec: DatasetSpec, episodes: Sequence[Episode]) -> minari.MinariDataset:
    env = gym.make(spec.env_id, **spec.env_kwargs)
    try:
        return minari.create_dataset_from_buffers(
            spec.dataset_id,
            [_buffer(episode) for episode in episodes],
            env=env,
            action_space=space_of_actions(env, (episode.actions for episode in episodes)),
            algorithm_name=f"{spec.make_expert.__module__}:{spec.make_expert.__qualname__}",
            author=AUTHOR,
            code_permalink=f"skillgym {skillgym_envs.__version__}, its files having code_sha256",
            description=spec.description,
            requirements=list(spec.requirements),
        )
    finally:
        env.close()


def space_of_actions(
    env: gym.Env[Any, Any], recorded: Iterable[NDArray[np.float32]]
) -> spaces.Space[Any]:
    """The action space of an environment, or one without bounds if recorded actions leave it.

    Args:
        env: Environment in which they were recorded; it may clip actions.
        recorded: Arrays of actions, with the shape (T, A) in an action space of shape (A,).
    """
    space = env.action_space
    if isinstance(space, spaces.Box) and all(
        ((space.low <= actions) & (actions <= space.high)).all() for actions in recorded
    ):
        return space
    return spaces.Box(-np.inf, np.inf, space.shape, np.float32)


def _buffer(episode: Episode) -> EpisodeBuffer:
    steps = len(episode.actions)
    terminations = [False] * (steps - 1) + [episode.terminated]
    truncations = [False] * (steps - 1) + [not episode.terminated]
    return EpisodeBuffer(
        seed=episode.facts["env_seed"],
        observations=episode.observations,
        actions=episode.actions,
        rewards=list(episode.rewards),
        terminations=terminations,
        truncations=truncations,
    )


def _metadata(
    spec: DatasetSpec, episodes: Sequence[Episode], wall_seconds: float
) -> dict[str, Any]:
    env = gym.make(spec.env_id, **spec.env_kwargs)
    layout = env.get_wrapper_attr("layout").to_json()
    env.close()
    return {
        **{k: v for k, v in spec.identity().items() if k != "dataset_id"},  # Minari has it
        "licence": LICENCE,
        "versions": package_versions(*PACKAGES),
        "observation_layout": layout,
        "success": success_table(episodes),
        "mean_return": float(np.mean([episode.rewards.sum() for episode in episodes])),
        "expert_seconds": round(sum(episode.facts["seconds"] for episode in episodes), 1),
        "wall_seconds": round(wall_seconds, 1),  # of the last run, if there were several
    }


def success_table(episodes: Sequence[Episode]) -> dict[str, Any]:
    """How often the expert succeeded.

    Returns:
        Totals, and for each subtask and each plan the numbers of attempts and of successes. A
        subtask counts as attempted once all earlier ones in the plan were completed.
    """
    subtasks: dict[str, Counter[str]] = {}
    sequences: dict[str, Counter[str]] = {}
    for episode in episodes:
        plan = tuple(episode.facts["plan"])
        for achieved in episode.facts["attempts"]:
            for index, subtask in enumerate(plan):
                success = _did(achieved, plan[: index + 1])
                _count(subtasks, subtask, success)
                if not success:
                    break
            _count(sequences, " -> ".join(plan), _did(achieved, plan))
    attempts = sum(len(episode.facts["attempts"]) for episode in episodes)
    return {
        "episodes": len(episodes),
        "attempts": attempts,
        "subtasks": dict(sorted(subtasks.items())),
        "sequences": dict(sorted(sequences.items())),
    }


def _did(achieved: Sequence[str], plan: Sequence[str]) -> bool:
    return tuple(achieved[: len(plan)]) == tuple(plan)


def _count(table: dict[str, Counter[str]], name: str, success: bool) -> None:
    table.setdefault(name, Counter(attempts=0, successes=0)).update(attempts=1, successes=success)


@contextmanager
def _datasets_root(path: Path) -> Iterator[None]:
    """Set Minari's dataset folder temporarily, which is only possible by its variable."""
    earlier = os.environ.get("MINARI_DATASETS_PATH")
    os.environ["MINARI_DATASETS_PATH"] = str(path)
    try:
        yield
    finally:
        if earlier is None:
            del os.environ["MINARI_DATASETS_PATH"]
        else:
            os.environ["MINARI_DATASETS_PATH"] = earlier
