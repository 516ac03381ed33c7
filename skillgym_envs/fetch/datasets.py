"""Datasets of the Fetch worlds: controllers and numbers of episodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from skillgym_envs.collect.spec import DatasetSpec, Expert

SIZES = {"": 4000, "-mini": 40, "-40000": 40_000}
"""Episodes by the suffix of a dataset's name. ReSkill has 40 000; the standard size is smaller."""

MIN_STEPS = 12
"""Shortest episode: ReSkill drops those of up to 11 actions. Here the next seed replaces them."""

_SOURCES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "block": ("Place", ("pick and place", "push")),
    "hook": ("Hook", ("hook",)),
}


def make_expert(plan: Sequence[str], rng: np.random.Generator) -> Expert:
    """The scripted expert, for one episode, with actions inside the action space."""
    from skillgym_envs.fetch.expert import FetchExpert

    return FetchExpert(plan, rng)


def make_unclipped_expert(plan: Sequence[str], rng: np.random.Generator) -> Expert:
    """The scripted expert, whose actions are recorded without clipping."""
    from skillgym_envs.fetch.expert import FetchExpert

    return FetchExpert(plan, rng, clip=False)


def dataset(source: str, size: str, clip: bool, seed: int = 0) -> DatasetSpec:
    """ReSkill's data: a random controller in each episode, including failures.

    Args:
        source: `block` or `hook`.
        size: Key of `SIZES`.
        clip: Whether actions are clipped to the action space.
        seed: Seed of everything.
    """
    task, controllers = _SOURCES[source]
    drawn = np.random.default_rng(seed).integers(len(controllers), size=SIZES[size])
    kept = "clipped to the action space" if clip else "as the controller gave them"
    return DatasetSpec(
        dataset_id=f"skillgym/fetch/{_name(source, size, clip)}-v0",
        description=f"{SIZES[size]} episodes of ReSkill's scripted controllers "
        f"({', '.join(controllers)}) with smooth noise in Fetch{task}, failures included; actions "
        f"are recorded {kept}.",
        env_id=f"skillgym/Fetch{task}-v0",
        plans=tuple((controllers[index],) for index in drawn),
        make_expert=make_expert if clip else make_unclipped_expert,
        keep_failures=True,
        min_steps=MIN_STEPS,
        requirements=("mujoco>=3.10,<3.12", "gymnasium-robotics>=1.4.2"),
        seed=seed,
    )


def _name(source: str, size: str, clip: bool) -> str:
    return f"{source}{size}" + ("" if clip else "-unclipped")


DATASETS: Mapping[str, Callable[[int], DatasetSpec]] = {
    f"fetch-{_name(source, size, clip)}": partial(dataset, source, size, clip)
    for source in _SOURCES
    for size in SIZES
    for clip in (True, False)
}
"""Datasets by the name that `skillgym collect` takes, as functions of the seed."""
