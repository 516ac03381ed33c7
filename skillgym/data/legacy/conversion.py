"""Conversion of trajectories of any format to a Minari dataset, completely or not at all."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
import minari
import numpy as np
from gymnasium import spaces
from minari.data_collector import EpisodeBuffer
from minari.dataset.minari_dataset import parse_dataset_id
from minari.dataset.minari_storage import MinariStorage
from minari.storage import get_dataset_path

from skillgym.data.errors import (
    ForeignTrajectories,
    MixedTrajectories,
    UnknownWorld,
    UnreadableDataset,
)
from skillgym.data.legacy.formats import Trajectory, read_trajectories
from skillgym.errors import InvalidConfig
from skillgym_envs.collect.assembly import install, space_of_actions
from skillgym_envs.collect.errors import DatasetExists
from skillgym_envs.core.checks import check_count, check_range
from skillgym_envs.core.files import recover


def convert(
    source: str | Path,
    kind: str,
    dataset_id: str,
    world: str | None = None,
    trust: bool = False,
    overwrite: bool = False,
    observation_size: int | None = None,
    world_options: Mapping[str, Any] | None = None,
) -> Path:
    """Make a Minari dataset from recordings of an original project.

    Converting the same recordings of the same world again does nothing. With images, an observation
    is a dictionary of `state` and `image`.

    Args:
        source: File or folder.
        kind: Key of `skillgym.data.legacy.FORMATS`.
        dataset_id: Id of the dataset, such as `legacy/maze-v0`.
        world: Id of the world that the recordings are from; its spaces are checked and stored in
            the dataset, but without bounds if actions exceed them.
        trust: Whether to read pickles, which can run any code.
        overwrite: Whether to replace a dataset that was made from something else.
        observation_size: How many of the first numbers of each observation to keep, such as 21 of
            CALVIN's 39 for SkiMo's task; all if None.
        world_options: Keywords of the world, such as its observation and its scene.

    Returns:
        The dataset's folder in Minari's local folder.

    Raises:
        UntrustedPickle: If the format is a pickle and `trust` is not given.
        UnreadableDataset: If the recordings are damaged, of another format, or not finite.
        MixedTrajectories: If they differ in shape, or only some have images.
        UnknownWorld: If there is no such world.
        ForeignTrajectories: If they do not fit the world.
        DatasetExists: If another dataset has this id.
        InvalidConfig: If the kind is unknown, the id has no version, or the observation size is not
            an integer from 1 to that of the recordings.
    """
    check_count("observation_size", observation_size)
    _check_names(dataset_id, world)
    trajectories = list(read_trajectories(source, kind, trust))
    _check_shapes(source, trajectories)
    trajectories = _cut(trajectories, observation_size)
    options = dict(world_options or {})
    if options and world is None:
        raise InvalidConfig("world_options", options, "the id of their world, too")
    facts = {
        "converted_from": kind,
        "content_sha256": _digest(trajectories),
        "world": world,
        "world_options": json.dumps(options, sort_keys=True) if options else None,
    }
    root: Path = get_dataset_path()
    final = root / dataset_id
    recover(final)
    if final.exists() and not overwrite:
        if differing := _differing(final, facts):
            raise DatasetExists(final, differing)
        return final
    work = final.parent / f".{final.name}.converting"
    env = None if world is None else gym.make(world, **options)
    try:
        observation_space, action_space = _spaces(trajectories, env)

        def build() -> None:
            dataset = minari.create_dataset_from_buffers(
                dataset_id,
                [_buffer(trajectory) for trajectory in trajectories],
                env=env,
                observation_space=observation_space,
                action_space=action_space,
                algorithm_name=kind,
                description=f"Recordings in the format {kind!r}, converted by skillgym.",
            )
            dataset.storage.update_metadata(facts)

        arrays = [array for each in trajectories for array in each.arrays]
        return install(dataset_id, root, work, arrays, len(trajectories), build)
    finally:
        shutil.rmtree(work, ignore_errors=True)
        if env is not None:
            env.close()


def _check_names(dataset_id: str, world: str | None) -> None:
    try:
        parse_dataset_id(dataset_id)
    except (TypeError, ValueError):  # TypeError: no version
        expected = "a Minari id with a version, such as legacy/maze-v0"
        raise InvalidConfig("dataset_id", dataset_id, expected) from None
    if world is not None and world not in gym.registry:
        raise UnknownWorld(world, (name for name in gym.registry if name.startswith("skillgym/")))


def _check_shapes(source: str | Path, trajectories: Sequence[Trajectory]) -> None:
    """Check that there is a trajectory and that all have the same shapes."""
    if not trajectories:
        problem = "no trajectory has two rows"
        raise UnreadableDataset(source, problem, "check that it is what was recorded")
    found = dict.fromkeys(
        (
            each.observations.shape[1:],
            each.actions.shape[1:],
            None if each.images is None else each.images.shape[1:],
        )
        for each in trajectories
    )
    if len(found) > 1:
        raise MixedTrajectories(source, found)


def _cut(trajectories: list[Trajectory], size: int | None) -> list[Trajectory]:
    """Trajectories with only the first `size` numbers of their observations."""
    if size is None:
        return trajectories
    check_range("observation_size", size, 1, trajectories[0].observations.shape[1])
    return [each._replace(observations=each.observations[:, :size]) for each in trajectories]


def _digest(trajectories: Sequence[Trajectory]) -> str:
    digest = hashlib.sha256()
    for trajectory in trajectories:
        digest.update(b"end" if trajectory.terminated else b"")
        for array in trajectory.arrays:
            digest.update(f"{array.dtype}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _differing(path: Path, facts: dict[str, str | None]) -> list[str]:
    """Names of the facts in which a dataset differs."""
    try:
        metadata = MinariStorage.read_raw_metadata(path / "data")
    except ValueError:
        return ["its content"]
    words = {
        "converted_from": "its format",
        "content_sha256": "its content",
        "world": "its world",
        "world_options": "the keywords of its world",
    }
    return [words[name] for name, value in facts.items() if metadata.get(name) != value]


def _spaces(
    trajectories: Sequence[Trajectory], env: gym.Env[Any, Any] | None
) -> tuple[spaces.Space[Any], spaces.Space[Any]]:
    """Observation and action space: those of the world if the data fit them, else unbounded."""
    first = trajectories[0]
    found = first.observations.shape[1:], first.actions.shape[1:]
    state: spaces.Space[Any] = spaces.Box(-np.inf, np.inf, found[0], np.float32)
    action: spaces.Space[Any] = spaces.Box(-np.inf, np.inf, found[1], np.float32)
    if env is not None:
        expected = env.observation_space.shape, env.action_space.shape
        if found != expected:
            raise ForeignTrajectories(found, expected)
        state = env.observation_space
        action = space_of_actions(env, (each.actions for each in trajectories))
    if first.images is None:
        return state, action
    image = spaces.Box(0, 255, first.images.shape[1:], np.uint8)
    return spaces.Dict({"state": state, "image": image}), action


def _buffer(trajectory: Trajectory) -> EpisodeBuffer:
    goes_on, end = [False] * (len(trajectory.actions) - 1), trajectory.terminated
    observations: Any = trajectory.observations
    if trajectory.images is not None:
        observations = {"state": observations, "image": trajectory.images}
    return EpisodeBuffer(
        observations=observations,
        actions=trajectory.actions,
        rewards=list(trajectory.rewards),
        terminations=[*goes_on, end],
        truncations=[*goes_on, not end],
    )
