"""Datasets of the kitchen: orders in which the expert completes elements, and their frequency."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skillgym_envs.collect.spec import DatasetSpec, Expert
from skillgym_envs.kitchen.tasks import COMPLETION_DISTANCE, ELEMENTS, TASK_SETS

Sequence4 = tuple[str, ...]

_B, _T, _L = "bottom burner", "top burner", "light switch"
_S, _H, _M, _K = "slide cabinet", "hinge cabinet", "microwave", "kettle"

ORDER_STATISTICS: Mapping[Sequence4, Mapping[str, float]] = {
    (): {_M: 60.86, _K: 29.68, _B: 9.45},
    (_M,): {_B: 46.59, _K: 41.96, _T: 5.72, _L: 5.72},
    (_K,): {_B: 78.21, _L: 11.17, _T: 10.61},
    (_B,): {_T: 100},
    (_M, _K): {_B: 31.16, _T: 27.27, _L: 25.32, _S: 16.23},
    (_M, _B): {_T: 42.1, _L: 40.35, _S: 16.95, _H: 0.58},
    (_M, _T): {_L: 100},
    (_M, _L): {_S: 100},
    (_K, _B): {_T: 45, _L: 35, _S: 20},
    (_K, _L): {_S: 100},
    (_K, _T): {_L: 100},
    (_B, _T): {_S: 52.63, _L: 47.36},
    (_M, _K, _B): {_S: 50, _H: 50},
    (_M, _K, _T): {_L: 50, _H: 50},
    (_M, _K, _L): {_S: 50, _H: 50},
    (_M, _K, _S): {_H: 100},
    (_M, _B, _T): {_L: 34, _S: 33, _H: 33},
    (_M, _B, _L): {_S: 50, _H: 50},
    (_M, _B, _S): {_H: 100},
    (_M, _B, _H): {_S: 100},
    (_M, _T, _L): {_S: 50, _H: 50},
    (_M, _L, _S): {_H: 100},
    (_K, _B, _T): {_S: 38.1, _L: 31.7, _H: 30.2},
    (_K, _B, _L): {_S: 50, _H: 50},
    (_K, _B, _S): {_H: 100},
    (_K, _L, _S): {_H: 100},
    (_K, _T, _L): {_S: 50, _H: 50},
    (_B, _T, _S): {_H: 100},
    (_B, _T, _L): {_S: 50, _H: 50},
}
"""Share [%] of each next element after the elements done so far.

Paper: Pertsch et al. 2021, "Demonstration-Guided RL with Learned Skills" (SkiLD), the transition
statistics of the 603 sequences of D4RL's `kitchen-mixed`, for the first three elements.
Deviation: the figure stops there. The fourth elements are ours, chosen so that, as in the original,
24 sequences complete SkiLD's KBTS task and 21 its misaligned task, and none completes the whole
mixed task, as D4RL states for its data.
"""


def sequence_counts(num_episodes: int) -> dict[Sequence4, int]:
    """Number of episodes of each four-element sequence, by `ORDER_STATISTICS`.

    The numbers are rounded by largest remainders at every branch, so that 603 episodes have exactly
    the published 367 / 179 / 57 first elements.
    """
    counts: dict[Sequence4, int] = {}
    pending: list[tuple[Sequence4, int]] = [((), num_episodes)]
    while pending:
        prefix, count = pending.pop(0)
        if prefix not in ORDER_STATISTICS:
            counts[prefix] = count
            continue
        shares = ORDER_STATISTICS[prefix]
        for name, part in zip(shares, largest_remainder(count, [*shares.values()]), strict=True):
            if part:
                pending.append(((*prefix, name), part))
    return counts


def largest_remainder(total: int, weights: Sequence[float]) -> list[int]:
    """Divide `total` into whole numbers in proportion to `weights`; ties go to the earlier one."""
    exact = total * np.asarray(weights, float) / sum(weights)
    parts = np.floor(exact).astype(int)
    order = np.argsort(parts - exact, kind="stable")
    parts[order[: total - parts.sum()]] += 1
    return [int(part) for part in parts]


def completed_elements(observations: NDArray[np.floating[Any]]) -> Sequence4:
    """Elements completed in an episode, in the order of their first step within 0.3 of the goal.

    Paper: SkiLD takes the first four of these as the task of a recorded sequence.

    Args:
        observations: Observations or `qpos` of the episode, shape (T+1, 30 or more).
    """
    first_steps = {}
    for name, element in ELEMENTS.items():
        error = observations[:, list(element.slots)] - np.array(element.goal)
        near = np.linalg.norm(error, axis=1) < COMPLETION_DISTANCE
        if near.any():
            first_steps[name] = int(near.argmax())
    return tuple(sorted(first_steps, key=lambda name: first_steps[name]))


def make_expert(sequence: Sequence[str], rng: np.random.Generator) -> Expert:
    """The scripted expert, for one episode."""
    from skillgym_envs.kitchen.expert import KitchenExpert

    return KitchenExpert(sequence, rng)


def play(seed: int = 0) -> DatasetSpec:
    """603 episodes of four elements in the orders of D4RL's `kitchen-mixed`."""
    return _play("play-v0", 603, seed)


def play_mini(seed: int = 0) -> DatasetSpec:
    """12 such episodes, for tests and tutorials."""
    return _play("play-mini-v0", 12, seed)


def _play(name: str, num_episodes: int, seed: int) -> DatasetSpec:
    sequences = [
        sequence for sequence, count in sequence_counts(num_episodes).items() for _ in range(count)
    ]
    order = np.random.default_rng(seed).permutation(num_episodes)
    return _spec(
        name,
        f"A scripted Franka arm manipulates four kitchen elements in each of {num_episodes} "
        "episodes; the orders follow those of D4RL's kitchen-mixed. Rewards are those of the mixed "
        "task, which no episode completes.",
        "mixed",
        tuple(sequences[i] for i in order),
        seed,
    )


def _demos(task: str, num_episodes: int) -> Callable[[int], DatasetSpec]:
    def demos(seed: int = 0) -> DatasetSpec:
        return _spec(
            f"demos-{task}-v0",
            f"{num_episodes} demonstrations of the kitchen task {', '.join(TASK_SETS[task])} "
            "by a scripted expert.",
            task,
            (TASK_SETS[task],) * num_episodes,
            seed,
        )

    demos.__doc__ = f"{num_episodes} demonstrations of {', '.join(TASK_SETS[task])}."
    return demos


def _spec(
    name: str, description: str, task: str, plans: tuple[Sequence4, ...], seed: int
) -> DatasetSpec:
    return DatasetSpec(
        dataset_id=f"skillgym/kitchen/{name}",
        description=description,
        env_id="skillgym/Kitchen-v0",
        env_kwargs={"tasks": task},
        plans=plans,
        make_expert=make_expert,
        achieved=completed_elements,
        requirements=("mujoco>=3.10,<3.12", "gymnasium-robotics>=1.4.2"),
        seed=seed,
    )


DATASETS: Mapping[str, Callable[[int], DatasetSpec]] = {
    "kitchen-play": play,
    "kitchen-play-mini": play_mini,
    "kitchen-demos-kbts": _demos("kbts", 24),
    "kitchen-demos-misaligned": _demos("misaligned", 21),
    "kitchen-demos-mixed": _demos("mixed", 24),
}
"""Datasets by their name in `skillgym collect`, as functions of the seed.

The demonstration sets have the sizes of SkiLD's selections (24 and 21); the mixed one, which SkiLD
does not have, has the size of the larger.
"""
