"""The tabletop against the measured facts of CALVIN's environment."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import mujoco
import numpy as np
import pytest
import torch

import skillgym_envs  # noqa: F401  (registers the tabletop)
from skillgym_envs.core.env import WorldEnv
from skillgym_envs.core.errors import InvalidAction, SkillgymError
from skillgym_envs.core.vector_env import WorldVectorEnv
from skillgym_envs.core.world import Physics
from skillgym_envs.tabletop import SCENES, TabletopWorld
from skillgym_envs.tabletop.furniture import JOINTS
from skillgym_envs.tabletop.model import TOUCHABLE, tabletop_model
from skillgym_envs.tabletop.placement import random_blocks
from skillgym_envs.tabletop.rotations import (
    conjugate,
    euler_of_quat,
    quat_of_euler,
    quat_product,
    rotated,
    rotation_vector,
)
from skillgym_envs.tabletop.scenes import BLOCK_LENGTHS, COLOURS

HOME_TCP = (0.02587, -0.23131, 0.57128, 3.09045, -0.02909, 1.50014)
OPEN = 1.0


def make(**keywords: Any) -> WorldEnv:
    env = WorldEnv(TabletopWorld(**keywords))
    env.reset(seed=0)
    return env


def act(
    env: WorldEnv, steps: int, index: int | None = None, value: float = 1.0, grip: float = OPEN
):
    """Observations (steps, O) under a constant action."""
    action = np.zeros(7)
    action[6] = grip
    if index is not None:
        action[index] = value
    return np.array([env.step(action)[0] for _ in range(steps)])


# --------------------------------------------------------------------------- robot


def test_home_pose():
    env = make()
    observation, _ = env.reset(seed=0)
    np.testing.assert_allclose(observation[:6], HOME_TCP, atol=1e-5)
    assert observation[6] == pytest.approx(0.08)
    assert observation[14] == 1.0
    camera = env.data.cam("gripper").xpos
    np.testing.assert_allclose(camera, (0.01139, -0.33457, 0.70813), atol=1e-5)


def test_step_response_in_position():
    """Bullet's: the hand follows a moving target with a lag of two centimetres."""
    env = make()
    moved = np.concatenate((act(env, 6, 0), act(env, 4)))[:, 0] - HOME_TCP[0]
    expected = (0.0098, 0.0248, 0.0423, 0.0608, 0.0798, 0.0988, 0.1091, 0.1142, 0.1167, 0.1179)
    np.testing.assert_allclose(moved, expected, atol=0.002)


def test_step_response_in_yaw():
    turned = act(make(), 4, 5)[:, 5] - HOME_TCP[5]
    np.testing.assert_allclose(turned, (0.0266, 0.0667, 0.1124, 0.1606), atol=0.002)


def test_gripper_closes_and_opens_as_fast_as_bullets():
    env = make()
    width = act(env, 5, grip=-1.0)[:, 6]
    np.testing.assert_allclose(width, (0.0344, 0.0148, 0.0064, 0.0027, 0.0012), atol=0.003)
    act(env, 5, grip=-1.0)
    width = act(env, 5)[:, 6]
    np.testing.assert_allclose(width, (0.0250, 0.0563, 0.0698, 0.0756, 0.0781), atol=0.003)


def test_the_hand_goes_where_the_target_is():
    """Increments add up, in all six directions; turns move the hand by less than 2 mm."""
    for index in range(6):
        env = make()
        size = 0.02 if index < 3 else 0.05
        act(env, 8, index, -0.5)
        end = act(env, 25)[-1, :6]
        expected = np.array(HOME_TCP)
        expected[index] -= 8 * 0.5 * size
        np.testing.assert_allclose(end, expected, atol=2e-3)


def test_gripper_action_is_a_sign():
    env = make()
    assert act(env, 1, grip=0.0)[-1, 14] == 1.0
    assert act(env, 1, grip=-0.01)[-1, 14] == -1.0


def test_observed_hand_is_that_of_the_observed_joints():
    """Sensors are a physics step old; the observation makes up for it."""
    env, rng = make(), np.random.default_rng(0)
    for _ in range(10):
        observation, *_ = env.step(rng.uniform(-1, 1, 7))
    data = mujoco.MjData(env.world.model)
    data.qpos[:] = env.data.qpos
    mujoco.mj_kinematics(env.world.model, data)
    np.testing.assert_allclose(observation[:3], data.site("tcp").xpos, atol=1e-4)
    np.testing.assert_allclose(observation[7:14], env.data.qpos[:7], atol=1e-6)


def test_rotations_invert_each_other():
    rng = np.random.default_rng(0)
    euler = rng.uniform((-3.1, -1.5, -3.1), (3.1, 1.5, 3.1), (200, 3))
    quat = quat_of_euler(euler)
    np.testing.assert_allclose(euler_of_quat(quat), euler, atol=1e-9)
    np.testing.assert_allclose(quat_product(quat, conjugate(quat))[:, 1:], 0.0, atol=1e-12)
    for row in range(5):
        product = np.empty(4)
        mujoco.mju_mulQuat(product, quat[row], quat[row + 1])
        np.testing.assert_allclose(quat_product(quat[row], quat[row + 1]), product, atol=1e-12)
        matrix, vector, turn = np.empty(9), rng.normal(size=3), np.empty(3)
        mujoco.mju_quat2Mat(matrix, quat[row])
        np.testing.assert_allclose(rotated(quat[row], vector), matrix.reshape(3, 3) @ vector)
        mujoco.mju_quat2Vel(turn, quat[row], 1.0)
        np.testing.assert_allclose(rotation_vector(quat[row]), turn, atol=1e-9)
    np.testing.assert_array_equal(rotation_vector(np.array([[1.0, 0.0, 0.0, 0.0]])), 0.0)


# --------------------------------------------------------------------------- furniture


@pytest.mark.parametrize("name", SCENES)
def test_furniture_is_where_the_specification_has_it(name):
    scene, model = SCENES[name], tabletop_model(name)
    data = mujoco.MjData(model)
    mujoco.mj_kinematics(model, data)
    ranges = [model.joint(joint).range[1] for joint in JOINTS]
    np.testing.assert_allclose(ranges, (scene.door_range, 0.22, 0.02, 0.088))
    for body, low, high in (
        ("drawer", (scene.drawer - 0.22, -0.26, 0.30), (scene.drawer + 0.22, 0.06, 0.40)),
        ("plank", (scene.opening[0], 0.02, 0.42), (scene.opening[1], 0.16, 0.44)),
        ("button", (scene.button - 0.032, -0.152, 0.46), (scene.button + 0.032, -0.088, 0.484)),
        ("led", (scene.button - 0.08, 0.14, 0.6478), (scene.button + 0.08, 0.18, 0.6638)),
        ("base", (-0.44, -0.18, 0.0), (0.44, 0.18, 0.6478)),
    ):
        corners = extent(model, data, body)
        np.testing.assert_allclose(corners[0], low, atol=1e-3, err_msg=body)
        np.testing.assert_allclose(corners[1], high, atol=1e-3, err_msg=body)
    masses = [model.body(body).mass[0] for body in ("door", "drawer", "button", "lever")]
    np.testing.assert_allclose(masses, (1.5435, 4.2313, 0.1538, 0.2388))
    lengths = [2 * model.geom(colour).size[0] for colour in COLOURS]
    np.testing.assert_allclose(lengths, [BLOCK_LENGTHS[scene.sizes[c]] for c in COLOURS])


def extent(model: mujoco.MjModel, data: mujoco.MjData, body: str) -> np.ndarray:
    """Lowest and highest corner (2, 3) of a body's geoms."""
    corners = []
    for index in np.flatnonzero(model.geom_bodyid == model.body(body).id):
        middle, half = model.geom_aabb[index].reshape(2, 3)
        points = middle + half * np.array(np.meshgrid(*[(-1, 1)] * 3)).reshape(3, -1).T
        if (mesh := model.geom_dataid[index]) >= 0:
            first = model.mesh_vertadr[mesh]
            points = model.mesh_vert[first : first + model.mesh_vertnum[mesh]]
        rotation = data.geom_xmat[index].reshape(3, 3)
        corners.append(points @ rotation.T + data.geom_xpos[index])
    found = np.concatenate(corners)
    return np.stack((found.min(axis=0), found.max(axis=0)))


def test_handles_of_scene_d():
    """Centres of the handle of the door, and of the crossbar of the lever, down and up."""
    model = tabletop_model("D")
    data = mujoco.MjData(model)
    for lever, bar in ((0.0, (0.30, 0.018, 0.529)), (0.088, (0.30, 0.062, 0.605))):
        data.joint("base__switch").qpos = lever
        mujoco.mj_kinematics(model, data)
        last = np.flatnonzero(model.geom_bodyid == model.body("lever").id)[-1]
        np.testing.assert_allclose(data.geom_xpos[last], bar, atol=1e-3)
    last = np.flatnonzero(model.geom_bodyid == model.body("door").id)[-1]
    np.testing.assert_allclose(data.geom_xpos[last], (0.04, 0.0144, 0.570), atol=1e-3)


def pulled(joint: str, force: float, steps: int = 60) -> float:
    """Where a joint of the furniture is after a constant force along it."""
    model = tabletop_model("D")
    data = mujoco.MjData(model)
    data.joint("red").qpos[:3], data.joint("blue").qpos[:3] = (0.1, -0.1, 0.46), (0.2, -0.1, 0.46)
    data.joint("pink").qpos[:3] = (0.3, -0.1, 0.46)
    data.qfrc_applied[model.joint(joint).dofadr[0]] = force
    mujoco.mj_step(model, data, nstep=steps)
    return float(data.joint(joint).qpos[0])


@pytest.mark.parametrize(
    ("joint", "holds", "moves"),
    [
        ("base__slide", 3.8, 4.2),
        ("base__drawer", 3.8, 4.2),
        ("base__switch", 5.7, 6.5),  # 4 N of friction and 2.03 N of weight
    ],
)
def test_dry_friction(joint, holds, moves):
    assert abs(pulled(joint, holds)) < 3e-4
    assert pulled(joint, moves) > 1e-3


def test_button_gives_way_to_3_newton_and_not_to_2():
    assert pulled("base__button", 3.0, 240) == pytest.approx(0.02, abs=1e-3)
    assert pulled("base__button", 2.0, 240) < 2e-3


def test_button_springs_back():
    """From 0.02 to below 0.01 in about 9 physics steps."""
    model = tabletop_model("D")
    data = mujoco.MjData(model)
    data.joint("base__button").qpos = 0.02
    data.joint("red").qpos[:2] = 0.3
    mujoco.mj_step(model, data, nstep=6)
    assert data.joint("base__button").qpos[0] > 0.01
    mujoco.mj_step(model, data, nstep=6)
    assert data.joint("base__button").qpos[0] < 0.01


def test_lever_stays_where_it_is_left():
    env = make(observation="scene")
    state = np.zeros(24)
    state[3], state[6:9], state[12:15], state[18:21] = 0.05, (0, -0.1, 0.46), (0.1, -0.1, 0.46), (
        *(0.2, -0.1), 0.46,
    )  # fmt: skip
    env.reset(options={"scene_state": state})
    assert act(env, 60)[-1, 3] == pytest.approx(0.05, abs=5e-4)


# --------------------------------------------------------------------------- lights and tasks


def set_furniture(env: WorldEnv, **positions: float) -> np.ndarray:
    """Observation after a control step that begins with joints of the furniture moved."""
    for name, value in positions.items():
        env.data.joint(f"base__{name}").qpos = value
        env.data.joint(f"base__{name}").qvel = 0.0
    return act(env, 1)[-1]


def test_bulb_follows_its_lever():
    env = make()
    assert set_furniture(env, switch=0.0435)[19] == 0.0
    assert set_furniture(env, switch=0.0445)[19] == 1.0
    assert set_furniture(env, switch=0.0)[19] == 0.0


def test_led_changes_when_the_button_goes_down():
    env = make()
    seen = []
    for pressed in (0.0, 1.0, 1.0, 0.0, 1.0, 0.0):
        model = env.world.model
        env.data.qfrc_applied[model.joint("base__button").dofadr[0]] = 10.0 * pressed
        seen.append(act(env, 4)[-1, 20])
    assert seen == [0.0, 1.0, 1.0, 1.0, 0.0, 0.0]


def test_four_subtasks_of_skimo_in_their_order():
    """A later one counts when its turn comes, at most one in a control step."""
    env = make()
    rewards = []
    set_furniture(env, switch=0.088, slide=0.2)  # done early
    rewards += [env.step(np.zeros(7))[1] for _ in range(2)]
    env.data.joint("base__drawer").qpos = 0.119
    rewards.append(env.step(np.zeros(7))[1])
    env.data.joint("base__drawer").qpos = 0.121
    for _ in range(3):
        _, reward, terminated, _, info = env.step(np.zeros(7))
        rewards.append(reward)
    assert rewards == [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]
    assert info["subtasks_completed"] == ("open_drawer", "turn_on_lightbulb", "move_slider_left")
    env.data.qfrc_applied[env.world.model.joint("base__button").dofadr[0]] = 10.0
    for _ in range(4):
        _, reward, terminated, _, info = env.step(np.zeros(7))
        if terminated:
            break
    assert (reward, terminated) == (1.0, True)
    assert info["subtasks_completed_step"] == ("turn_on_led",)


def test_since_the_subtask():
    """In a chain each task compares with the state at its own start; patience ends it."""
    tasks = ("open_drawer", "move_slider_left")
    episode, chain = (make(tasks=tasks, since=since) for since in ("episode", "subtask"))
    for env, done in ((episode, True), (chain, False)):
        env.data.joint("base__slide").qpos = 0.2
        env.data.joint("base__drawer").qpos = 0.15
        env.step(np.zeros(7))
        assert env.step(np.zeros(7))[2] is done
    patient = make(tasks=tasks, since="subtask", patience=3)
    assert [patient.step(np.zeros(7))[2] for _ in range(3)] == [False, False, True]


# --------------------------------------------------------------------------- blocks and resets


@pytest.mark.parametrize("name", SCENES)
def test_random_blocks_lie_apart_on_their_surfaces(name):
    scene = SCENES[name]
    rng = np.random.default_rng(0)
    poses = np.array([random_blocks(rng, scene) for _ in range(300)]).reshape(-1, 7)
    on_table = poses[:, 1] < 0.0
    assert 1 / 3 - 0.05 < on_table.mean() < 1 / 3 + 0.15  # more often where there is more room
    x = poses[on_table, 0]
    assert scene.table[0] <= x.min() and x.max() <= scene.table[1]
    x = poses[~on_table, 0]
    assert scene.slider_left[0] <= x.min() and x.max() <= scene.slider_right[1]


def test_no_blocks_touch_after_a_reset():
    env = make(observation="scene")
    for seed in range(20):
        env.reset(seed=seed)
        sensors = env.data.sensordata[49 : 49 + 3 * len(TOUCHABLE)].reshape(3, -1)
        assert not sensors[:, -3:].any()


def test_blocks_touch_what_they_lie_on():
    env = make(observation="scene")
    state = np.zeros(24)
    state[1] = 0.22
    state[6:9], state[12:15], state[18:21] = (
        (0.05, -0.12, 0.46),
        (-0.24, 0.09, 0.46),
        (0.18, -0.28, 0.36),
    )
    env.reset(options={"scene_state": state})
    act(env, 30)
    sensors = env.data.sensordata[49 : 49 + 3 * len(TOUCHABLE)].reshape(3, -1)
    touched = [{TOUCHABLE[i] for i in np.flatnonzero(row)} for row in sensors]
    assert touched == [{"base"}, {"plank"}, {"drawer"}]
    heights = env.data.qpos[13:].reshape(3, 7)[:, 2]
    np.testing.assert_allclose(heights, (0.46, 0.46, 0.36), atol=1.5e-3)


def test_a_given_state_is_observed_again():
    env = make(observation="full", scene="A")
    rng = np.random.default_rng(0)
    observation, _ = env.reset(seed=3)
    robot, scene = observation[:15].copy(), observation[15:].copy()
    robot[7:14] += rng.uniform(-0.1, 0.1, 7)
    robot[6], robot[14] = 0.03, -1.0
    scene[:4], scene[4:6] = (0.1, 0.2, 0.0, 0.06), (1.0, 1.0)
    again, _ = env.reset(options={"robot_state": robot, "scene_state": scene})
    np.testing.assert_allclose(again[6:], np.concatenate((robot, scene))[6:], atol=1e-6)


@pytest.mark.parametrize(
    "options",
    [{"robot_state": np.zeros(14)}, {"scene_state": np.full(24, np.nan)}, {"scene_state": "left"}],
)
def test_bad_states_are_one_sentence(options):
    with pytest.raises(SkillgymError, match="shape") as caught:
        make().reset(options=options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("keywords", "hint"),
    [({"scene": "E"}, "'D'"), ({"observation": "skim"}, "skimo"), ({"since": "start"}, "subtask")],
)
def test_unknown_keywords(keywords, hint):
    with pytest.raises(SkillgymError, match=hint):
        TabletopWorld(**keywords)


@pytest.mark.parametrize(
    ("observation", "size"), [("skimo", 21), ("robot", 15), ("scene", 24), ("full", 39)]
)
def test_sizes_and_parts_of_observations(observation, size):
    env, full = make(observation=observation), make(observation="full")
    part = {"skimo": slice(21), "robot": slice(15), "scene": slice(15, 39), "full": slice(39)}
    assert env.layout.size == size
    for _ in range(2):
        given, expected = act(env, 1)[0], act(full, 1)[0]
        np.testing.assert_array_equal(given, expected[part[observation]])


def test_blocks_are_observed_in_the_order_of_the_scene():
    for name, first in (("A", "pink"), ("B", "red"), ("C", "blue"), ("D", "red")):
        env = make(scene=name, observation="scene")
        observation = act(env, 1)[0]
        assert env.layout.slices[f"{first}_pos"] == slice(6, 9)
        np.testing.assert_allclose(observation[6:9], env.data.joint(first).qpos[:3], atol=1e-6)


# --------------------------------------------------------------------------- batches, bad days


def test_serial_and_threaded_batches_agree_bit_for_bit():
    world = TabletopWorld(observation="full")
    batch = WorldVectorEnv(world, 3, num_threads=3)
    single = [WorldEnv(world) for _ in range(3)]
    first, _ = batch.reset(seed=5)
    rows = [env.reset(seed=5 + i)[0] for i, env in enumerate(single)]
    np.testing.assert_array_equal(first, rows)
    rng = np.random.default_rng(1)
    for _ in range(12):
        actions = rng.uniform(-1, 1, (3, 7))
        observations, *_ = batch.step(actions)
        np.testing.assert_array_equal(
            observations, [env.step(a)[0] for env, a in zip(single, actions, strict=True)]
        )
    batch.close()


def test_torch_gives_the_same_as_numpy():
    """Control, observation and score of one control step, from the same state."""
    world = TabletopWorld(observation="full")
    batch = WorldVectorEnv(world, 2)
    batch.reset(seed=0)
    for _ in range(3):
        batch.step(np.full((2, 7), 0.4))
    memory, physics = batch._batch._memory, batch._simulator.physics
    action = np.full((2, 7), -0.3)
    tensors = {name: torch.from_numpy(np.asarray(value)) for name, value in memory.items()}
    expected = world.control(action, memory)
    given = world.control(torch.from_numpy(action), tensors)
    np.testing.assert_allclose(given.ctrl, expected.ctrl, atol=1e-9)
    as_torch = Physics(
        *(torch.from_numpy(a) for a in (physics.qpos, physics.qvel, physics.sensordata))
    )
    empty = np.zeros((2, 0))
    observation, memory = world.observe(physics, memory | expected.memory, empty)
    other, tensors = world.observe(as_torch, tensors | given.memory, torch.from_numpy(empty))
    np.testing.assert_allclose(other, observation, atol=1e-9)
    outcome, _ = world.score(observation, physics, memory)
    again, _ = world.score(other, as_torch, tensors)
    for one, two in zip(outcome, again, strict=True):
        np.testing.assert_array_equal(two, one)
    batch.close()


def test_nan_and_wrong_shapes_leave_the_state_alone():
    env = make()
    before = env.data.qpos.copy()
    for action in (np.full(7, np.nan), np.full(7, np.inf), np.zeros(6), np.zeros((1, 7)), "left"):
        with pytest.raises(InvalidAction):
            env.step(action)
    np.testing.assert_array_equal(env.data.qpos, before)


def test_states_out_of_bounds_come_back():
    """A target metres away, a hand in the table, blocks thrown off: everything stays finite."""
    env = make(observation="full")
    for action in ([1, 1, -1, 1, 1, 1, -1], [-1, 1, -1, -1, 0, 1, 1], [0, 0, -1, 0, 1, 0, -1]):
        for _ in range(40):
            observation, *_ = env.step(np.array(action, float))
            assert np.isfinite(observation).all()
    assert np.abs(env.data.qpos[:7]).max() < 4.0
    observation, _ = env.reset(seed=0)
    np.testing.assert_allclose(observation[:6], HOME_TCP, atol=1e-5)


def test_cameras_are_those_of_the_specification():
    model = tabletop_model("D")
    data = mujoco.MjData(model)
    mujoco.mj_kinematics(model, data)
    mujoco.mj_camlight(model, data)
    view = -data.cam("static").xmat.reshape(3, 3)[:, 2]
    target = np.array((-0.026242, -0.030233, 0.392))
    expected = target - data.cam("static").xpos
    np.testing.assert_allclose(view, expected / np.linalg.norm(expected), atol=1e-4)
    assert (model.cam("static").fovy[0], model.cam("gripper").fovy[0]) == (10.0, 75.0)


def test_ids_have_the_time_limit_of_the_paper():
    assert gym.spec("skillgym/Tabletop-v0").max_episode_steps == 360
    assert TabletopWorld().max_episode_steps == 360
    assert TabletopWorld().control_timestep == pytest.approx(1 / 30)
