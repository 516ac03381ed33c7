"""Datasets of the maze: the expert's routes and mazes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skillgym_envs.collect.spec import DatasetSpec
from skillgym_envs.maze.expert import make_expert
from skillgym_envs.maze.variants import GOAL, START, VARIANTS

MAX_STEPS = 1600
"""Control steps after which an attempt is given up.

Deviation: the authors truncate episodes at this length (500 with pictures); here longer routes are
replaced.
"""

# A random start, as in the authors' data, of an episode that no goal ends.
_ANYWHERE = {
    "variant": "spirl",
    "start": "random",
    "start_noise": 0.1,
    "start_speed": 0.1,
    "max_episode_steps": MAX_STEPS,
}


def arrived(shortest: int, observations: NDArray[np.floating[Any]]) -> tuple[str, ...]:
    """Whether an episode ended at a random cell, in time and not at once.

    The expert ends an episode by arriving; otherwise it lasts until the time limit.

    Args:
        shortest: Episodes of at most this many steps do not count.
        observations: Observations of the episode, shape (T+1, 4).
    """
    steps = len(observations) - 1
    return ("random cell",) if shortest < steps < MAX_STEPS else ()


def at_goal(observations: NDArray[np.floating[Any]]) -> tuple[str, ...]:
    """Whether an episode with observations (T+1, 4) ended at the published goal."""
    away = math.dist(observations[-1, :2].tolist(), GOAL)
    return ("goal",) if away <= VARIANTS["skild"].goal_radius else ()


def play(seed: int = 0) -> DatasetSpec:
    """Routes between random cells of the published maze: task-agnostic data of SkiLD and SkiMo."""
    return _play("play-v0", 3000, seed)


def play_mini(seed: int = 0) -> DatasetSpec:
    """12 such episodes, for tests and tutorials."""
    return _play("play-mini-v0", 12, seed)


def random(seed: int = 0) -> DatasetSpec:
    """Routes between random cells, each in its own small maze: the data of SPiRL."""
    return _random("random-v0", 10_000, seed)


def random_small(seed: int = 0) -> DatasetSpec:
    """3000 such episodes, for skill models that see pictures."""
    return _random("random-small-v0", 3000, seed)


def demos(seed: int = 0) -> DatasetSpec:
    """Demonstrations of the published task, from its start without noise, as in SkiLD.

    Deviation: the authors' demonstrations continue to the centre of the goal; these end with the
    task, 2 m from it.
    """
    return _spec(
        "demos-v0",
        "A scripted expert rolls a ball from the start to the goal of the published maze, where "
        "the episode terminates.",
        {"variant": "skild", "start": START, "start_noise": 0.0, "max_episode_steps": MAX_STEPS},
        (("goal",),) * 100,
        at_goal,
        seed,
    )


def _play(name: str, num_episodes: int, seed: int) -> DatasetSpec:
    return _spec(
        name,
        "A scripted expert rolls a ball between random cells of the published maze in each of "
        f"{num_episodes} episodes. Rewards are those of the published goal, which ends no "
        "episode.",
        _ANYWHERE,
        (("random cell",),) * num_episodes,
        partial(arrived, 50),
        seed,
    )


def _random(name: str, num_episodes: int, seed: int) -> DatasetSpec:
    return _spec(
        name,
        "A scripted expert rolls a ball between random cells of mazes of 20 x 20 cells, a new one "
        "for each episode: its layout_seed is the seed of the episode. Rewards are those of a "
        "goal in the first free cell.",
        {"size": 20, "goal_radius": VARIANTS["spirl"].goal_radius, **_ANYWHERE},
        (("random cell",),) * num_episodes,
        partial(arrived, 20),
        seed,
        seed_keyword="layout_seed",
    )


def _spec(
    name: str,
    description: str,
    env_kwargs: Mapping[str, Any],
    plans: tuple[tuple[str, ...], ...],
    achieved: Callable[[NDArray[np.float32]], tuple[str, ...]],
    seed: int,
    seed_keyword: str | None = None,
) -> DatasetSpec:
    return DatasetSpec(
        dataset_id=f"skillgym/maze/{name}",
        description=description,
        env_id="skillgym/Maze-v0",
        env_kwargs=env_kwargs,
        seed_keyword=seed_keyword,
        plans=plans,
        make_expert=make_expert,
        achieved=achieved,
        requirements=("mujoco>=3.10,<3.12",),
        seed=seed,
    )


DATASETS: Mapping[str, Callable[[int], DatasetSpec]] = {
    "maze-play": play,
    "maze-play-mini": play_mini,
    "maze-random": random,
    "maze-random-small": random_small,
    "maze-demos": demos,
}
"""Datasets by their name in `skillgym collect`, as functions of the seed."""
