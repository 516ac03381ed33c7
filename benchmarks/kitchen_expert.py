"""How reliably the scripted kitchen expert works.

    python -m benchmarks.kitchen_expert --element-tries 200 --sequence-tries 20

Three parts: every element from the start pose; every element after two other, random elements; and
every four-element sequence of the play dataset within the 280 steps of an episode. Rows are printed
and written when they are complete; the default takes about ten minutes on two idle cores.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from pathlib import Path

import numpy as np
import tyro

from benchmarks.progressive import publish
from skillgym_envs.core.env import WorldEnv
from skillgym_envs.kitchen import KitchenWorld
from skillgym_envs.kitchen.datasets import completed_elements, sequence_counts
from skillgym_envs.kitchen.expert import KitchenExpert, goal_distance
from skillgym_envs.kitchen.tasks import ELEMENTS

EPISODE = 280
COLUMNS = ("part", "what", "n", "complete", "done", "steps", "max steps", "again", "distance")


@dataclass(frozen=True)
class Try:
    """One episode to run: `part` of the benchmark, row `label`, elements in order, seed."""

    part: str
    label: str
    sequence: tuple[str, ...]
    seed: int


@dataclass(frozen=True)
class Result:
    """Result of an episode.

    Attributes:
        complete: The elements were completed (distance 0.3) in order, without others in between.
        done: The expert also considered them complete, and had drawn its hand back in time.
        steps: Control steps until then.
        tries: Attempts that were repeated.
        distance: Largest distance of an element from its goal at the end.
    """

    complete: bool
    done: bool
    steps: int
    tries: int
    distance: float


@lru_cache(maxsize=1)
def environment() -> WorldEnv:
    """The environment of this process."""
    return WorldEnv(KitchenWorld())


def run(job: Try) -> Result:
    """Run one episode."""
    env = environment()
    env.reset(seed=job.seed)
    expert = KitchenExpert(job.sequence, np.random.default_rng([job.seed, 1]))
    expert.reset(env.data)
    states, again = [env.data.qpos.copy()], 0
    while not expert.done and len(states) <= EPISODE:
        tries = expert.tries
        env.step(expert.act(env.data))
        again += expert.tries > tries
        states.append(env.data.qpos.copy())
    order = completed_elements(np.array(states))
    distance = max(goal_distance(name, states[-1]) for name in job.sequence)
    complete = order[: len(job.sequence)] == job.sequence
    return Result(complete, expert.done, len(states) - 1, again, distance)


def jobs(element_tries: int, sequence_tries: int, seed: int) -> Iterable[Try]:
    """All episodes of the benchmark."""
    rng = np.random.default_rng(seed)
    for name in ELEMENTS:
        others = [other for other in ELEMENTS if other != name]
        for index in range(element_tries):
            yield Try("element", name, (name,), seed + index)
        for index in range(element_tries):
            first, second = rng.choice(others, 2, replace=False)
            yield Try("after two others", name, (str(first), str(second), name), seed + index)
    for sequence, count in sequence_counts(603).items():
        if count:
            for index in range(sequence_tries):
                yield Try("sequence", " > ".join(sequence), sequence, seed + index)


def main(
    element_tries: int = 200,
    sequence_tries: int = 20,
    workers: int = 2,
    seed: int = 10_000,
    out: Path = Path("benchmarks/results/kitchen_expert.csv"),
) -> None:
    """Run the benchmark, print and write the table.

    Args:
        element_tries: Episodes per element and part.
        sequence_tries: Episodes per sequence.
        workers: Processes.
        seed: First seed.
        out: Table to write.
    """
    todo = list(jobs(element_tries, sequence_tries, seed))
    with ProcessPoolExecutor(workers) as pool:
        finished = zip(todo, pool.map(run, todo, chunksize=4), strict=True)
        groups = groupby(finished, lambda pair: (pair[0].part, pair[0].label))
        rows = ((*key, *summary([result for _, result in group])) for key, group in groups)
        publish(rows, COLUMNS, out, seed=seed)


def summary(rows: list[Result]) -> tuple[float, ...]:
    """Cells of a row from n on; steps and again are means, distance is the 95th percentile."""
    steps = [row.steps for row in rows]
    return (
        len(rows),
        round(float(np.mean([row.complete for row in rows])), 3),
        round(float(np.mean([row.done for row in rows])), 3),
        round(float(np.mean(steps)), 1),
        max(steps),
        round(float(np.mean([row.tries for row in rows])), 3),
        round(float(np.quantile([row.distance for row in rows], 0.95)), 3),
    )


if __name__ == "__main__":
    tyro.cli(main)
