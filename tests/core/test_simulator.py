"""Simulators: the same states whatever the number of threads."""

from __future__ import annotations

import gc
import threading

import mujoco
import numpy as np
import pytest

from skillgym_envs.core.batch import WorldBatch
from skillgym_envs.core.simulator import SerialSimulator, ThreadedSimulator
from skillgym_envs.core.world import Control, PhysicsState
from tests.toy_world import ToyWorld


def control(value: np.ndarray) -> Control:
    return Control(ctrl=value[:, None], mocap_pos=np.tile(value[:, None, None], (1, 1, 3)))


def run(simulator: SerialSimulator) -> np.ndarray:
    n = simulator.num_envs
    simulator.load(range(n), PhysicsState(qpos=np.zeros((n, 1)), qvel=np.zeros((n, 1))))
    rng = np.random.default_rng(0)
    rows = []
    for step in range(20):
        active = None if step % 2 else rng.random(n) < 0.5
        simulator.step(control(rng.normal(size=n)), active)
        physics = simulator.physics
        rows.append(np.concatenate([physics.qpos, physics.qvel, physics.sensordata], axis=1))
    simulator.close()
    return np.array(rows)


@pytest.mark.parametrize("num_threads", [1, 2, 5, 50])
def test_threads_change_nothing(num_threads):
    model = ToyWorld().model
    serial = run(SerialSimulator(model, 7, 5))
    np.testing.assert_array_equal(run(ThreadedSimulator(model, 7, 5, num_threads)), serial)


def test_one_control_step_is_frame_skip_physics_steps():
    model = ToyWorld().model
    simulator = SerialSimulator(model, 1, 5)
    simulator.load([0], PhysicsState(qpos=np.array([[0.1]]), qvel=np.array([[0.2]])))
    data = mujoco.MjData(model)
    data.qpos[:], data.qvel[:], data.ctrl[:] = 0.1, 0.2, 0.7
    mujoco.mj_forward(model, data)
    simulator.step(control(np.array([0.7])))
    for _ in range(5):
        mujoco.mj_step(model, data)
    np.testing.assert_array_equal(simulator.physics.qpos[0], data.qpos)
    np.testing.assert_array_equal(simulator.physics.qvel[0], data.qvel)


@pytest.mark.parametrize("fresh", [False, True])
def test_fresh_sensors_are_those_of_the_last_state(fresh):
    """And the motion is the same: reading them again changes nothing else."""
    model = ToyWorld().model
    plain = SerialSimulator(model, 1, 5)
    simulator = SerialSimulator(model, 1, 5, fresh_sensors=fresh)
    start = PhysicsState(qpos=np.array([[0.1]]), qvel=np.array([[0.2]]))
    for each in (plain, simulator):
        each.load([0], start)
        for _ in range(3):
            each.step(control(np.array([0.7])))
    np.testing.assert_array_equal(simulator.physics.qpos, plain.physics.qpos)
    np.testing.assert_array_equal(simulator.physics.qvel, plain.physics.qvel)
    data = mujoco.MjData(model)
    data.qpos[:], data.qvel[:] = simulator.physics.qpos[0], simulator.physics.qvel[0]
    mujoco.mj_forward(model, data)
    assert np.array_equal(simulator.physics.sensordata[0], data.sensordata) is fresh


def test_a_broken_step_in_a_thread_is_raised():
    simulator = ThreadedSimulator(ToyWorld().model, 4, 5, 2)
    with pytest.raises(IndexError):
        simulator.step(control(np.zeros(3)))
    simulator.close()


def test_load_forgets_solver_history_and_mocap():
    model = ToyWorld().model
    used, fresh = SerialSimulator(model, 1, 5), SerialSimulator(model, 1, 5)
    used.step(control(np.array([3.0])))
    for simulator in (used, fresh):
        simulator.load([0], PhysicsState(qpos=np.zeros((1, 1)), qvel=np.zeros((1, 1))))
    kind = int(mujoco.mjtState.mjSTATE_INTEGRATION)
    states = []
    for simulator in (used, fresh):
        state = np.zeros(mujoco.mj_stateSize(model, kind))
        mujoco.mj_getState(model, simulator.data[0], state, kind)
        states.append(state)
    np.testing.assert_array_equal(*states)


def test_threads_end_with_their_simulator():
    """Closed, or merely forgotten."""
    others = set(threading.enumerate())  # of earlier tests, which may end at any time
    closed, forgotten = (ThreadedSimulator(ToyWorld().model, 4, 5, 3) for _ in range(2))
    for simulator in (closed, forgotten):
        simulator.step(control(np.zeros(4)))
    threads = set(threading.enumerate()) - others
    assert [thread.name for thread in threads] == ["skillgym-physics"] * 4
    closed.close()
    closed.close()
    del forgotten, simulator
    gc.collect()
    for thread in threads:
        thread.join(timeout=5.0)
        assert not thread.is_alive()


def test_a_closed_simulator_can_go_on():
    simulator = ThreadedSimulator(ToyWorld().model, 4, 5, 2)
    simulator.step(control(np.ones(4)))
    simulator.close()
    simulator.step(control(np.ones(4)))
    assert (simulator.physics.qpos > 0).all()
    simulator.close()


@pytest.mark.parametrize("simulator", [SerialSimulator, ThreadedSimulator])
def test_a_control_step_may_last_longer_in_some_copies(simulator):
    model = ToyWorld().model
    several, each = simulator(model, 2, 5), []
    several.load([0, 1], PhysicsState(qpos=np.zeros((2, 1)), qvel=np.ones((2, 1))))
    several.step(Control(ctrl=np.zeros((2, 1)), steps=np.array([5, 12])))
    for steps in (5, 12):
        data = mujoco.MjData(model)
        data.qvel[:] = 1.0
        mujoco.mj_step(model, data, nstep=steps)
        each.append(data.qpos.copy())
    np.testing.assert_array_equal(several.physics.qpos, each)
    several.close()


class SwitchWorld(ToyWorld):
    """Remembers how often the action was positive."""

    def reset(self, rngs, options=None):
        state, memory = super().reset(rngs, options)
        return state, memory | {"pressed": np.zeros(len(rngs))}

    def control(self, action, memory):
        pressed = memory["pressed"] + (action[:, 0] > 0)
        return super().control(action, memory)._replace(memory={"pressed": pressed})

    def observe(self, physics, memory, noise):
        observation, memory = super().observe(physics, memory, noise)
        observation[:, 1] = memory["pressed"]
        return observation, memory


def test_control_may_change_the_memory_of_active_environments():
    world = SwitchWorld()
    batch = WorldBatch(world, SerialSimulator(world.model, 3, world.frame_skip))
    batch.reset(range(3), [np.random.default_rng(i) for i in range(3)])
    actions = np.array([[1.0], [-1.0], [1.0]])
    batch.step(actions)
    np.testing.assert_array_equal(batch.observation[:, 1], [1, 0, 1])
    batch.step(actions, active=np.array([True, True, False]))
    batch.step(actions)
    np.testing.assert_array_equal(batch.observation[:, 1], [3, 0, 2])
