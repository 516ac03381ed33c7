"""The Fetch robot and block tasks: gymnasium-robotics' motion, numbers of the specification."""

from __future__ import annotations

import contextlib
import io
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import mujoco
import numpy as np
import pytest
import torch

import skillgym_envs  # noqa: F401  registers the environments
from skillgym.cli.describe import describe
from skillgym_envs.core.errors import UnknownTask
from skillgym_envs.core.simulator import SerialSimulator
from skillgym_envs.core.world import Physics, PhysicsState
from skillgym_envs.fetch import TASKS
from skillgym_envs.fetch.blocks import (
    CleanUpWorld,
    PlaceWorld,
    PyramidStackWorld,
    SlipperyPushWorld,
)
from skillgym_envs.fetch.world import FetchWorld

BLOCK_TASKS = ("Place", "PyramidStack", "CleanUp", "SlipperyPush")
GRIPPER = np.array([1.34193, 0.74910, 0.53472])  # constant of the reference


def make(task: str, **keywords: Any) -> gym.Env:
    return gym.make(f"skillgym/Fetch{task}-v0", **keywords)


def spawns(world: FetchWorld, count: int = 2000) -> tuple[np.ndarray, np.ndarray]:
    """Block positions (count, B, 3) and goals (count, B, 3) of many resets."""
    rngs = [np.random.default_rng([7, index]) for index in range(count)]
    state, memory = world.reset(rngs)
    blocks = state.qpos[:, 15:].reshape(count, -1, 7)
    np.testing.assert_array_equal(blocks[..., 3:], np.tile([1.0, 0, 0, 0], (*blocks.shape[:2], 1)))
    np.testing.assert_array_equal(state.qvel[:, 15:], 0.0)
    goals = memory["goal"][:, : 3 * blocks.shape[1]]
    return blocks[..., :3], goals.reshape((*blocks.shape[:2], 3))


@pytest.fixture(scope="module")
def reference():
    """FetchPickAndPlace of the installed gymnasium-robotics."""
    with contextlib.redirect_stderr(io.StringIO()):
        import gymnasium_robotics

        gym.register_envs(gymnasium_robotics)
        env = gym.make("FetchPickAndPlace-v4", max_episode_steps=1000)
    yield env
    env.close()


def grasp_and_wave(step: int, gap: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Goes to the block, closes the hand around it, lifts it and waves it around."""
    noise = rng.uniform(-0.3, 0.3, 3)
    if step < 25:
        return np.array([*(10 * gap * (1, 1, step > 12)), 1.0])
    return np.array([*(noise if step > 35 else (0, 0, 0.5 * (step > 28))), -1.0])


@pytest.mark.parametrize("seed", range(2))
def test_motion_equals_gymnasium_robotics(reference, seed):
    """The same actions from the same state give the same qpos, through grasp and lift.

    Reached on MuJoCo 3.11: 4e-14; only the table differs, so all contacts are alike.
    """
    reference.reset(seed=seed)
    theirs = reference.unwrapped.data
    world = PlaceWorld()
    simulator = SerialSimulator(world.model, 1, world.frame_skip)
    simulator.load([0], PhysicsState(theirs.qpos[None], theirs.qvel[None]))
    simulator.data[0].qacc_warmstart[:] = theirs.qacc_warmstart
    _, memory = world.reset([np.random.default_rng(0)])
    _, memory = world.observe(simulator.physics, memory, None)
    rng = np.random.default_rng(seed)
    for step in range(60):
        gap = theirs.qpos[15:18] - theirs.site("robot0:grip").xpos
        action = grasp_and_wave(step, gap, rng)
        expected, *_ = reference.step(action)
        simulator.step(world.control(action[None], memory))
        observation, memory = world.observe(simulator.physics, memory, None)
        np.testing.assert_allclose(simulator.data[0].qpos, theirs.qpos, atol=1e-9)
        given, told = observation[0], expected["observation"]
        np.testing.assert_allclose(given[0:3], told[0:3], atol=1e-9)
        np.testing.assert_allclose(given[10:16], told[3:9], atol=1e-9)
        np.testing.assert_allclose(given[3:5], told[9:11], atol=1e-9)
        # Velocities of the same instant as the positions; theirs are 2 ms newer.
        np.testing.assert_allclose(given[5:8], told[20:23], atol=2e-3)
    assert theirs.qpos[17] > 0.45, "the block was not lifted: the test shows too little"


@pytest.mark.parametrize(
    ("task", "height", "tolerance"), [("Place", 0.42489, 1e-5), ("PyramidStack", 0.42452, 1e-5)]
)
def test_gripper_and_block_after_the_set_up(task, height, tolerance):
    """The reference's gripper constant; heights of MuJoCo 3.11 (0.42470, 0.42404 in 3.3.7)."""
    start = TASKS[task]().start
    np.testing.assert_allclose(start.grip, GRIPPER, atol=1e-4)
    assert start.object_height == pytest.approx(height, abs=5e-4)
    assert start.object_height == pytest.approx(height, abs=tolerance) or not (
        mujoco.__version__.startswith("3.11")
    )
    np.testing.assert_allclose(start.qpos[13:15], 0.0, atol=1e-5)


def test_gripper_of_the_data_world_is_the_constant():
    np.testing.assert_allclose(PlaceWorld().start.grip, GRIPPER, atol=2e-5)


@pytest.mark.parametrize(
    ("task", "first", "later"), [("Place", 0.029, 0.032), ("PyramidStack", 0.047, 0.047)]
)
def test_a_full_action_moves_the_hand_by(task, first, later):
    env = make(task)
    before, _ = env.reset(seed=0)
    hands = [before[:3]]
    for _ in range(3):
        hands.append(env.step(np.array([1.0, 0.0, 0.0, 0.0]))[0][:3])
    moves = np.diff(hands, axis=0)
    assert moves[0, 0] == pytest.approx(first, abs=6e-4)
    np.testing.assert_allclose(moves[1:, 0], later, atol=1e-3)
    assert np.abs(moves[:, 1:]).max() < 2e-3


def test_the_fingers_open_and_close_within_three_steps():
    env = make("Place")
    env.reset(seed=0)
    for command, wanted in ((1.0, 0.05), (-1.0, 0.0)):
        for _ in range(3):
            observation, *_ = env.step(np.array([0.0, 0.0, 0.0, command]))
        np.testing.assert_allclose(observation[3:5], wanted, atol=2e-3)
    held, *_ = env.step(np.zeros(4))
    np.testing.assert_allclose(held[3:5], 0.0, atol=2e-3)


@pytest.mark.parametrize(("task", "body"), [("PyramidStack", "object1"), ("Hook", "hook")])
def test_bodies_beside_the_cube_are_damped_as_it_is(task, body):
    model = TASKS[task]().model
    for name in ("object0", body):
        first = int(model.joint(f"{name}:joint").dofadr[0])
        np.testing.assert_array_equal(model.dof_damping[first : first + 6], 0.01)


@pytest.mark.parametrize("task", ["Place", "Hook"])
def test_each_finger_is_observed_and_held_where_it_is(task):
    """The two joints and the two actuators do not have the same order."""
    world = TASKS[task]()
    names = [f"robot0:{side}_gripper_finger_joint" for side in "rl"]
    joints = [world.model.joint(name) for name in names]
    start = replace(world.start, qpos=world.start.qpos.copy())
    start.qpos[[int(joint.qposadr[0]) for joint in joints]] = 0.01, 0.03
    state, memory = world.begin([np.random.default_rng(0)], [start])
    simulator = SerialSimulator(world.model, 1, world.frame_skip)
    simulator.load([0], state)
    physics = simulator.physics
    physics.qvel[0, [int(joint.dofadr[0]) for joint in joints]] = 1.0, 2.0
    observation, seen = world.observe(physics, memory, None)
    part = world.layout.slices
    np.testing.assert_allclose(observation[0, part["fingers"]], [0.01, 0.03])
    speeds = np.array([1.0, 2.0]) * world.control_timestep
    np.testing.assert_allclose(observation[0, part["finger_vel"]], speeds)
    moved = [int(joint) for joint in world.model.actuator_trnid[:, 0]]
    positions = physics.qpos[0, world.model.jnt_qposadr[moved]]
    for known in (memory, seen):  # at the start of an episode, and later
        np.testing.assert_allclose(world.control(np.zeros((1, 4)), known).ctrl[0], positions)
    assert positions.tolist() == [0.03, 0.01]


@pytest.mark.parametrize("task", BLOCK_TASKS)
def test_flat_observation_has_the_layout_of_the_data(task):
    """25 numbers: hand, fingers, their motion, block, the same from the hand, goal, zeros."""
    env = make(task)
    env.reset(seed=3)
    for _ in range(2):
        observation, *_ = env.step(np.array([0.4, -0.2, -0.5, 1.0]))
    assert observation.shape == (25,)
    data, world = env.unwrapped.data, env.unwrapped.world
    np.testing.assert_allclose(observation[10:13], data.qpos[15:18], atol=1e-3)
    np.testing.assert_allclose(observation[13:16], observation[10:13] - observation[:3], atol=1e-6)
    np.testing.assert_allclose(observation[3:5], data.qpos[13:15], atol=1e-7)
    jacobian = np.zeros((3, world.model.nv))
    mujoco.mj_jacSite(world.model, data, jacobian, None, world.model.site("robot0:grip").id)
    motion = jacobian @ data.qvel * world.control_timestep
    np.testing.assert_allclose(observation[5:8], motion, atol=2e-3)
    block_motion = data.qvel[15:18] * world.control_timestep
    np.testing.assert_allclose(observation[16:19], block_motion - observation[5:8], atol=1e-3)
    if task == "PyramidStack":
        np.testing.assert_allclose(observation[19:22], data.qpos[22:25], atol=1e-3)
    else:
        np.testing.assert_allclose(observation[19:22], data.mocap_pos[1], atol=1e-6)
    np.testing.assert_array_equal(observation[22:], 0.0)


def test_spawns_of_place():
    blocks, goals = spawns(PlaceWorld())
    xy, goal = blocks[:, 0, :2], goals[:, 0]
    np.testing.assert_array_equal(blocks[..., 2], 0.425)
    np.testing.assert_allclose(xy.min(axis=0), [1.142, 0.549], atol=5e-3)
    np.testing.assert_allclose(xy.max(axis=0), [1.442, 0.849], atol=5e-3)
    assert np.linalg.norm(xy - GRIPPER[:2], axis=1).min() >= 0.1 - 1e-4
    assert np.linalg.norm(xy - goal[:, :2], axis=1).min() >= 0.05
    assert (np.abs(goal[:, 0] - GRIPPER[0]) <= 0.151).all()
    np.testing.assert_allclose([goal[:, 1].min(), goal[:, 1].max()], [0.25, 1.25], atol=0.04)
    np.testing.assert_allclose(goal[:, 2], 0.4247, atol=3e-4)
    # y is the sum of two uniform numbers.
    assert goal[:, 1].std() == pytest.approx(np.sqrt((0.3**2 + 0.7**2) / 12), rel=0.05)


def test_spawns_of_pyramid_stack():
    """The cubes interpenetrate in 14 % of the resets, as in the reference."""
    blocks, goals = spawns(PyramidStackWorld())
    for index in range(2):
        xy = blocks[:, index, :2]
        np.testing.assert_allclose(xy.min(axis=0), [1.192, 0.599], atol=5e-3)
        np.testing.assert_allclose(xy.max(axis=0), [1.392, 0.799], atol=5e-3)
        assert np.linalg.norm(xy - GRIPPER[:2], axis=1).min() >= 0.1 - 1e-4
    gap = np.abs(blocks[:, 0, :2] - blocks[:, 1, :2])
    assert np.linalg.norm(gap, axis=1).min() >= 0.05
    assert (gap.max(axis=1) < 0.06).mean() == pytest.approx(0.14, abs=0.03)
    assert np.linalg.norm(goals[:, 0, :2] - goals[:, 1, :2], axis=1).min() >= 0.06


@pytest.mark.parametrize(
    ("world", "goal"),
    [
        (SlipperyPushWorld, (1.316193226, 0.7074910037, 0.4245288)),
        (CleanUpWorld, (1.416193226, 1.074910037, 0.4245288)),
    ],
)
def test_spawns_with_a_fixed_goal(world, goal):
    """Blocks start where those of the data do; a goal among them keeps its distance of 5 cm."""
    blocks, goals = spawns(world())
    np.testing.assert_array_equal(goals[:, 0], np.tile(goal, (len(goals), 1)))
    np.testing.assert_array_equal(blocks[..., 2], 0.425)
    xy = blocks[:, 0, :2]
    np.testing.assert_allclose(xy.min(axis=0), [1.142, 0.549], atol=5e-3)
    np.testing.assert_allclose(xy.max(axis=0), [1.442, 0.849], atol=5e-3)
    assert np.linalg.norm(xy - GRIPPER[:2], axis=1).min() >= 0.1 - 1e-4
    assert np.linalg.norm(xy - goal[:2], axis=1).min() >= 0.05


def state_of(world: FetchWorld, **poses: tuple[float, ...]) -> Physics:
    """The start state with objects at given positions, after one second with the hand at rest."""
    state, memory = world.reset([np.random.default_rng(0)])
    for name, position in poses.items():
        first = int(world.model.joint(f"{name}:joint").qposadr[0])
        state.qpos[0, first : first + 3] = position
    simulator = SerialSimulator(world.model, 1, world.frame_skip)
    simulator.load([0], state)
    for _ in range(round(1.0 / world.control_timestep)):
        simulator.step(world.control(np.zeros((1, 4)), memory))
    return simulator.physics


def scored(world: FetchWorld, physics: Physics) -> float:
    _, memory = world.reset([np.random.default_rng(0)])
    observation, memory = world.observe(physics, memory, None)
    return float(world.score(observation, physics, memory)[0].reward[0])


def test_the_plate_weighs_its_load_and_itself():
    world = CleanUpWorld()
    empty = state_of(world).sensordata[0, world._sensors["tray_force"]]
    loaded = state_of(world, object0=(1.4, 1.06, 0.46))
    force = loaded.sensordata[0, world._sensors["tray_force"]]
    np.testing.assert_allclose(empty, [0.0, 0.0, 19620.0], atol=0.1)
    assert force[2] == pytest.approx(19639.6, abs=0.1)
    assert loaded.qpos[0, 17] == pytest.approx(0.4427, abs=5e-4)


@pytest.mark.parametrize(
    ("spot", "height", "load", "reward"),
    [
        ((1.4, 1.06), 0.55, 19.6, 1.0),
        ((1.4, 1.06), 0.45, 19.6, np.exp(-0.5)),
        ((1.4, 1.06), 0.55, 4.9, 0.0),
        ((1.29, 1.06), 0.55, 19.6, 0.0),
        ((1.51, 1.06), 0.55, 19.6, 0.0),
        ((1.4, 0.95), 0.55, 19.6, 0.0),
        ((1.4, 1.17), 0.55, 19.6, 0.0),
    ],
)
def test_reward_of_clean_up(spot, height, load, reward):
    achieved = np.array([[*spot, 0.4427, 1.0, 1.0, height, load]])
    assert CleanUpWorld().reward(achieved, np.zeros((1, 7)))[0] == pytest.approx(reward)


def test_a_block_in_the_tray_pays_and_one_on_the_table_does_not():
    world = CleanUpWorld()
    assert scored(world, state_of(world, object0=(1.4, 1.06, 0.46))) == 1.0  # hand at 0.53 m
    assert scored(world, state_of(world, object0=(1.4, 0.7, 0.43))) == 0.0


def test_a_stack_pays_by_contact_and_by_the_literal_rule():
    """Stack height 0.495 m; the literal force decays below 1e-7 when the blocks are still."""
    stack = {"object0": (1.3, 0.6, 0.4955), "object1": (1.3, 0.6, 0.4355)}
    world, literal = PyramidStackWorld(), PyramidStackWorld(literal_force=True)
    physics = state_of(world, **stack)
    assert physics.qpos[0, 17] == pytest.approx(0.495, abs=1e-3)
    assert scored(world, physics) == 1.0
    force = physics.sensordata[0, world._sensors["object1_force"]]
    assert abs(force.mean()) < 1e-7
    assert scored(literal, physics) == 0.75
    for small in (1e-5, -1e-5):
        physics.sensordata[0, literal._sensors["object1_force"]] = small
        assert scored(literal, physics) == 1.0
    for fingers in ((1.0, 0.0), (0.0, 1.0), (1.0, 1.0)):
        for name, touches in zip(("in_left", "in_right"), fingers, strict=True):
            physics.sensordata[0, world._sensors[name]] = touches
        assert scored(world, physics) == 0.75, "a finger still touches the block"


@pytest.mark.parametrize(
    ("gap", "height", "resting", "reward"),
    [
        (0.0, 0.495, 1, 1.0),
        (0.039, 0.495, 1, 1.0),
        (0.041, 0.495, 1, 0.75),
        (0.0, 0.495, 0, 0.75),
        (0.079, 0.495, 1, 0.75),
        (0.081, 0.495, 1, 0.0),
        (0.0, 0.491, 1, 0.0),
        (0.0, 0.499, 1, 0.0),
    ],
)
def test_reward_of_pyramid_stack(gap, height, resting, reward):
    achieved = np.array([1.3 + gap, 0.7, height, 1.3, 0.7, 0.435, 1.2, 0.6, 0.6, resting])
    assert PyramidStackWorld().reward(achieved, np.zeros(10)) == reward


@pytest.mark.parametrize("task", ["Place", "SlipperyPush"])
@pytest.mark.parametrize(("gap", "reward"), [(0.0, 1.0), (0.029, 1.0), (0.031, 0.0)])
def test_reward_of_place_and_push_is_seen_from_above(task, gap, reward):
    goal = np.array([1.3, 0.7, 0.425, 0, 0, 0])
    achieved = goal + np.array([0.6 * gap, 0.8 * gap, 0.3, 1.0, 1.0, 1.0])
    assert TASKS[task]().reward(achieved, goal) == reward


def test_the_reward_is_paid_in_every_step_and_the_subtask_completed_once():
    env = make("SlipperyPush")
    env.reset(seed=0)
    block = env.unwrapped.data.joint("object0:joint")
    block.qpos[:3], block.qvel[:] = (1.316193226, 0.7074910037, 0.425), 0.0
    for count in range(3):
        _, reward, terminated, _, info = env.step(np.zeros(4))
        assert (reward, terminated, info["subtasks_completed"]) == (1.0, False, ("push",))
        assert info["subtasks_completed_step"] == ("push",) * (count == 0)


def test_slippery_push_is_slippery_and_its_fingers_stay_closed():
    world = SlipperyPushWorld()
    np.testing.assert_allclose(world.model.geom_friction[:, 0], 0.25)
    env = make("SlipperyPush")
    env.reset(seed=0)
    for action in np.random.default_rng(0).uniform(-1, 1, (15, 4)):
        observation, *_ = env.step([*action[:3], 1.0])
        np.testing.assert_allclose(observation[3:5], 0.0, atol=1e-8)


def test_a_block_on_the_slippery_table_slides_as_far_as_the_closed_form() -> None:
    """v^2 / (2 mu g), far from the hand."""
    world = SlipperyPushWorld()
    data, joint = mujoco.MjData(world.model), world.model.joint("object0:joint")
    data.qpos[:], data.mocap_pos[0] = world.start.qpos, world.start.gripper_pos
    data.mocap_pos[0, 2], data.mocap_quat[0] = 0.7, (1, 0, 1, 0)
    first, moving = int(joint.qposadr[0]), int(joint.dofadr[0])
    data.qpos[first : first + 7] = (1.2, 0.75, 0.425, 1, 0, 0, 0)
    mujoco.mj_step(world.model, data, nstep=50)
    begin, data.qvel[moving] = data.qpos[first], 0.5
    mujoco.mj_step(world.model, data, nstep=300)
    assert data.qpos[first] - begin == pytest.approx(0.5**2 / (2 * 0.25 * 9.81), rel=0.02)


@pytest.mark.parametrize("task", TASKS)
def test_environment_i_of_n_equals_the_single_one(task):
    actions = np.random.default_rng(0).uniform(-1, 1, (6, 3, 4))
    vector = gym.make_vec(
        f"skillgym/Fetch{task}-v0", 3, vectorization_mode="vector_entry_point", num_threads=2
    )
    batched = [vector.reset(seed=5)[0], *(vector.step(action)[0] for action in actions)]
    rewards = vector.step(actions[0])[1]
    for index in range(3):
        env = make(task)
        alone = [env.reset(seed=5 + index)[0], *(env.step(a[index])[0] for a in actions)]
        np.testing.assert_array_equal(np.array(batched)[:, index], alone)
        assert env.step(actions[0][index])[1] == rewards[index]
        env.close()
    vector.close()


@pytest.mark.parametrize("task", TASKS)
def test_world_functions_run_on_torch_too(task):
    """Same values from tensors as from arrays."""
    world = TASKS[task](goals=True)
    state, memory = world.reset([np.random.default_rng(i) for i in range(2)])
    simulator = SerialSimulator(world.model, 2, world.frame_skip, world.variants)
    simulator.load([0, 1], state)
    physics = simulator.physics

    def results(convert):
        kept = {name: convert(value) for name, value in memory.items()}
        given = Physics(*(convert(getattr(physics, n)) for n in ("qpos", "qvel", "sensordata")))
        observation, kept = world.observe(given, kept, None)
        outcome, kept = world.score(observation, given, kept)
        control = world.control(convert(np.full((2, 4), 0.3)), kept)
        inputs = (value for value in control if value is not None)
        return [observation, outcome.reward, outcome.completed, *inputs]

    for expected, got in zip(results(np.asarray), results(torch.as_tensor), strict=True):
        assert isinstance(got, torch.Tensor)
        np.testing.assert_allclose(got.numpy(), expected, atol=1e-12)


def test_worlds_pickle_without_their_model():
    data = pickle.dumps(PlaceWorld())
    assert len(data) < 20_000
    assert pickle.loads(data).model is PlaceWorld().model


@pytest.mark.parametrize("task", ["Place", "Hook"])
def test_observation_tables_of_the_docs_are_those_of_the_code(task):
    table = describe(make(task), "markdown").split("\n\n", 1)[1]
    page = (Path(__file__).parents[2] / "docs" / "worlds" / "fetch.md").read_text("utf8")
    assert table in page, f"run `skillgym describe skillgym/Fetch{task}-v0 --format markdown`"


def test_an_unknown_task_is_named():
    with pytest.raises(UnknownTask, match="CleanUp"):
        gym.make("skillgym/FetchCleanUp-v0", task="Cleanup")
