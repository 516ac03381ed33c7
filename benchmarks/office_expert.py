"""How often the scripted office expert completes its tasks.

    python -m benchmarks.office_expert --episodes 500

Random tasks (`tasks="rand"`), by the position of the drawer, and the fixed one; 350 control steps
each, with the noise of the data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np
import tyro

from benchmarks.progressive import publish
from skillgym_envs.core.env import WorldEnv
from skillgym_envs.office import FIXED_TASK, OfficeWorld
from skillgym_envs.office.expert import OfficeExpert
from skillgym_envs.office.tasks import draw_task

TURNS = ("drawer first", "drawer second", "drawer last")


@dataclass(frozen=True)
class Row:
    """Episodes of one type of task."""

    tasks: str
    episodes: int
    completed: int
    success: float
    subtasks: float
    mean_steps: float
    most_steps: int


@dataclass(frozen=True)
class Try:
    """One episode: control steps, 0 if not completed, and the number of completed subtasks."""

    kind: str
    steps: int
    subtasks: int


def attempt(kind: str, task: Sequence[str], seed: int, noise: float) -> Try:
    """Run the expert on a task."""
    env = WorldEnv(OfficeWorld(tasks=task))
    env.reset(seed=seed)
    expert = OfficeExpert(task, np.random.default_rng(seed), noise)
    expert.reset(env.data)
    steps, terminated = 0, False
    while not terminated and steps < env.world.max_episode_steps:
        *_, terminated, _, info = env.step(expert.act(env.data))
        steps += 1
    done = len(info["subtasks_completed"])
    if not terminated:
        print(f"seed {seed}: {', '.join(task)} stopped at {expert.current!r}", flush=True)
    env.close()
    return Try(kind, steps if terminated else 0, done)


def summary(kind: str, tries: Sequence[Try]) -> Row:
    """The row of some attempts."""
    steps = [each.steps for each in tries if each.steps]
    return Row(
        tasks=kind,
        episodes=len(tries),
        completed=len(steps),
        success=round(len(steps) / len(tries), 4),
        subtasks=round(float(np.mean([each.subtasks for each in tries])), 3),
        mean_steps=round(float(np.mean(steps)), 1) if steps else 0.0,
        most_steps=max(steps, default=0),
    )


def main(
    episodes: int = 500,
    fixed_episodes: int = 50,
    noise: float = 0.1,
    out: Path = Path("benchmarks/results/office_expert.csv"),
) -> None:
    """Measure the expert and write a table.

    Args:
        episodes: Random tasks.
        fixed_episodes: Episodes of the fixed task.
        noise: Standard deviation of the noise on actions.
        out: The CSV file.
    """
    tries: list[Try] = []
    for seed in range(episodes):
        task = draw_task(np.random.default_rng(seed))
        turn = [name.endswith("drawer") for name in task].index(True)
        tries.append(attempt(TURNS[turn], task, seed, noise))
        if seed % 20 == 19:
            write(tries, out)  # a long measurement may be stopped
    tries += [attempt("fixed", FIXED_TASK, seed, noise) for seed in range(fixed_episodes)]
    write(tries, out)


def write(tries: Sequence[Try], out: Path) -> None:
    """Write the table of the episodes so far."""
    groups = {"rand": [each for each in tries if each.kind != "fixed"]}
    groups |= {kind: [each for each in tries if each.kind == kind] for kind in (*TURNS, "fixed")}
    rows = [summary(kind, some) for kind, some in groups.items() if some]
    publish(map(astuple, rows), [field.name for field in fields(Row)], out)


if __name__ == "__main__":
    tyro.cli(main)
