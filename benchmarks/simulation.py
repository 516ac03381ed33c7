"""Speed of the worlds, compared with bare MuJoCo and with the reference environments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import gymnasium as gym
import mujoco
import numpy as np
from gymnasium.vector import AutoresetMode
from mujoco import rollout

from benchmarks.timing import Program, Row, compare, interleaved
from skillgym_envs.core.simulator import SerialSimulator
from skillgym_envs.core.vector_env import WorldVectorEnv
from skillgym_envs.core.world import Control

KITCHEN = "skillgym/Kitchen-v0"
EPISODE = {
    KITCHEN: 280,
    "skillgym/Maze-v0": 1000,
    "skillgym/FetchPlace-v0": 50,
    "skillgym/FetchHook-v0": 100,
    "skillgym/Office-v0": 200,
    "skillgym/Tabletop-v0": 200,
}
"""Worlds, and control steps per run."""

SIBLINGS = {
    "skillgym/Maze-v0": "PointMaze_Large-v3",
    "skillgym/FetchPlace-v0": "FetchPickAndPlace-v4",
}
"""Environments of gymnasium-robotics with the same robot, time step and frame skip."""

STEPS = "control steps/s"
_STATE = int(mujoco.mjtState.mjSTATE_INTEGRATION)
_FULL = int(mujoco.mjtState.mjSTATE_FULLPHYSICS)
_CONTROL = int(
    mujoco.mjtState.mjSTATE_CTRL
    | mujoco.mjtState.mjSTATE_MOCAP_POS
    | mujoco.mjtState.mjSTATE_MOCAP_QUAT
)


class Recording(NamedTuple):
    """Recorded inputs of a simulator.

    Attributes:
        states: States before the first control step, one row per environment, of type `_STATE`.
        controls: The control of each step.
        end: Positions (N, nq) at the end.
    """

    states: np.ndarray
    controls: list[Control]
    end: np.ndarray


def record(env: Any, actions: np.ndarray) -> Recording:
    """Run actions (T, ...) in an environment, or in several at once."""
    simulator: SerialSimulator = env.unwrapped._simulator
    env.reset(seed=0)
    models = simulator._models
    states = np.zeros((simulator.num_envs, mujoco.mj_stateSize(models[0], _STATE)))
    for model, data, state in zip(models, simulator.data, states, strict=True):
        mujoco.mj_getState(model, data, state, _STATE)
    controls: list[Control] = []
    step = simulator.step

    def recorded(control: Control, active: Any = None) -> None:
        controls.append(control)
        step(control, active)

    simulator.step = recorded  # type: ignore[method-assign]
    for action in actions:
        env.step(action)
    del simulator.step  # type: ignore[misc]  # the method of the class is back
    assert all(c.steps is None or np.all(c.steps == simulator.frame_skip) for c in controls)
    return Recording(states, controls, simulator.physics.qpos.copy())


def random_actions(env_id: str, *shape: int) -> np.ndarray:
    """Small actions (*shape, A), with which no gripper closes."""
    spec = gym.make(env_id)
    size = spec.action_space.shape
    spec.close()
    scale = 1.0 if env_id == KITCHEN else 0.4
    return scale * np.random.default_rng(0).uniform(-1, 1, (*shape, *size)).astype(np.float32)


def single(env_id: str, repeats: int, target: str) -> list[Row]:
    """One environment against a loop over `mj_step` with the same controls.

    If the world's model lacks purely visual geoms, the model with them is another reference.
    """
    env = gym.make(env_id)
    simulator = env.unwrapped._simulator
    actions = random_actions(env_id, EPISODE[env_id])
    recording = record(env, actions)
    model, skip = simulator._models[0], simulator.frame_skip
    models = {"bare mj_step loop": model}
    if (scene := env.unwrapped.world.visual_model(model)) is not model:
        models["bare mj_step loop, the model with its visual geoms"] = scene

    def ours() -> Iterator[int]:
        env.reset(seed=0)
        yield 0
        for piece in pieces(actions, 10):
            for action in piece:
                env.step(action)
            yield len(piece)

    def bare(model: mujoco.MjModel) -> Iterator[int]:
        data = mujoco.MjData(model)
        mujoco.mj_setState(model, data, recording.states[0], _STATE)
        yield 0
        for piece in pieces(recording.controls, 10):
            for control in piece:
                write_control(data, control)
                mujoco.mj_step(model, data, nstep=skip)
            yield len(piece)
        if not np.array_equal(data.qpos, recording.end[0]):
            raise RuntimeError("The reference made another motion, so the ratio means nothing.")

    references = {name: partial(bare, each) for name, each in models.items()}
    speeds = interleaved({"environment": ours, **references}, repeats)
    env.close()
    what = f"gymnasium.make({env_id!r})"
    return [compare(what, speeds, "environment", name, STEPS, target) for name in references]


def write_control(data: mujoco.MjData, control: Control) -> None:
    """Set the first environment's control in MuJoCo."""
    data.ctrl[:] = control.ctrl[0]
    if control.qvel is not None:
        data.qvel[:] = control.qvel[0]
    if control.mocap_pos is not None:
        data.mocap_pos[:] = control.mocap_pos[0]
    if control.mocap_quat is not None:
        data.mocap_quat[:] = control.mocap_quat[0]


def sibling(env_id: str, repeats: int) -> list[Row]:
    """One environment against that of gymnasium-robotics with the same robot."""
    import gymnasium_robotics

    gym.register_envs(gymnasium_robotics)
    steps, other_id = EPISODE[env_id], SIBLINGS[env_id]
    envs = {name: gym.make(name, max_episode_steps=10 * steps) for name in (env_id, other_id)}

    def run(env: gym.Env[Any, Any]) -> Iterator[int]:
        env.reset(seed=0)
        yield 0
        actions = 0.4 * np.random.default_rng(0).uniform(-1, 1, (steps, *env.action_space.shape))
        for piece in pieces(actions.astype(np.float32), 10):
            for action in piece:
                env.step(action)
            yield len(piece)

    speeds = interleaved({name: partial(run, env) for name, env in envs.items()}, repeats)
    for env in envs.values():
        env.close()
    return [compare(f"gymnasium.make({env_id!r})", speeds, env_id, other_id, STEPS, ">= 1")]


def batch(
    env_id: str, num_envs: int, repeats: int, targets: dict[str, str], threads: int = 2
) -> list[Row]:
    """N environments on threads against MuJoCo's own thread pool; kitchens against SB3's too."""
    steps, size = min(EPISODE[env_id], max(20, 600 // num_envs)), max(2, 40 // num_envs)
    actions = random_actions(env_id, steps, num_envs)
    # Forks, so it has to come before any thread is started.
    processes = subprocesses(num_envs) if env_id == KITCHEN else None
    env = gym.make_vec(
        env_id,
        num_envs,
        vectorization_mode="vector_entry_point",
        num_threads=threads,
        autoreset_mode=AutoresetMode.DISABLED,
    )
    assert isinstance(env, WorldVectorEnv)
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
    }
    if not native.overwrites:  # a rollout over many steps does not return the states in between
        several = f"mujoco.rollout, a call per {size} control steps"
        programs[several] = lambda: native.run(size, size)
    if processes is not None:
        programs["SubprocVecEnv of FrankaKitchen-v1"] = lambda: run(processes)
    speeds = interleaved(programs, repeats)
    env.close()
    if processes is not None:
        processes.close()
    what = f"{num_envs} {env_id}, WorldVectorEnv on {threads} threads"
    return [
        compare(what, speeds, "environments", name, STEPS, targets.get(name, ""))
        for name in list(programs)[1:]
    ]


class NativeRollouts:
    """The same controls from the same states through `mujoco.rollout`.

    Args:
        env: Environments that compute the controls.
        actions: Actions (T, N, A).
        threads: Number of threads.

    Attributes:
        overwrites: Whether each control step sets velocities at its start.
    """

    def __init__(self, env: WorldVectorEnv, actions: np.ndarray, threads: int) -> None:
        recording = record(env, actions)
        simulator = env._simulator
        self._models, self._skip = simulator._models, simulator.frame_skip
        model = self._models[0]
        self._pool = rollout.Rollout(nthread=threads)
        self._data = [mujoco.MjData(model) for _ in range(threads)]
        self._start = np.zeros((env.num_envs, mujoco.mj_stateSize(model, _FULL)))
        controls = [self._flat(control, model) for control in recording.controls]
        for each, state, start in zip(self._models, recording.states, self._start, strict=True):
            mujoco.mj_setState(each, self._data[0], state, _STATE)
            mujoco.mj_getState(each, self._data[0], start, _FULL)
        self._control = np.repeat(np.stack(controls, 1), self._skip, axis=1)
        self._velocities = [control.qvel for control in recording.controls]
        self.overwrites = self._velocities[0] is not None
        self._slots = slice(1 + model.nq, 1 + model.nq + model.nv)  # after time and positions

    def _flat(self, control: Control, model: mujoco.MjModel) -> np.ndarray:
        """Inputs of a control step in MuJoCo's order, (N, C)."""
        count = len(control.ctrl)
        rest = np.concatenate([model.body_pos, model.body_quat], 1)[model.body_mocapid >= 0]
        positions, quaternions = rest[None, :, :3], rest[None, :, 3:]
        if control.mocap_pos is not None:
            positions = control.mocap_pos
        if control.mocap_quat is not None:
            quaternions = control.mocap_quat
        parts = [control.ctrl, positions, quaternions]
        flat = [
            np.broadcast_to(part, (count, *part.shape[1:])).reshape(count, -1) for part in parts
        ]
        return np.concatenate(flat, axis=1)

    def run(self, per_call: int, size: int) -> Iterator[int]:
        """Pieces of `size` control steps, with one call for every `per_call` of them."""
        state, steps = self._start, self._control.shape[1] // self._skip
        yield 0
        for first in range(0, steps, size):
            last = min(first + size, steps)
            for at in range(first, last, per_call):
                end = min(at + per_call, last) * self._skip
                control = np.ascontiguousarray(self._control[:, at * self._skip : end])
                if self.overwrites:
                    state[:, self._slots] = self._velocities[at]
                state = self._call(state, control)
            yield len(state) * (last - first)

    def _call(self, start: np.ndarray, control: np.ndarray) -> np.ndarray:
        """States (N, S) after the controls (N, T, C)."""
        states = np.empty((*control.shape[:2], start.shape[1]))
        self._pool.rollout(
            self._models,
            self._data,
            start,
            control,
            control_spec=_CONTROL,
            skip_checks=True,
            nstep=control.shape[1],
            state=states,
            sensordata=np.empty((*control.shape[:2], self._models[0].nsensordata)),
        )
        return np.ascontiguousarray(states[:, -1])


def subprocesses(num_envs: int) -> Any:
    """SB3's SubprocVecEnv of FrankaKitchen-v1, without goals, as SB3 supports no nested ones."""
    import gymnasium_robotics
    from stable_baselines3.common.vec_env import SubprocVecEnv

    gym.register_envs(gymnasium_robotics)

    def make() -> gym.Env[Any, Any]:
        env = gym.make("FrankaKitchen-v1", max_episode_steps=10 * EPISODE[KITCHEN])
        space = env.observation_space["observation"]
        return gym.wrappers.TransformObservation(env, lambda obs: obs["observation"], space)

    env = SubprocVecEnv([make] * num_envs, start_method="fork")
    env.reset()
    return env


def pieces(work: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """Parts of a sequence."""
    return (work[first : first + size] for first in range(0, len(work), size))
