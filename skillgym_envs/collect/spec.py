"""Specification of a dataset, and the list of those that ship with the worlds."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import gymnasium as gym
import mujoco
import numpy as np
from numpy.typing import NDArray

from skillgym_envs.collect.errors import UnknownDataset
from skillgym_envs.core.checks import check_range

SEED_OF_EPISODE = "seed of the episode"
"""In a dataset's metadata: the value of the keyword that is set to the seed of the episode."""


class Expert(Protocol):
    """A scripted policy that reads the simulator's state."""

    @property
    def done(self) -> bool:
        """Whether the expert has nothing left to do."""

    def reset(self, data: mujoco.MjData) -> None:
        """Start an episode."""

    def act(self, data: mujoco.MjData) -> NDArray[np.floating[Any]]:
        """Action (A,) for the current state."""


@dataclass(frozen=True, kw_only=True)
class DatasetSpec:
    """Everything that determines the content of a dataset, for any world.

    Attributes:
        dataset_id: Minari id.
        description: Description of the content.
        env_id: Registered environment; `env_kwargs` are its keywords.
        seed_keyword: Keyword of the environment that is set to the seed of the episode, for worlds
            that differ from episode to episode.
        plan_keyword: Keyword of the environment that is set to the plan of the episode, for worlds
            whose task differs from episode to episode.
        plans: For each episode, the subtasks that the expert should complete, in order.
        make_expert: Module-level function from a plan and a generator to the expert of an episode.
        achieved: Module-level function from the observations (T+1, O) of an episode to the subtasks
            that it completed, in order; if None, the plan, once the expert is done. An episode is
            kept if these begin with its plan, else retried.
        keep_failures: Whether to keep episodes that did not complete their plan.
        min_steps: Shorter episodes are retried [control steps].
        requirements: pip requirements to replay it, with an upper bound on MuJoCo.
        seed: Seed of everything.
        max_attempts: Attempts per episode before collection gives up.
    """

    dataset_id: str
    description: str
    env_id: str
    env_kwargs: Mapping[str, Any] = field(default_factory=dict)
    seed_keyword: str | None = None
    plan_keyword: str | None = None
    plans: tuple[tuple[str, ...], ...]
    make_expert: Callable[[Sequence[str], np.random.Generator], Expert]
    achieved: Callable[[NDArray[np.float32]], tuple[str, ...]] | None = None
    keep_failures: bool = False
    min_steps: int = 1
    requirements: tuple[str, ...] = ()
    seed: int = 0
    max_attempts: int = 20

    def attempt_seeds(self, episode: int, attempt: int) -> tuple[int, np.random.Generator]:
        """Seed of the environment and generator of the expert, for one attempt at an episode."""
        key = (zlib.crc32(self.dataset_id.encode()), episode, attempt)
        sequence = np.random.SeedSequence(self.seed, spawn_key=key)
        return int(sequence.generate_state(1)[0]), np.random.default_rng(sequence.spawn(1)[0])

    def identity(self) -> dict[str, Any]:
        """Facts that all episodes of a dataset must share, as JSON values."""
        plans = json.dumps(self.plans).encode()
        env_kwargs = dict(self.env_kwargs)
        if self.seed_keyword is not None:
            env_kwargs[self.seed_keyword] = SEED_OF_EPISODE
        if self.plan_keyword is not None:
            env_kwargs[self.plan_keyword] = "plan of the episode"
        return {
            "dataset_id": self.dataset_id,
            "seed": self.seed,
            "episodes": len(self.plans),
            "plans_sha256": hashlib.sha256(plans).hexdigest()[:16],
            "env": json.loads(json.dumps([self.env_id, env_kwargs])),
            "mujoco": mujoco.__version__,
            "code_sha256": code_sha256(self.env_id),
        }


def code_sha256(env_id: str) -> str:
    """Digest (16 digits) of the source files that a dataset depends on.

    These are the parts that all worlds share and the package of the environment's world.

    Args:
        env_id: Id of the environment, which may be from another package.
    """
    root = Path(__file__).parents[1]
    module = str(gym.spec(env_id).entry_point).partition(":")[0]
    world = root.joinpath(*module.split(".")[1:2])
    files = {*root.glob("*"), *(root / "core").rglob("*"), *(root / "collect").rglob("*")}
    if world.is_dir() and module.startswith(f"{root.name}."):
        files |= set(world.rglob("*"))
    digest = hashlib.sha256()
    for path in sorted(path for path in files if path.suffix in (".py", ".xml")):
        digest.update(str(path.relative_to(root)).encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def registered_datasets() -> dict[str, Callable[[int], DatasetSpec]]:
    """All shipped datasets, by their name in `skillgym collect`."""
    from skillgym_envs.fetch.datasets import DATASETS as FETCH
    from skillgym_envs.kitchen.datasets import DATASETS as KITCHEN
    from skillgym_envs.maze.datasets import DATASETS as MAZE
    from skillgym_envs.office.datasets import DATASETS as OFFICE
    from skillgym_envs.tabletop.datasets import DATASETS as TABLETOP

    return {**KITCHEN, **MAZE, **FETCH, **OFFICE, **TABLETOP}


def dataset_spec(name: str, seed: int = 0) -> DatasetSpec:
    """The shipped dataset of this name.

    Raises:
        UnknownDataset: If there is none; the message has the nearest match.
        InvalidConfig: If the seed is negative.
    """
    check_range("seed", seed, 0)
    datasets = registered_datasets()
    if name not in datasets:
        raise UnknownDataset(name, datasets)
    return datasets[name](seed)
