"""How often the tabletop's scripted expert completes each of the 34 tasks.

    python -m benchmarks.tabletop_experts --tries 200

An attempt starts in a random state of CALVIN's evaluation in which the task is possible; if there
is none, other tasks come first, and an attempt in which these fail is not counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from itertools import groupby
from pathlib import Path

import numpy as np
import tyro

from benchmarks.progressive import publish
from skillgym_envs.core.env import WorldEnv
from skillgym_envs.tabletop import TASKS, TabletopWorld
from skillgym_envs.tabletop.expert import TabletopExpert
from skillgym_envs.tabletop.protocol import initial_states, is_possible, scene_state
from skillgym_envs.tabletop.scenes import COLOURS

COLUMNS = ("task", "tries", "successes", "steps")
LIMIT = 240
"""Largest number of control steps per task, as in CALVIN's test of single tasks."""


def chain_of(task: str, rng: np.random.Generator) -> tuple[str, ...]:
    """The task, preceded by those that it requires."""
    lift = f"lift_{rng.choice(COLOURS)}_block_table"
    if task.startswith("lift") and task.endswith("drawer"):
        return task.replace("_drawer", "_table"), "place_in_drawer", task
    if task in ("place_in_slider", "place_in_drawer", "stack_block"):
        return lift, task
    return (lift, "stack_block", task) if task == "unstack_block" else (task,)


@lru_cache(maxsize=64)
def environment(tasks: tuple[str, ...]) -> WorldEnv:
    """An environment of this process."""
    return WorldEnv(TabletopWorld(tasks, since="subtask", patience=LIMIT))


def attempt(task: str, seed: int) -> tuple[bool, bool, int]:
    """One attempt: whether it counts, whether it succeeds, and control steps of the whole chain."""
    rng = np.random.default_rng(seed)
    tasks = chain_of(task, rng)
    states = [state for state in initial_states() if is_possible(state, tasks)]
    env = environment(tasks)
    state = scene_state(states[rng.integers(len(states))])
    env.reset(seed=seed, options={"scene_state": state})
    expert = TabletopExpert(tasks, rng)
    expert.reset(env.data)
    steps, over, done = 0, False, 0
    while not over:
        *_, over, _, info = env.step(expert.act(env.data))
        done, steps = len(info["subtasks_completed"]), steps + 1
        # The expert may finish slightly before the task: a block may still have to fall.
        over = over or (expert.done and steps > LIMIT)
    return done >= len(tasks) - 1, done == len(tasks), steps


def main(
    tries: int = 200,
    tasks: tuple[str, ...] = (),
    workers: int = 2,
    seed: int = 0,
    out: Path = Path("benchmarks/results/tabletop_experts.csv"),
) -> None:
    """Run the benchmark, print and write the table.

    Args:
        tries: Attempts per task.
        tasks: Tasks to run; all if empty.
        workers: Processes.
        seed: First seed.
        out: Table to write.
    """
    jobs = [(task, seed + index) for task in tasks or TASKS for index in range(tries)]
    with ProcessPoolExecutor(workers) as pool:
        results = pool.map(attempt, *zip(*jobs, strict=True), chunksize=4)
        groups = groupby(zip(jobs, results, strict=True), lambda pair: pair[0][0])
        rows = ((task, *row_of([result for _, result in group])) for task, group in groups)
        publish(rows, COLUMNS, out, seed=seed)


def row_of(results: Iterable[tuple[bool, bool, int]]) -> tuple[int, int, float | str]:
    """Attempts that count, successes, and the mean of their control steps."""
    counted = [result for result in results if result[0]]
    good = [steps for _, success, steps in counted if success]
    return len(counted), len(good), round(float(np.mean(good)), 1) if good else ""


if __name__ == "__main__":
    tyro.cli(main)
