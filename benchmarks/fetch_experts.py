"""Returns and success of ReSkill's scripted controllers in the Fetch worlds.

    python -m benchmarks.fetch_experts --episodes 100

Two parts: the returns of controllers that act for a whole episode without noise (once they have
finished, the arm rises, or the closed hand stays), and the statistics of episodes as they are
recorded for a dataset, with noise.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from itertools import groupby
from pathlib import Path

import numpy as np
import tyro

from benchmarks.progressive import publish
from skillgym_envs.core.env import WorldEnv
from skillgym_envs.fetch import TASKS
from skillgym_envs.fetch.blocks import SlipperyPushWorld
from skillgym_envs.fetch.expert import FetchExpert
from skillgym_envs.fetch.scenes import BlockScene

COLUMNS = ("part", "world", "controller", "n", "mean", "sd", "last", "any", "steps", "outside")
AFTERWARDS = {"pick and place": np.array([0.0, 0.0, 1.0, 1.0]), "push": np.zeros(4)}
"""Action after a controller has finished: raise the open hand, or keep it in place."""


class RoughPushWorld(SlipperyPushWorld):
    """SlipperyPush with the friction of the data."""

    scene = BlockScene(blocked_gripper=True)


ROWS = (
    ("return", "Place", "pick and place"),
    ("return", "RoughPush", "push"),
    ("return", "SlipperyPush", "push"),
    ("return", "CleanUp", "pick and place"),
    ("return", "CleanUp", "push"),
    ("return", "PyramidStack", "pick and place"),
    ("data", "Place", "pick and place"),
    ("data", "Place", "push"),
    ("data", "Hook", "hook"),
    ("data", "ComplexHook", "hook"),
    ("data", "ComplexHook, held out", "hook"),
)


@lru_cache(maxsize=4)
def environment(task: str) -> WorldEnv:
    """An environment of this process."""
    if task == "PyramidStack":  # the reference's rule, for comparison
        return WorldEnv(TASKS[task](literal_force=True))
    if task == "ComplexHook, held out":
        return WorldEnv(TASKS["ComplexHook"](split="test"))
    return WorldEnv(RoughPushWorld() if task == "RoughPush" else TASKS[task]())


def episode(part: str, task: str, controller: str, seed: int) -> tuple[list[float], bool, float]:
    """Run one episode: rewards, whether the controller has finished, share of |action| > 1."""
    env = environment(task)
    env.reset(seed=seed)
    noise = 0.5 if part == "data" else 0.0
    expert = FetchExpert((controller,), np.random.default_rng([seed, 1]), noise, clip=False)
    expert.reset(env.data)
    rewards: list[float] = []
    actions: list[np.ndarray] = []
    while len(rewards) < env.world.max_episode_steps:
        over = expert.done
        if over and part == "data":
            break
        action = expert.act(env.data)
        actions.append(action)
        rewards.append(env.step(AFTERWARDS[controller] if over else action)[1])
        rewards[-1] -= env.world.failure
    return rewards, expert.done, float((np.abs(np.array(actions)[:, :3]) > 1.0).mean())


def row_of(results: list[tuple[list[float], bool, float]], part: str) -> tuple[float, ...]:
    """Cells from n on: of returns, or (mean: share finished) of data."""
    returns = [sum(rewards) for rewards, _, _ in results]
    finished = [float(done) for _, done, _ in results]
    values = returns if part == "return" else finished
    return (
        len(results),
        round(float(np.mean(values)), 3),
        round(float(np.std(values)), 3),
        round(float(np.mean([rewards[-1] > 0 for rewards, _, _ in results])), 3),
        round(float(np.mean([max(rewards) > 0 for rewards, _, _ in results])), 3),
        round(float(np.mean([len(rewards) for rewards, _, _ in results])), 1),
        round(float(np.mean([outside for *_, outside in results])), 3),
    )


def main(
    episodes: int = 100,
    workers: int = 2,
    seed: int = 0,
    out: Path = Path("benchmarks/results/fetch_experts.csv"),
) -> None:
    """Run the benchmark, print and write the table.

    Args:
        episodes: Episodes per row.
        workers: Processes.
        seed: First seed.
        out: Table to write.
    """
    jobs = [(*row, seed + index) for row in ROWS for index in range(episodes)]
    with ProcessPoolExecutor(workers) as pool:
        results = pool.map(episode, *zip(*jobs, strict=True), chunksize=4)
        groups = groupby(zip(jobs, results, strict=True), lambda pair: pair[0][:3])
        rows = ((*key, *row_of([result for _, result in group], key[0])) for key, group in groups)
        publish(rows, COLUMNS, out, seed=seed)


if __name__ == "__main__":
    tyro.cli(main)
