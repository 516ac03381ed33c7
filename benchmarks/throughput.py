"""Speed of the environments, of skill decoding and of PriorSAC, each beside its reference.

    python -m benchmarks.throughput

Takes about five minutes on two cores; `--only` and `--repeats` shorten it. Run it on an idle
machine.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import mujoco
import numpy as np
import tyro
from gymnasium.vector import AutoresetMode
from mujoco import rollout

from benchmarks.timing import Program, Row, compare, interleaved, markdown, write
from skillgym_envs.core.rendering import FrameRenderer
from skillgym_envs.core.vector_env import WorldVectorEnv
from skillgym_envs.kitchen import KitchenWorld
from skillgym_envs.maze import MazeCamera, MazeWorld

KITCHEN = "skillgym/Kitchen-v0"
STEPS = "control steps/s"
EPISODE = 280


def single(repeats: int) -> list[Row]:
    """One environment against a loop over `mj_step` with the same model and the same controls."""
    env = gym.make(KITCHEN)
    world, data = env.unwrapped.world, env.unwrapped.data
    actions = np.random.default_rng(0).uniform(-1, 1, (EPISODE, 9)).astype(np.float32)
    env.reset(seed=0)
    start, controls = data.qpos.copy(), []
    for action in actions:
        env.step(action)
        controls.append(data.ctrl.copy())
    end = data.qpos.copy()
    bare = mujoco.MjData(world.model)

    def ours() -> Iterator[int]:
        env.reset(seed=0)
        yield 0
        for piece in pieces(actions, 10):
            for action in piece:
                env.step(action)
            yield len(piece)

    def reference() -> Iterator[int]:
        mujoco.mj_resetData(world.model, bare)
        bare.qpos[:] = start
        mujoco.mj_forward(world.model, bare)
        yield 0
        for piece in pieces(controls, 10):
            for control in piece:
                bare.ctrl[:] = control
                mujoco.mj_step(world.model, bare, nstep=world.frame_skip)
            yield len(piece)
        check_same(bare.qpos, end)

    speeds = interleaved({"environment": ours, "bare mj_step loop": reference}, repeats)
    env.close()
    what = f"one kitchen, gymnasium.make({KITCHEN!r})"
    return [compare(what, speeds, "environment", "bare mj_step loop", STEPS, ">= 0.95")]


def batch(num_envs: int, repeats: int, threads: int = 2) -> list[Row]:
    """N environments on threads against MuJoCo's own thread pool and SB3's subprocesses."""
    steps, size = min(EPISODE, max(20, 600 // num_envs)), max(2, 40 // num_envs)
    actions = np.random.default_rng(0).uniform(-1, 1, (steps, num_envs, 9)).astype(np.float32)
    processes = subprocesses(num_envs)  # forks: before any thread is started
    world = KitchenWorld()
    env = WorldVectorEnv(world, num_envs, threads, AutoresetMode.DISABLED)
    native = NativeRollouts(env, actions, threads)

    def run(vector_env: Any) -> Iterator[int]:
        vector_env.reset()
        yield 0
        for piece in pieces(actions, size):
            for action in piece:
                vector_env.step(action)
            yield num_envs * len(piece)

    programs: dict[str, Program] = {
        "environments": lambda: run(env),
        "mujoco.rollout, a call per control step": lambda: native.run(1, size),
        f"mujoco.rollout, a call per {size} control steps": lambda: native.run(size, size),
        "SubprocVecEnv of FrankaKitchen-v1": lambda: run(processes),
    }
    speeds = interleaved(programs, repeats)
    processes.close()
    env.close()
    what = f"{num_envs} kitchens, WorldVectorEnv on {threads} threads"
    targets = ["", ">= 0.95", "", ">= 1.5"]  # a rollout over many steps shows no state in between
    return [
        compare(what, speeds, "environments", name, STEPS, target)
        for name, target in list(zip(programs, targets, strict=True))[1:]
    ]


class NativeRollouts:
    """The same controls from the same states through `mujoco.rollout`.

    Args:
        env: Environments that say what the controls are.
        actions: Actions (T, N, A).
        threads: Number of threads.
    """

    def __init__(self, env: WorldVectorEnv, actions: np.ndarray, threads: int) -> None:
        self._model, self._skip = env.world.model, env.world.frame_skip
        self._pool = rollout.Rollout(nthread=threads)
        self._data = [mujoco.MjData(self._model) for _ in range(threads)]
        full = int(mujoco.mjtState.mjSTATE_FULLPHYSICS)
        size = mujoco.mj_stateSize(self._model, full)
        env.reset(seed=0)
        self._start = np.zeros((env.num_envs, size))
        for data, state in zip(env._simulator.data, self._start, strict=True):
            mujoco.mj_getState(self._model, data, state, full)
        controls = []
        for action in actions:
            env.step(action)
            controls.append([data.ctrl.copy() for data in env._simulator.data])
        control = np.array(controls).transpose(1, 0, 2)  # (N, T, nu)
        self._control = np.repeat(control, self._skip, axis=1)  # (N, T * frame_skip, nu)

    def run(self, per_call: int, size: int) -> Iterator[int]:
        """Pieces of `size` control steps, with one call for every `per_call` of them."""
        state, steps = self._start, self._control.shape[1] // self._skip
        yield 0
        for first in range(0, steps, size):
            last = min(first + size, steps)
            for at in range(first, last, per_call):
                end = min(at + per_call, last) * self._skip
                control = np.ascontiguousarray(self._control[:, at * self._skip : end])
                state = self._call(state, control)
            yield len(state) * (last - first)

    def _call(self, start: np.ndarray, control: np.ndarray) -> np.ndarray:
        """States (N, S) after the controls (N, T, nu)."""
        states = np.empty((*control.shape[:2], start.shape[1]))
        self._pool.rollout(
            [self._model] * len(start),
            self._data,
            start,
            control,
            skip_checks=True,
            nstep=control.shape[1],
            state=states,
            sensordata=np.empty((*control.shape[:2], self._model.nsensordata)),
        )
        return np.ascontiguousarray(states[:, -1])


def subprocesses(num_envs: int) -> Any:
    """SB3's SubprocVecEnv of FrankaKitchen-v1, without the goals: SB3 knows no nested ones."""
    import gymnasium_robotics
    from stable_baselines3.common.vec_env import SubprocVecEnv

    gym.register_envs(gymnasium_robotics)

    def make() -> gym.Env[Any, Any]:
        env = gym.make("FrankaKitchen-v1", max_episode_steps=10 * EPISODE)
        space = env.observation_space["observation"]
        return gym.wrappers.TransformObservation(env, lambda obs: obs["observation"], space)

    env = SubprocVecEnv([make] * num_envs, start_method="fork")
    env.reset()
    return env


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
    """Share of the time that skill steps of many environments spend outside physics."""
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


def learning(repeats: int, updates: int = 60) -> list[Row]:
    """Updates of PriorSAC against those of SB3's SAC with networks of the same sizes."""
    from stable_baselines3 import SAC
    from stable_baselines3.common.logger import configure
    from torch import nn

    from skillgym.nn.priors import PRIORS
    from skillgym.rl import PriorSAC
    from skillgym.skills.spirl.config import SpirlConfig

    config = SpirlConfig()
    env = RandomEnv(60, config.latent_size)
    prior = PRIORS["gaussian"](
        60, config.latent_size, config.hidden_size, config.prior_layers
    ).eval()
    widths = {"pi": [config.hidden_size] * (config.prior_layers + 1), "qf": [256] * 6}
    agents = {
        "PriorSAC": PriorSAC("SkillPriorPolicy", env, prior=prior, device="cpu"),
        "SB3's SAC": SAC(
            "MlpPolicy",
            env,
            policy_kwargs={"net_arch": widths, "activation_fn": nn.LeakyReLU},
            device="cpu",
        ),
    }
    for agent in agents.values():
        agent.set_logger(configure(None, []))
        agent.learning_starts = 2000
        agent.learn(1000)

    def run(agent: Any) -> Iterator[int]:
        yield 0
        for piece in pieces(range(updates), 5):
            agent.train(len(piece), batch_size=256)
            yield len(piece)

    programs = {name: partial(run, agent) for name, agent in agents.items()}
    speeds = interleaved(programs, repeats)
    what = "PriorSAC, kitchen sizes, batch 256, sampled divergence"
    return [compare(what, speeds, "PriorSAC", "SB3's SAC", "updates/s", ">= 0.9")]


class RandomEnv(gym.Env[np.ndarray, np.ndarray]):
    """Numbers to learn from at no cost: only the updates are timed."""

    def __init__(self, observation_size: int, action_size: int) -> None:
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, (observation_size,), np.float32)
        self.action_space = gym.spaces.Box(-2.0, 2.0, (action_size,), np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        """A random observation."""
        super().reset(seed=seed)
        return self.np_random.normal(size=self.observation_space.shape).astype(np.float32), {}

    def step(self, action: np.ndarray) -> Any:
        """Another one, with a random reward."""
        return self.reset()[0], float(self.np_random.random()), False, False, {}


START = {
    "import skillgym": ("import skillgym", "<= 2"),
    "import, gymnasium.make('SkillKitchen-v0') and reset": (
        "import gymnasium, skillgym; "
        "gymnasium.make('SkillKitchen-v0', skill_model={model!r}).reset(seed=0)",
        "<= 4",
    ),
}


def starting(repeats: int, skill_model: str) -> list[Row]:
    """Seconds from a started interpreter to a package, and to an environment that was reset."""
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


def pieces(work: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """Parts of a sequence."""
    return (work[first : first + size] for first in range(0, len(work), size))


def check_same(one: np.ndarray, other: np.ndarray) -> None:
    """Raise unless both programs simulated the same motion."""
    if not np.array_equal(one, other):
        raise RuntimeError("The reference simulated another motion, so the ratio means nothing.")


def main(
    repeats: int = 7,
    only: tuple[str, ...] = (),
    skill_model: str = "spirl-kitchen",
    results: Path = Path("benchmarks/results"),
) -> None:
    """Measure, print and write the table.

    Args:
        repeats: Rounds of each comparison.
        only: Parts to run: single, batch-2, batch-8, batch-64, pictures, decoding, learning,
            starting. All if empty; the results file is written only then.
        skill_model: Skill model of the rows with skills.
        results: Folder of the results.
    """
    # The subprocesses are forked, so they come before torch has started its threads.
    parts: dict[str, Callable[[], list[Row]]] = {
        "single": lambda: single(repeats),
        "batch-2": lambda: batch(2, repeats),
        "batch-8": lambda: batch(8, repeats),
        "batch-64": lambda: batch(64, repeats),
        "pictures": lambda: pictures(64, repeats),
        "decoding": lambda: decoding(64, repeats, skill_model),
        "learning": lambda: learning(repeats),
        "starting": lambda: starting(repeats, skill_model),
    }
    rows: list[Row] = []
    for name, part in parts.items():
        if not only or name in only:
            rows += part()
            print("\n".join(markdown(rows[-1:])[2:]), flush=True)
    print("\n".join(markdown(rows)))
    if not only:
        print(write(rows, results, "python -m benchmarks.throughput"))


if __name__ == "__main__":
    tyro.cli(main)
