"""Datasets of the office: the tasks that the expert completes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from skillgym_envs.collect.spec import DatasetSpec, Expert
from skillgym_envs.office.tasks import FIXED_TASK, TaskSet, draw_task

PLAY_EPISODES, DEMONSTRATIONS = 2500, 50
"""Episodes of the task-agnostic data, as many as the authors' archive seems to contain, and of the
demonstrations, as many as SkiLD trains on."""


def make_expert(plan: Sequence[str], rng: np.random.Generator) -> Expert:
    """The scripted expert, for one episode."""
    from skillgym_envs.office.expert import OfficeExpert

    return OfficeExpert(plan, rng)


def play(seed: int = 0) -> DatasetSpec:
    """Random tasks: the task-agnostic data of SPiRL and SkiLD.

    Deviation: the authors' data only have tasks that end with the drawer, because their expert
    fails in the others; here all 1260 tasks are equally likely.
    """
    return _play("play-v0", PLAY_EPISODES, seed)


def play_mini(seed: int = 0) -> DatasetSpec:
    """12 such episodes, for tests and tutorials."""
    return _play("play-mini-v0", 12, seed)


def demos(seed: int = 0) -> DatasetSpec:
    """Demonstrations of the fixed task, as in SkiLD."""
    return _spec(
        "demos-v0",
        f"A scripted WidowX-250 arm does the task {', '.join(FIXED_TASK)}, where the episode "
        "terminates. Each completed subtask, of eight, pays a reward of 1.",
        "fixed",
        (FIXED_TASK,) * DEMONSTRATIONS,
        seed,
    )


def _play(name: str, num_episodes: int, seed: int) -> DatasetSpec:
    rng = np.random.default_rng(seed)
    return _spec(
        name,
        "A scripted WidowX-250 arm puts three random objects into tray, box and drawer, in random "
        f"order, in each of {num_episodes} episodes. Each completed subtask, of eight, pays a "
        "reward of 1; the episode terminates with the last.",
        "rand",
        tuple(draw_task(rng) for _ in range(num_episodes)),
        seed,
    )


def _spec(
    name: str, description: str, tasks: TaskSet, plans: tuple[tuple[str, ...], ...], seed: int
) -> DatasetSpec:
    return DatasetSpec(
        dataset_id=f"skillgym/office/{name}",
        description=description,
        env_id="skillgym/Office-v0",
        env_kwargs={"tasks": tasks},
        plan_keyword="tasks",
        plans=plans,
        make_expert=make_expert,
        requirements=("mujoco>=3.10,<3.12",),
        seed=seed,
    )


DATASETS: Mapping[str, Callable[[int], DatasetSpec]] = {
    "office-play": play,
    "office-play-mini": play_mini,
    "office-demos": demos,
}
"""Datasets by their name in `skillgym collect`, as functions of the seed."""
