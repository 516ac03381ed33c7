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
from skillgym_envs.core.simulator import SerialSimulator
from skillgym_envs.core.vector_env import WorldVectorEnv
from skillgym_envs.core.world import Physics
from skillgym_envs.tabletop import Snapshot, TabletopWorld
from skillgym_envs.tabletop.control import tcp_jacobian

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
    """Not those of one physics step before."""
    env, rng = make(), np.random.default_rng(0)
    for _ in range(10):
        observation, *_ = env.step(rng.uniform(-1, 1, 7))
    data = mujoco.MjData(env.world.model)
    data.qpos[:] = env.data.qpos
    mujoco.mj_kinematics(env.world.model, data)
    np.testing.assert_allclose(observation[:3], data.site("tcp").xpos, atol=1e-6)
    np.testing.assert_allclose(observation[7:14], env.data.qpos[:7], atol=1e-6)


def test_jacobian_is_mujocos():
    env, rng = make(), np.random.default_rng(0)
    for _ in range(5):
        env.step(rng.uniform(-1, 1, 7))
    model, data = env.world.model, mujoco.MjData(env.world.model)
    data.qpos[:] = env.data.qpos
    mujoco.mj_kinematics(model, data)
    mujoco.mj_comPos(model, data)
    expected = np.zeros((6, model.nv))
    mujoco.mj_jacSite(model, data, expected[:3], expected[3:], model.site("tcp").id)
    links = env.data.sensordata[:84].reshape(1, 7, 12)
    np.testing.assert_allclose(tcp_jacobian(links)[0], expected[:, :7].T, atol=1e-12)


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


def test_pictures_show_lights_at_once_and_change_nothing():
    drawn, plain = make(), make()
    for env in (drawn, plain):
        set_furniture(env, switch=0.08)
        data = env._batch.dressed(0) if env is drawn else env.data
        assert (data.body("bulb glow").xpos[2] > 0.0) == (env is drawn)
        assert data.body("led glow").xpos[2] < 0.0
    np.testing.assert_array_equal(act(drawn, 3, 0), act(plain, 3, 0))


def test_each_environment_of_a_batch_has_its_own_state_and_lights():
    batch = WorldVectorEnv(TabletopWorld(observation="scene"), 2)
    states = batch.reset(seed=0)[0]
    states[0, 5], states[1, 3:5] = 1.0, (0.08, 1.0)  # the LED of one, lever and bulb of the other
    again, _ = batch.reset(options={"scene_state": states})
    np.testing.assert_allclose(again, states, atol=1e-6)
    for row, shown in enumerate(((False, True), (True, False))):
        data = batch._batch.dressed(row)
        glows = (data.body(f"{name} glow").xpos[2] > 0.0 for name in ("bulb", "led"))
        assert tuple(glows) == shown
    batch.close()


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
    patient.reset(seed=0)
    for count in range(6):  # each task has all of the patience
        patient.data.joint("base__drawer").qpos = 0.15 * (count > 1)
        _, reward, terminated, *_ = patient.step(np.zeros(7))
        assert (reward, terminated) == (count == 2, count == 5)


@pytest.mark.parametrize("since", ["episode", "subtask"])
def test_since_the_subtask_holds_for_blocks_too(since):
    state = np.zeros(24)
    state[6:9], state[12:15] = (0.05, -0.1, 0.46), (-0.24, 0.09, 0.46)
    state[18:21] = 0.3, -0.1, 0.46
    env = make(tasks=("open_drawer", "push_red_block_right"), since=since)
    env.reset(options={"scene_state": state})
    env.data.joint("red").qpos[0] = 0.17
    env.data.joint("base__drawer").qpos = 0.15
    rewards = [env.step(np.zeros(7))[1] for _ in range(3)]
    assert rewards == [1.0, float(since == "episode"), 0.0]


def test_snapshots_have_the_speeds_of_blocks_and_whether_the_robot_touches_anything_else():
    world = TabletopWorld(tasks=("push_red_block_right",))
    state, memory = world.reset([np.random.default_rng(0)])
    simulator = SerialSimulator(world.model, 1, world.frame_skip)
    simulator.load([0], state)
    physics, model = simulator.physics, world.model
    speeds = np.arange(18.0).reshape(3, 6)
    for colour, speed in zip(("red", "blue", "pink"), speeds, strict=True):
        first = int(model.joint(colour).dofadr[0])
        physics.qvel[0, first : first + 6] = speed
    of_red, of_all = (
        int(model.sensor(name).adr[0]) for name in ("red touches robot", "robot touches anything")
    )
    for contacts, with_red, occupied in ((0, 0, 0.0), (2, 2, 0.0), (3, 2, 1.0), (1, 0, 1.0)):
        physics.sensordata[0, [of_all, of_red]] = contacts, with_red
        _, seen = world.observe(physics, memory, np.zeros((1, 0)))
        snapshot = Snapshot.unpack(seen["snapshot"])
        np.testing.assert_array_equal(snapshot.velocity[0], speeds)
        assert snapshot.occupied.tolist() == [[occupied]]


def test_a_button_that_is_pressed_at_the_start_switches_nothing():
    env, state = make(observation="full"), make(observation="full").reset(seed=0)[0][15:]
    for led in (0.0, 1.0):
        state[2], state[5] = 0.018, led
        first, _ = env.reset(options={"scene_state": state})
        assert (first[20], env.step(np.zeros(7))[0][20]) == (led, led)


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


@pytest.mark.parametrize("scene", "ABCD")
def test_random_furniture_rests(scene):
    """Parts stay at either end of their ways; the bulb is on where the lever is up."""
    env, seen = make(furniture="random", scene=scene), set()
    for seed in range(8):
        first, _ = env.reset(seed=seed)
        for _ in range(10):
            later, *_ = env.step(np.array([0, 0, 0, 0, 0, 0, 1.0]))
        np.testing.assert_allclose(later[15:], first[15:], atol=2e-3)
        assert (first[18] > 0.044) == first[19]
        seen.add(tuple(first[[15, 16, 18, 20]] > 0.0))
    assert len(seen) > 4


def test_random_furniture_seldom_suits_the_default_tasks():
    """What the docs say: 96 of 100 seeds begin with a part in the state that a task asks for."""
    world = TabletopWorld(furniture="random")
    state, memory = world.reset([np.random.default_rng(seed) for seed in range(100)])
    wanted = np.column_stack([state.qpos[:, 9:11] > 0.0, state.qpos[:, 12] > 0.0, memory["led"]])
    assert wanted.any(axis=1).sum() == 96
    assert wanted[:, :3].any(axis=1).sum() == 89  # without the LED


@pytest.mark.parametrize(
    ("option", "index", "value"),
    [
        ("scene_state", 0, 5.0),
        ("scene_state", 1, -1.0),
        ("scene_state", 5, 2.0),
        ("scene_state", 6, 50.0),
        ("robot_state", 6, 1.0),
        ("robot_state", 7, 5.0),
        ("robot_state", 14, -2.0),
    ],
)
def test_states_that_no_observation_has_are_refused(option, index, value):
    env = make(observation="full")
    observation, _ = env.reset(seed=0)
    robot, scene = np.split(observation, [15])
    state = {"robot_state": robot, "scene_state": scene}[option].copy()
    env.reset(options={option: state})
    state[index] = value
    with pytest.raises(SkillgymError, match=rf"{option} with {value:g} as number {index}, expect"):
        env.reset(options={option: state})


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
    [
        ({"scene": "E"}, "'D'"),
        ({"observation": "skim"}, "skimo"),
        ({"since": "start"}, "subtask"),
        ({"furniture": "open"}, "random"),
        ({"scene": ["A"]}, "'D'"),
        ({"observation": ["skimo"]}, "skimo"),
        ({"since": np.array(["episode", "subtask"])}, "subtask"),
        ({"furniture": ["random"]}, "random"),
        ({"tasks": None}, "task None, which is not a list"),
        ({"tasks": 5}, "task 5, which is not a list"),
        ({"tasks": [["open_drawer"]]}, "open_drawer"),
        ({"patience": "3"}, "patience='3'"),
    ],
)
def test_unknown_keywords(keywords, hint):
    with pytest.raises(SkillgymError, match=hint) as caught:
        TabletopWorld(**keywords)
    assert "\n" not in str(caught.value)


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


def test_ids_have_the_time_limit_of_the_paper():
    assert gym.spec("skillgym/Tabletop-v0").max_episode_steps == 360
    assert TabletopWorld().max_episode_steps == 360
    assert TabletopWorld().control_timestep == pytest.approx(1 / 30)
