"""The Franka arm of CALVIN, with longer fingers and the meshes of gymnasium-robotics.

The kinematics are those of the Panda's datasheet; the kitchen's model of the same arm has other
zero positions of its last two joints.
"""

from __future__ import annotations

from collections.abc import Sequence

import mujoco
import numpy as np
from numpy.typing import NDArray

from skillgym_envs.core.assets import robotics_assets

ARM_JOINTS = tuple(f"arm:joint{index}" for index in range(1, 8))
FINGER_JOINTS = ("arm:finger_left", "arm:finger_right")
ROBOT_BODY, TCP_SITE = "arm:link0", "tcp"

HOME = (-1.21779206, 1.03987646, 2.11978261, -2.34205014, -0.87015947, 1.64119353, 0.55344866)
"""Initial joint positions [rad]."""

LOWER = (-2.8973, -1.7628, -2.8973, -3.0718, -2.8973, -0.0175, -2.8973)
UPPER = (2.8973, 1.7628, 2.8973, -0.0698, 2.8973, 3.7525, 2.8973)
"""Limits of the commanded joint positions [rad]."""

FINGER_OPEN = 0.04

# Contact bits: furniture touches robot and blocks, blocks also each other.
FURNITURE, BLOCK = 1, 2

_BASE = (-0.34, -0.46, 0.24)
_QUARTER = np.sqrt(0.5)
_LINKS = (  # position, quaternion, mass [kg], limits of the joint [rad]
    ((0.0, 0.0, 0.333), (1.0, 0.0, 0.0, 0.0), 2.7, (-2.9671, 2.9671)),
    ((0.0, 0.0, 0.0), (_QUARTER, -_QUARTER, 0.0, 0.0), 2.73, (-1.8326, 1.8326)),
    ((0.0, -0.316, 0.0), (_QUARTER, _QUARTER, 0.0, 0.0), 2.04, (-2.9671, 2.9671)),
    ((0.0825, 0.0, 0.0), (_QUARTER, _QUARTER, 0.0, 0.0), 2.08, (-3.1416, 0.0)),
    ((-0.0825, 0.384, 0.0), (_QUARTER, -_QUARTER, 0.0, 0.0), 3.0, (-2.9671, 2.9671)),
    ((0.0, 0.0, 0.0), (_QUARTER, _QUARTER, 0.0, 0.0), 1.3, (-0.0873, 3.8223)),
    ((0.088, 0.0, 0.0), (_QUARTER, _QUARTER, 0.0, 0.0), 0.2, (-2.9671, 2.9671)),
)
# Servos command the velocity rate * (target - position), like Bullet's motors; rates [1/s] and
# damping [N m s/rad] are chosen for the step responses of the reference. With more damping the
# force would saturate in free motion, and the hand would shake off what it holds.
_ARM_RATES = (*[18.7] * 4, *[22.5] * 3)
_ARM_DAMPING = (200.0, 200.0, 100.0, 100.0, 20.0, 20.0, 20.0)
_ARM_FORCE = 200.0  # [N m]
_FINGER_RATE, _FINGER_DAMPING = 24.0, 420.0  # [1/s, N s/m]: full force on a block of 4 cm
# The reference's fingers weigh 0.1 kg and open with 2 N. With a stiff servo, contacts of such a
# light body are soft, so these have the inertia of a drive, and force for the same acceleration.
_FINGER_ARMATURE = 1.5  # [kg]
_CLOSING_FORCE, _OPENING_FORCE = 200.0, 32.0  # [N]
_CAMERA_X, _CAMERA_Y = (-0.000796, 1.0, 0.0), (0.963558, 0.000767, -0.267499)
_WHITE, _GREY, _DARK = (0.93, 0.93, 0.92, 1.0), (0.35, 0.36, 0.38, 1.0), (0.16, 0.16, 0.17, 1.0)
_BOX = mujoco.mjtGeom.mjGEOM_BOX
_MESH = mujoco.mjtGeom.mjGEOM_MESH


def add_robot(spec: mujoco.MjSpec) -> None:
    """Add the arm, its fingers, servos and the gripper camera."""
    spec.meshdir = str(robotics_assets() / "kitchen_franka" / "franka_assets" / "meshes")
    spec.worldbody.add_geom(
        name="pedestal",
        type=mujoco.mjtGeom.mjGEOM_CYLINDER,
        pos=[_BASE[0] - 0.05, _BASE[1], _BASE[2] / 2],
        size=[0.13, _BASE[2] / 2, 0.0],
        rgba=_WHITE,
        contype=0,
        conaffinity=0,
    )
    body = spec.worldbody.add_body(name=ROBOT_BODY, pos=_BASE)
    _add_link(spec, body, "link0", 2.9, _WHITE)
    for index, (pos, quat, mass, limits) in enumerate(_LINKS, start=1):
        body = body.add_body(name=f"arm:link{index}", pos=pos, quat=quat, gravcomp=1.0)
        name = ARM_JOINTS[index - 1]
        body.add_joint(name=name, axis=[0.0, 0.0, 1.0], limited=True, range=limits, armature=0.05)
        servo = _ARM_RATES[index - 1], _ARM_DAMPING[index - 1]
        limits = LOWER[index - 1], UPPER[index - 1]
        _add_servo(spec, name, *servo, (-_ARM_FORCE, _ARM_FORCE), limits)
        _add_link(spec, body, f"link{index}", mass, _WHITE)
    _add_hand(spec, body)


def _add_link(
    spec: mujoco.MjSpec, body: mujoco.MjsBody, name: str, mass: float, rgba: tuple[float, ...]
) -> None:
    for kind in ("visual", "collision"):
        spec.add_mesh(name=f"{kind}:{name}", file=f"{kind}/{name}.stl")
    body.add_geom(
        type=_MESH,
        meshname=f"visual:{name}",
        rgba=rgba,
        contype=0,
        conaffinity=0,
        mass=0.0,
        group=2,
    )
    body.add_geom(
        type=_MESH,
        meshname=f"collision:{name}",
        contype=0,
        conaffinity=FURNITURE | BLOCK,
        mass=mass,
        group=3,
        friction=[0.5, 0.005, 0.0001],
    )


def _add_hand(spec: mujoco.MjSpec, wrist: mujoco.MjsBody) -> None:
    half = np.pi / 8
    quat = [np.cos(half), 0.0, 0.0, -np.sin(half)]
    hand = wrist.add_body(name="arm:hand", pos=[0.0, 0.0, 0.107], quat=quat, gravcomp=1.0)
    _add_link(spec, hand, "hand", 0.81, _WHITE)
    hand.add_site(name=TCP_SITE, pos=[0.0, 0.0, 0.14], size=[0.004] * 3, group=4)
    hand.add_geom(  # the camera's housing, only visual
        type=_BOX, pos=[-0.1, 0.0, -0.01], size=[0.012, 0.045, 0.012], mass=0.2, rgba=_DARK,
        contype=0, conaffinity=0, group=2,
    )  # fmt: skip
    hand.add_camera(
        name="gripper",
        pos=[-0.1, 0.0, 0.0],
        quat=camera_quat(_CAMERA_X, _CAMERA_Y),
        fovy=75.0,
    )
    for name, side in zip(FINGER_JOINTS, (1.0, -1.0), strict=True):
        _add_finger(spec, hand, name, side)
    spec.add_equality(
        type=mujoco.mjtEq.mjEQ_JOINT,
        objtype=mujoco.mjtObj.mjOBJ_JOINT,
        name1=FINGER_JOINTS[0],
        name2=FINGER_JOINTS[1],
        data=[0.0, 1.0] + [0.0] * 9,
        solref=[0.01, 1.0],
    )


def _add_finger(spec: mujoco.MjSpec, hand: mujoco.MjsBody, name: str, side: float) -> None:
    finger = hand.add_body(name=name, pos=[0.0, 0.0, 0.0584], gravcomp=1.0)
    finger.add_joint(
        name=name,
        type=mujoco.mjtJoint.mjJNT_SLIDE,
        axis=[0.0, side, 0.0],
        limited=True,
        range=[0.0, FINGER_OPEN],
        armature=_FINGER_ARMATURE,
    )
    force = -_CLOSING_FORCE, _OPENING_FORCE
    _add_servo(spec, name, _FINGER_RATE, _FINGER_DAMPING, force, (0.0, FINGER_OPEN))
    boxes = (
        ([0.0, side * 0.01545, 0.0483], [0.0105, 0.01155, 0.0481], 0.08, _GREY),
        ([0.0, side * 0.002, 0.0816], [0.00925, 0.002, 0.0125], 0.02, _DARK),
    )
    # MuJoCo takes the friction of the geom with the higher priority, Bullet the product. So each
    # box has two skins: friction 0.7 towards blocks, 0.5 towards furniture.
    for pos, size, mass, rgba in boxes:
        for bit, friction in ((BLOCK, 0.7), (FURNITURE, 0.5)):
            finger.add_geom(
                type=_BOX,
                pos=pos,
                size=size,
                mass=mass / 2,
                rgba=rgba,
                contype=0,
                conaffinity=bit,
                priority=2,
                condim=4,
                friction=[friction, 0.005, 0.0001],
                # The servo's damping, integrated implicitly, takes half of a contact's; without
                # more of it the fingers bounce, and what they hold slips.
                solref=[0.01, 2.0],
                solimp=[0.995, 0.999, 0.001, 0.5, 2.0],
                group=2,
            )


def _add_servo(
    spec: mujoco.MjSpec,
    joint: str,
    rate: float,
    damping: float,
    force: tuple[float, float],
    limits: tuple[float, float],
) -> None:
    stiffness = rate * damping
    spec.add_actuator(
        name=joint,
        target=joint,
        trntype=mujoco.mjtTrn.mjTRN_JOINT,
        gaintype=mujoco.mjtGain.mjGAIN_FIXED,
        gainprm=[stiffness] + [0.0] * 9,
        biastype=mujoco.mjtBias.mjBIAS_AFFINE,
        biasprm=[0.0, -stiffness, -damping] + [0.0] * 7,
        forcelimited=True,
        forcerange=force,
        ctrllimited=True,
        ctrlrange=limits,
    )


def camera_quat(x: Sequence[float], y: Sequence[float]) -> NDArray[np.float64]:
    """Quaternion (4,) of a camera with these picture axes, x (3,) and y (3,)."""
    right, up = np.array(x) / np.linalg.norm(x), np.array(y)
    up -= right * (right @ up)
    up /= np.linalg.norm(up)
    quat = np.empty(4)
    mujoco.mju_mat2Quat(quat, np.column_stack((right, up, np.cross(right, up))).ravel())
    return quat
