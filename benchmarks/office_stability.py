"""Stability of the office under random actions, by the length of physics steps.

    python -m benchmarks.office_stability --substeps 5 10 20 --steps 100000

Half of the seeds draw a uniform action in every control step, the other half hold each one for up
to 20 steps, which drives the arm into the desk, the furniture and its limits. Nothing is ever
reset. A warning of MuJoCo means a state that is not finite or an acceleration that is too large.
"""

from __future__ import annotations

import time
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np
import tyro

from benchmarks.progressive import publish
from skillgym_envs.core.batch import WorldBatch
from skillgym_envs.core.simulator import ThreadedSimulator
from skillgym_envs.office import OBJECTS, OfficeWorld

DESK_EDGE = -0.45  # lower objects have left the desk [m]
LONGEST_HOLD = 20  # control steps


@dataclass(frozen=True)
class Row:
    """Measurement of one physics step."""

    substeps: int
    timestep_ms: float
    control_steps: int
    seeds: int
    not_finite: int
    warnings: int
    off_the_desk: int
    fastest_object: float
    fastest_joint: float
    minutes: float


def measure(substeps: int, steps: int, seeds: int, threads: int | None = None) -> Row:
    """Act at random.

    Args:
        substeps: Physics steps per control step of 1/24 s.
        steps: Total number of control steps.
        seeds: Number of environments that share them.
        threads: Threads that step them; the usable cores if None.
    """
    began = time.perf_counter()
    world = OfficeWorld(tasks="rand", substeps=substeps)
    simulator = ThreadedSimulator(world.model, seeds, world.frame_skip, threads)
    batch = WorldBatch(world, simulator)
    rngs = [np.random.default_rng(seed) for seed in range(seeds)]
    batch.reset(range(seeds), rngs)
    actions, left = np.zeros((seeds, 8)), np.zeros(seeds, int)
    off = np.zeros((seeds, len(OBJECTS)), bool)
    not_finite, fastest_object, fastest_joint = 0, 0.0, 0.0
    per_seed = -(-steps // seeds)
    for _ in range(per_seed):
        for row in np.flatnonzero(left == 0).tolist():
            actions[row] = rngs[row].uniform(-1.0, 1.0, 8)
            left[row] = rngs[row].integers(1, LONGEST_HOLD + 1) if row % 2 else 1
        left -= 1
        batch.step(actions)
        qvel = simulator.physics.qvel
        not_finite += int(not (np.isfinite(batch.observation).all() and np.isfinite(qvel).all()))
        off |= batch.observation[:, 2:49:7] < DESK_EDGE
        free = qvel[:, -6 * len(OBJECTS) :].reshape(seeds, len(OBJECTS), 6)
        fastest_object = max(fastest_object, float(np.linalg.norm(free[..., :3], axis=2).max()))
        fastest_joint = max(fastest_joint, float(np.abs(qvel[:, : -6 * len(OBJECTS)]).max()))
    simulator.close()
    return Row(
        substeps=substeps,
        timestep_ms=round(1000.0 * float(world.model.opt.timestep), 3),
        control_steps=per_seed * seeds,
        seeds=seeds,
        not_finite=not_finite,
        warnings=sum(int(w.number) for data in simulator.data for w in data.warning),
        off_the_desk=int(off.sum()),
        fastest_object=round(fastest_object, 2),
        fastest_joint=round(fastest_joint, 2),
        minutes=round((time.perf_counter() - began) / 60.0, 1),
    )


def main(
    substeps: tuple[int, ...] = (5, 10, 20),
    steps: int = 100_000,
    seeds: int = 64,
    threads: int | None = None,
    out: Path = Path("benchmarks/results/office_stability.csv"),
) -> None:
    """Measure physics steps and write a table.

    Args:
        substeps: Physics steps per control step of 1/24 s, one measurement each.
        steps: Total number of control steps of each measurement.
        seeds: Number of environments that share them.
        threads: Threads that step them; the usable cores if None.
        out: The CSV file.
    """
    rows = (astuple(measure(count, steps, seeds, threads)) for count in substeps)
    publish(rows, [field.name for field in fields(Row)], out)


if __name__ == "__main__":
    tyro.cli(main)
