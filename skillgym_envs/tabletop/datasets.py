"""Datasets of the tabletop: play, and demonstrations of SkiMo's task."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skillgym_envs.collect.spec import DatasetSpec, Expert
from skillgym_envs.tabletop.tasks import TASK_SETS

_STEPS = 360


def make_player(plan: Sequence[str], rng: np.random.Generator) -> Expert:
    """The expert for play, for one episode."""
    from skillgym_envs.tabletop.play import PlayExpert

    return PlayExpert(plan, rng)


def make_demonstrator(plan: Sequence[str], rng: np.random.Generator) -> Expert:
    """The scripted expert, for one episode."""
    from skillgym_envs.tabletop.expert import TabletopExpert

    return TabletopExpert(plan, rng)


def whole_episode(observations: NDArray[np.floating[Any]]) -> tuple[str, ...]:
    """Whether an episode of play lasted until the time limit."""
    return ("play",) if len(observations) == _STEPS + 1 else ()


def completed_subtasks(observations: NDArray[np.floating[Any]]) -> tuple[str, ...]:
    """Subtasks of SkiMo's task in the order in which an episode first completed them.

    Conditions that hold from the start do not count.

    Args:
        observations: Observations of the episode, shape (T+1, 21).
    """
    slider, drawer, bulb, led = observations[:, [15, 16, 19, 20]].T
    done = {
        "open_drawer": drawer > 0.12,
        "turn_on_lightbulb": bulb > 0.5,
        "move_slider_left": slider > 0.15,
        "turn_on_led": led > 0.5,
    }
    begins = {name: flags[1:] & ~flags[:-1] for name, flags in done.items()}
    first = {name: int(flags.argmax()) for name, flags in begins.items() if flags.any()}
    return tuple(sorted(first, key=lambda name: first[name]))


def play(seed: int = 0) -> DatasetSpec:
    """1200 episodes of 360 control steps, about as much as SkiMo's data of CALVIN's scene D."""
    return _play("play-v0", 1200, seed)


def play_mini(seed: int = 0) -> DatasetSpec:
    """12 such episodes, for tests and tutorials."""
    return _play("play-mini-v0", 12, seed)


def demos(seed: int = 0) -> DatasetSpec:
    """Demonstrations of SkiMo's task."""
    return DatasetSpec(
        dataset_id="skillgym/tabletop/demos-v0",
        description="24 demonstrations of SkiMo's four subtasks by a scripted expert.",
        env_id="skillgym/Tabletop-v0",
        plans=(TASK_SETS["skimo"],) * 24,
        make_expert=make_demonstrator,
        achieved=completed_subtasks,
        requirements=("mujoco>=3.10,<3.12", "gymnasium-robotics>=1.4.2"),
        seed=seed,
    )


def _play(name: str, num_episodes: int, seed: int) -> DatasetSpec:
    return DatasetSpec(
        dataset_id=f"skillgym/tabletop/{name}",
        description=f"{num_episodes} episodes of 360 control steps in which a scripted expert "
        "plays with furniture and blocks of scene D, in random order, from random states of the "
        "furniture. Rewards are those of SkiMo's task, which no episode completes.",
        env_id="skillgym/Tabletop-v0",
        env_kwargs={"furniture": "random"},
        plans=(("play",),) * num_episodes,
        make_expert=make_player,
        achieved=whole_episode,
        requirements=("mujoco>=3.10,<3.12", "gymnasium-robotics>=1.4.2"),
        seed=seed,
    )


DATASETS: Mapping[str, Callable[[int], DatasetSpec]] = {
    "tabletop-play": play,
    "tabletop-play-mini": play_mini,
    "tabletop-demos": demos,
}
"""Datasets by their name in `skillgym collect`, as functions of the seed."""
