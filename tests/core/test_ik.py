from __future__ import annotations

import mujoco
import numpy as np
import pytest

from skillgym_envs.core.ik import SiteIk, damped_least_squares, rotation_error

ARM = """
<mujoco>
  <compiler angle="radian"/>
  <worldbody>
    <body>
      <joint name="j0" axis="0 0 1" range="-2.5 2.5" limited="true"/>
      <geom type="capsule" size="0.02" fromto="0 0 0 0 0 0.3"/>
      <body pos="0 0 0.3">
        <joint name="j1" axis="0 1 0" range="-2 2" limited="true"/>
        <geom type="capsule" size="0.02" fromto="0 0 0 0.3 0 0"/>
        <body pos="0.3 0 0">
          <joint name="j2" axis="0 1 0" range="-2 2" limited="true"/>
          <geom type="capsule" size="0.02" fromto="0 0 0 0.3 0 0"/>
          <body pos="0.3 0 0">
            <joint name="j3" axis="1 0 0" range="-2 2" limited="true"/>
            <joint name="j4" axis="0 1 0" range="-2 2" limited="true"/>
            <joint name="j5" axis="0 0 1" range="-2 2" limited="true"/>
            <joint name="j6" axis="1 0 0" range="-2 2" limited="true"/>
            <geom type="capsule" size="0.02" fromto="0 0 0 0.1 0 0"/>
            <site name="tool" pos="0.1 0 0"/>
          </body>
        </body>
      </body>
    </body>
  </worldbody>
</mujoco>
"""
JOINTS = tuple(f"j{i}" for i in range(7))


@pytest.fixture
def ik() -> SiteIk:
    return SiteIk(mujoco.MjModel.from_xml_string(ARM), "tool", JOINTS)


def rotation(vector: np.ndarray) -> np.ndarray:
    quat, matrix = np.empty(4), np.empty(9)
    angle = np.linalg.norm(vector)
    mujoco.mju_axisAngle2Quat(quat, vector / angle, angle)
    mujoco.mju_quat2Mat(matrix, quat)
    return matrix.reshape(3, 3)


def test_rotation_error_is_the_vector_that_turns_one_into_the_other() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        start = rotation(rng.normal(size=3))
        vector = rng.normal(size=3)
        vector *= rng.uniform(0.01, 3.0) / np.linalg.norm(vector)
        np.testing.assert_allclose(rotation_error(rotation(vector) @ start, start), vector)


def test_undamped_step_meets_the_task_and_the_secondary_goal_stays_in_the_null_space() -> None:
    rng = np.random.default_rng(1)
    jacobian, error, wish = rng.normal(size=(4, 7)), rng.normal(size=4), rng.normal(size=7)
    plain = damped_least_squares(jacobian, error, 0.0)
    with_wish = damped_least_squares(jacobian, error, 0.0, wish)
    np.testing.assert_allclose(jacobian @ plain, error)
    np.testing.assert_allclose(jacobian @ with_wish, error)
    assert np.linalg.norm(with_wish - wish) < np.linalg.norm(plain - wish)


def test_damping_bounds_the_step_at_a_singularity() -> None:
    jacobian = np.diag([1.0, 1e-9])
    step = damped_least_squares(jacobian, np.ones(2), 0.1)
    assert abs(step[1]) < 1e-6
    assert step[0] == pytest.approx(1 / 1.01)


def test_solve_finds_poses_that_the_arm_can_take(ik: SiteIk) -> None:
    rng = np.random.default_rng(2)
    for _ in range(10):
        truth = rng.uniform(-0.8, 0.8, 7)
        ik.update(truth)
        position, pose = ik.position, ik.rotation
        start = truth + rng.uniform(-0.3, 0.3, 7)
        joints, error = ik.solve(start, position, pose, iterations=200)
        assert error < 1e-4
        ik.update(joints)
        np.testing.assert_allclose(ik.position, position, atol=1e-3)
        np.testing.assert_allclose(ik.rotation, pose, atol=1e-2)


def test_step_keeps_the_joint_limits_and_the_others_make_up_for_it(ik: SiteIk) -> None:
    qpos = np.array([0.0, 0.3, 1.995, 0.1, 0.2, 0.1, 0.1])
    ik.update(qpos)
    wanted = ik.jacobian()[:3] @ np.array([0.0, 0.02, 0.05, 0.0, 0.0, 0.0, 0.0])
    quick = {"damping": 1e-3, "rotation_weight": 1e-3}
    free = ik.step(wanted, np.zeros(3), margin=-1.0, **quick)
    assert qpos[2] + free[2] > 2.0
    change = ik.step(wanted, np.zeros(3), **quick)
    assert qpos[2] + change[2] == pytest.approx(2.0)
    np.testing.assert_allclose(ik.jacobian()[:3] @ change, wanted, atol=1e-4)
