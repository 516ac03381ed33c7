"""Speed of environments, skill decoding and agents, each compared with a reference.

    python -m benchmarks.throughput

Takes about ten minutes on two cores; `--only` and `--repeats` shorten it. Run it on an idle
machine.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import minari
import mujoco
import numpy as np
import tyro

from benchmarks import updates
from benchmarks.simulation import EPISODE, KITCHEN, SIBLINGS, STEPS, batch, sibling, single
from benchmarks.timing import COLUMNS, Row, compare, interleaved, write
from skillgym.markdown import table_lines
from skillgym_envs.collect import collect, dataset_spec
from skillgym_envs.core.rendering import FrameRenderer
from skillgym_envs.maze import MazeCamera, MazeWorld

SINGLE = {env_id: ">= 0.95" if env_id == KITCHEN else ">= 0.90" for env_id in EPISODE}
BATCH = {"mujoco.rollout, a call per control step": ">= 0.90"}
KITCHENS = {
    "mujoco.rollout, a call per control step": ">= 0.95",
    "SubprocVecEnv of FrankaKitchen-v1": ">= 1.5",
}


def pictures(num_envs: int, repeats: int, size: int = 32) -> list[Row]:
    """Pictures of mazes drawn from the layout against MuJoCo's renderer, with the same camera."""
    world = MazeWorld(start="random", variant="spirl")
    state, _ = world.reset([np.random.default_rng(i) for i in range(num_envs)])
    camera, data = MazeCamera(world.maze, size), mujoco.MjData(world.model)
    renderer = FrameRenderer(world.model, size, size, "agent")

    def ours() -> Iterator[int]:
        yield 0
        for _ in range(5):
            camera.draw(state.qpos)
            yield num_envs

    def reference() -> Iterator[int]:
        yield 0
        for _ in range(5):
            for position in state.qpos:
                data.qpos[:] = position
                mujoco.mj_forward(world.model, data)
                renderer.render(data)
            yield num_envs

    speeds = interleaved({"MazeCamera": ours, "MuJoCo's renderer": reference}, repeats)
    renderer.close()
    what = f"pictures of {num_envs} mazes, {size} x {size} pixels"
    return [compare(what, speeds, "MazeCamera", "MuJoCo's renderer", "pictures/s", ">= 20")]


def decoding(num_envs: int, repeats: int, skill_model: str, skills: int = 2) -> list[Row]:
    """Share of time that skill steps of many environments spend outside physics."""
    env = gym.make_vec(
        "SkillKitchen-v0",
        num_envs,
        vectorization_mode="vector_entry_point",
        skill_model=skill_model,
        num_threads=2,
    )
    simulator = env.unwrapped._simulator
    in_physics = [0.0]
    plain = simulator.step

    def timed(*args: Any) -> None:
        begin = time.perf_counter()
        plain(*args)
        in_physics[0] += time.perf_counter() - begin

    simulator.step = timed
    rng = np.random.default_rng(0)
    plan = rng.uniform(-2, 2, (skills, *env.action_space.shape)).astype(np.float32)
    shares, speeds = [], []
    for repeat in range(-1, repeats):
        env.reset(seed=0)
        in_physics[0], begin, steps = 0.0, time.perf_counter(), 0
        for skill in plan:
            steps += int(env.step(skill)[4]["skill_steps"].sum())
        total = time.perf_counter() - begin
        if repeat >= 0:
            shares.append(1 - in_physics[0] / total)
            speeds.append(steps / total)
    env.close()
    what = f"{num_envs} skill kitchens: time outside physics"
    return [
        Row(what, float(np.median(shares)), "share of time", "<= 0.10"),
        Row(f"{num_envs} skill kitchens", float(np.median(speeds)), STEPS),
    ]


def collecting(episodes: int = 300, workers: int = 2) -> list[Row]:
    """Seconds per million transitions of the maze's datasets without pictures, start included."""
    rows = []
    for dataset in ("maze-play", "maze-random"):
        spec = dataset_spec(dataset)
        spec = replace(spec, plans=spec.plans[:episodes])
        with tempfile.TemporaryDirectory() as folder:
            begin = time.perf_counter()
            path = collect(spec, folder, workers=workers)
            seconds = time.perf_counter() - begin
            steps = int(minari.MinariDataset(path / "data").total_steps)
        what = f"a million transitions of {dataset}, scaled from {steps}, {workers} processes"
        rows.append(Row(what, seconds / steps * 1e6, "s", "<= 180"))
    return rows


START = {
    "import skillgym": ("import skillgym", "<= 2"),
    "import, gymnasium.make('SkillKitchen-v0') and reset": (
        "import gymnasium, skillgym; "
        "gymnasium.make('SkillKitchen-v0', skill_model={model!r}).reset(seed=0)",
        "<= 4",
    ),
}


def starting(repeats: int, skill_model: str) -> list[Row]:
    """Seconds from the start of the interpreter to an imported package, and to the first reset."""
    rows = []
    for what, (code, target) in START.items():
        program = f"import time; t = time.perf_counter()\n{code.format(model=skill_model)}\n"
        program += "print(time.perf_counter() - t)"
        seconds = []
        for _ in range(max(3, repeats)):
            done = subprocess.run(
                [sys.executable, "-c", program], capture_output=True, text=True, check=True
            )
            seconds.append(float(done.stdout.split()[-1]))
        rows.append(Row(what, float(np.median(seconds)), "s", target))
    return rows


def name(env_id: str) -> str:
    """Short name of a world, for example `kitchen`."""
    return env_id.removeprefix("skillgym/").removesuffix("-v0").lower()


def main(
    repeats: int = 7,
    only: tuple[str, ...] = (),
    skill_model: str = "spirl-kitchen",
    results: Path = Path("benchmarks/results"),
) -> None:
    """Measure, print and write the table.

    Args:
        repeats: Rounds of each comparison.
        only: Words of the names of the parts to run: single, sibling, kitchen, maze, fetchplace,
            fetchhook, office, tabletop, 64, pictures, decoding, collecting, learning (or one agent
            of it, such as skild), starting. All if empty; the results file is written only then.
        skill_model: Skill model of the rows with skills.
        results: Folder of the results.
    """
    # The subprocesses are forked, so this has to come before torch starts its threads.
    parts: dict[str, Callable[[], list[Row]]] = {
        **{f"single-{name(i)}": partial(single, i, repeats, SINGLE[i]) for i in EPISODE},
        **{f"sibling-{name(i)}": partial(sibling, i, repeats) for i in SIBLINGS},
        **{f"kitchen-{n}": partial(batch, KITCHEN, n, repeats, KITCHENS) for n in (2, 8, 64)},
        **{f"{name(i)}-64": partial(batch, i, 64, repeats, BATCH) for i in EPISODE if i != KITCHEN},
        "pictures": lambda: pictures(64, repeats),
        "decoding": lambda: decoding(64, repeats, skill_model),
        "collecting": collecting,
        "learning-prior-sac": lambda: updates.prior_sac(repeats),
        "learning-skild": lambda: updates.skild(repeats),
        "learning-gail": lambda: updates.gail(repeats),
        "learning-discrete-prior-sac": lambda: updates.discrete_prior_sac(repeats),
        "learning-reskill": lambda: updates.reskill(repeats),
        "learning-prior-ppo": lambda: updates.prior_ppo(repeats),
        "starting": lambda: starting(repeats, skill_model),
    }
    rows: list[Row] = []
    for part_name, part in parts.items():
        if not only or any(word in part_name for word in only):
            rows += part()
            print(*rows[-1].cells(), sep=" | ", flush=True)
    if only:
        print("\n".join(table_lines(COLUMNS, (row.cells() for row in rows))))
    else:
        print(write(rows, results, f"python -m benchmarks.throughput --repeats {repeats}"))


if __name__ == "__main__":
    tyro.cli(main)
