"""The tabletop's furniture, blocks and cameras against the measured facts of CALVIN's."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from skillgym_envs.core.env import WorldEnv
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
    turn_towards,
)
from skillgym_envs.tabletop.scenes import BLOCK_LENGTHS, CABINET_Y, COLOURS, TABLE_Y
from skillgym_envs.tabletop.world import CONTACTS


def settled(state: np.ndarray, steps: int) -> WorldEnv:
    """An environment that began in a scene state and did nothing for some control steps."""
    env = WorldEnv(TabletopWorld(observation="scene"))
    env.reset(seed=0, options={"scene_state": state})
    for _ in range(steps):
        env.step(np.eye(7)[6])
    return env


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
        # From the identity, along the axis: twice the sine of half the angle.
        given = turn_towards(euler[row : row + 1], np.eye(4)[:1])[0, :, 0]
        angle = np.linalg.norm(turn)
        np.testing.assert_allclose(given, turn / angle * 2.0 * np.sin(angle / 2.0), atol=1e-9)
    np.testing.assert_allclose(turn_towards(euler, quat), 0.0, atol=1e-12)


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
    state = np.zeros(24)
    state[3], state[6:9], state[12:15] = 0.05, (0.0, -0.1, 0.46), (0.1, -0.1, 0.46)
    state[18:21] = 0.2, -0.1, 0.46
    lever = settled(state, 60).data.joint("base__switch").qpos[0]
    assert lever == pytest.approx(0.05, abs=5e-4)


@pytest.mark.parametrize("name", SCENES)
def test_random_blocks_lie_apart_on_their_surfaces(name):
    scene = SCENES[name]
    rng = np.random.default_rng(0)
    poses = np.array([random_blocks(rng, scene) for _ in range(300)]).reshape(-1, 7)
    on_table = poses[:, 1] < 0.0
    assert 1 / 3 - 0.05 < on_table.mean() < 1 / 3 + 0.15  # more often where there is more room
    areas = (
        (scene.table, TABLE_Y),
        (scene.slider_left, CABINET_Y),
        (scene.slider_right, CABINET_Y),
    )
    inside = []
    for x, y in areas:
        low, high = np.transpose((x, y))
        inside.append(((poses[:, :2] >= low) & (poses[:, :2] <= high)).all(axis=1))
        assert np.ptp(poses[inside[-1], :2], axis=0) == pytest.approx(high - low, rel=0.1)
    assert (np.sum(inside, axis=0) == 1).all()
    np.testing.assert_array_equal(inside[0], on_table)
    assert (poses[:, 2] == 0.46).all()
    yaws = euler_of_quat(poses[:, 3:])[:, 2]
    assert yaws.min() < -3.1 and yaws.max() > 3.1 and abs(yaws.mean()) < 0.2


def test_no_blocks_touch_after_a_reset():
    env = WorldEnv(TabletopWorld())
    for seed in range(20):
        env.reset(seed=seed)
        sensors = env.data.sensordata[CONTACTS].reshape(3, -1)
        assert not sensors[:, -3:].any()


def test_blocks_touch_what_they_lie_on():
    state = np.zeros(24)
    state[1] = 0.22
    state[6:9], state[12:15] = (0.05, -0.12, 0.46), (-0.24, 0.09, 0.46)
    state[18:21] = 0.18, -0.28, 0.36
    data = settled(state, 30).data
    sensors = data.sensordata[CONTACTS].reshape(3, -1)
    touched = [{TOUCHABLE[i] for i in np.flatnonzero(row)} for row in sensors]
    assert touched == [{"base"}, {"plank"}, {"drawer"}]
    heights = data.qpos[13:].reshape(3, 7)[:, 2]
    np.testing.assert_allclose(heights, (0.46, 0.46, 0.36), atol=1.5e-3)


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
