"""A dataset of random actions, quick to collect; as a script: `random_expert FOLDER WORKERS`."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Sequence

import mujoco
import numpy as np

import skillgym_envs  # noqa: F401  (registers the kitchen)
from skillgym_envs.collect import DatasetSpec, collect


class RandomExpert:
    """Acts at random for 5 to 14 steps."""

    def __init__(self, plan: Sequence[str], rng: np.random.Generator) -> None:
        self._rng = rng

    def reset(self, data: mujoco.MjData) -> None:
        self._steps_left = int(self._rng.integers(5, 15))

    @property
    def done(self) -> bool:
        return self._steps_left == 0

    def act(self, data: mujoco.MjData) -> np.ndarray:
        self._steps_left -= 1
        return self._rng.uniform(-1, 1, 9)


def achieved(observations: np.ndarray) -> tuple[str, ...]:
    """An attempt with eight steps or more counts as a success."""
    return ("long", "done") if len(observations) > 8 else ("long",)


def impossible(observations: np.ndarray) -> tuple[str, ...]:
    return ("something else",)


def ends_its_process(plan: Sequence[str], rng: np.random.Generator) -> RandomExpert:
    """As the system does to a process that takes too much memory."""
    os.kill(os.getpid(), signal.SIGKILL)
    return RandomExpert(plan, rng)


def random_dataset(**changes: object) -> DatasetSpec:
    settings: dict[str, object] = {
        "dataset_id": "skillgym/kitchen/random-v0",
        "description": "Random actions.",
        "env_id": "skillgym/Kitchen-v0",
        "env_kwargs": {"tasks": "kbts"},
        "plans": (("long", "done"),) * 40,
        "make_expert": RandomExpert,
        "achieved": achieved,
        "requirements": ("mujoco>=3.10,<3.12",),
    }
    return DatasetSpec(**(settings | changes))  # type: ignore[arg-type]


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    collect(random_dataset(), sys.argv[1], workers=int(sys.argv[2]))
