"""Fetch scenes: the robot of the installed gymnasium-robotics package on other tables.

The parameters are those of the ReSkill scenes (Rana et al. 2022, arXiv:2211.02231). Each scene is
derived from the package's pick-and-place scene, so that robot, weld, actuators and contact excludes
are exactly the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import mujoco
import numpy as np
from numpy.typing import NDArray

from skillgym_envs.core.assets import robotics_assets
from skillgym_envs.fetch.objects import ComplexHookScene, add_bumps, add_object

GRIPPER_BODY, GRIP_SITE = "robot0:gripper_link", "robot0:grip"
FINGERS = ("robot0:r_gripper_finger_joint", "robot0:l_gripper_finger_joint")
FINGER_GEOMS = ("robot0:r_gripper_finger_link", "robot0:l_gripper_finger_link")
MOCAP_BODY, GOAL_BODY = "robot0:mocap", "goal"
GRIPPER_ROTATION = (1.0, 0.0, 1.0, 0.0)
"""Commanded orientation of the gripper, pointing down: a quaternion of length sqrt(2)."""

PLATE_MASS = 2000.0
"""Mass of a plate of the tray [kg]."""

AXES = ("x_axis", "y_axis", "z_axis")
"""Suffixes of the names of the sensors of a site's axes."""

_ROBOT_START = {"robot0:slide0": 0.405, "robot0:slide1": 0.48, "robot0:slide2": 0.0}
_REACH = (-0.498, 0.005, -0.231)  # from the gripper's position at zero joint angles [m]
_SETUP_STEPS = 10
_FREE_DAMPING = 0.01
_RED, _BLUE, _WOOD = (0.83, 0.2, 0.18, 1.0), (0.2, 0.35, 0.75, 1.0), (0.75, 0.6, 0.42, 1.0)
_SKY = (0.93, 0.95, 0.97), (0.66, 0.75, 0.84)
_SENSOR, _OBJECT = mujoco.mjtSensor, mujoco.mjtObj
_BOX = mujoco.mjtGeom.mjGEOM_BOX


@dataclass(frozen=True, kw_only=True)
class BlockScene:
    """A table with one or two blocks.

    Attributes:
        stack: Whether there is a second, bigger block, and sensors of the small one's contacts.
        tray: Whether there is a tray with a force sensor on the table.
        friction: Sliding friction of every geom, including the robot's; MuJoCo's default if None.
        blocked_gripper: Whether the fingers stay closed.
    """

    stack: bool = False
    tray: bool = False
    friction: float | None = None
    blocked_gripper: bool = False


@dataclass(frozen=True)
class HookScene:
    """A table with a hook and a small cube out of the robot's reach."""


Scene = BlockScene | HookScene | ComplexHookScene


@dataclass(frozen=True)
class Start:
    """State after the set-up, in which every episode starts.

    Attributes:
        qpos: Generalised positions, shape (nq,).
        qvel: Generalised velocities, shape (nv,).
        grip: Position of the grip site [m], shape (3,).
        gripper_pos: Position of the gripper's body [m], shape (3,).
        gripper_quat: Orientation of the gripper's body, shape (4,).
        object_height: Height of the first object [m].
    """

    qpos: NDArray[np.float64]
    qvel: NDArray[np.float64]
    grip: NDArray[np.float64]
    gripper_pos: NDArray[np.float64]
    gripper_quat: NDArray[np.float64]
    object_height: float


def fetch_spec() -> mujoco.MjSpec:
    """The robot, a table, a light and one cube, as an editable specification."""
    scene = robotics_assets() / "fetch" / "pick_and_place.xml"
    spec = mujoco.MjSpec.from_file(str(scene))
    # The reference resets the weld at the start: the gripper's body moves to the mocap body.
    spec.equalities[0].data = [0.0] * 6 + [1.0] + [0.0] * 3 + [1.0]
    for geom in list(spec.body(MOCAP_BODY).geoms):  # long green markers
        spec.delete(geom)
    spec.delete(spec.site("target0"))
    spec.geom("floor0").size = [2.5, 2.5, 1.0]
    spec.textures[0].rgb1, spec.textures[0].rgb2 = _SKY  # the package's is green
    _repaint(spec.geom("object0"), _RED)
    goal = spec.worldbody.add_body(name=GOAL_BODY, mocap=True)
    goal.add_site(name=GOAL_BODY, size=[0.015] * 3, rgba=[0.1, 0.75, 0.2, 0.6])
    for name, kind in (
        ("grip_pos", _SENSOR.mjSENS_FRAMEPOS),
        ("grip_vel", _SENSOR.mjSENS_FRAMELINVEL),
    ):
        spec.add_sensor(name=name, type=kind, objtype=_OBJECT.mjOBJ_SITE, objname=GRIP_SITE)
    for name, kind in (
        ("gripper_pos", _SENSOR.mjSENS_FRAMEPOS),
        ("gripper_quat", _SENSOR.mjSENS_FRAMEQUAT),
    ):
        spec.add_sensor(name=name, type=kind, objtype=_OBJECT.mjOBJ_XBODY, objname=GRIPPER_BODY)
    return spec


@lru_cache(maxsize=256)
def scene_model(scene: Scene) -> mujoco.MjModel:
    """Compiled scene, built once per process."""
    spec = fetch_spec()
    if isinstance(scene, BlockScene):
        _add_blocks(spec, scene)
    else:
        _add_hook_task(spec, scene)
    return spec.compile()


@lru_cache(maxsize=256)
def scene_start(scene: Scene, frame_skip: int) -> Start:
    """State after the set-up: the gripper is pulled over the table for ten control steps."""
    return settle(scene_model(scene), frame_skip)


def settle(model: mujoco.MjModel, frame_skip: int) -> Start:
    """Pull the gripper over the table for ten control steps, while objects settle."""
    data = mujoco.MjData(model)
    for name, value in _ROBOT_START.items():
        data.joint(name).qpos[0] = value
    mujoco.mj_forward(model, data)
    data.mocap_pos[0] = data.site(GRIP_SITE).xpos + _REACH
    data.mocap_quat[0] = GRIPPER_ROTATION
    mujoco.mj_step(model, data, nstep=_SETUP_STEPS * frame_skip)
    return Start(
        data.qpos.copy(),
        data.qvel.copy(),
        data.site(GRIP_SITE).xpos.copy(),
        data.body(GRIPPER_BODY).xpos.copy(),
        data.body(GRIPPER_BODY).xquat.copy(),
        float(data.site("object0").xpos[2]),
    )


def _place_table(spec: mujoco.MjSpec, pos: tuple[float, ...], half_size: tuple[float, ...]) -> None:
    """Move and resize the table [m]."""
    table = spec.body("table0")
    table.pos = pos
    table.geoms[0].size = half_size
    _repaint(table.geoms[0], _WOOD)


def _watch(spec: mujoco.MjSpec, site: str, rotation: bool = False) -> None:
    """Add sensors `<site>_pos` and `<site>_vel`; with `rotation` also its axes and `_angvel`."""
    kinds = {"pos": _SENSOR.mjSENS_FRAMEPOS, "vel": _SENSOR.mjSENS_FRAMELINVEL}
    if rotation:
        axes = (_SENSOR.mjSENS_FRAMEXAXIS, _SENSOR.mjSENS_FRAMEYAXIS, _SENSOR.mjSENS_FRAMEZAXIS)
        kinds |= dict(zip(AXES, axes, strict=True)) | {"angvel": _SENSOR.mjSENS_FRAMEANGVEL}
    for name, kind in kinds.items():
        spec.add_sensor(name=f"{site}_{name}", type=kind, objtype=_OBJECT.mjOBJ_SITE, objname=site)


def _add_blocks(spec: mujoco.MjSpec, scene: BlockScene) -> None:
    _place_table(spec, (1.35, 0.75, 0.2), (0.35, 0.55, 0.2))
    spec.body("object0").pos = [1.25, 0.53, 0.4]
    _watch(spec, "object0")
    if scene.stack:
        _add_big_block(spec)
    if scene.tray:
        _add_tray(spec)
    if scene.friction is not None:
        for geom in spec.geoms:
            geom.friction = [scene.friction, 0.005, 0.0001]
    if scene.blocked_gripper:
        for name in FINGERS:  # like the base in the asset: no force moves them
            spec.joint(name).damping = [1e11, 0.0, 0.0]


def _add_big_block(spec: mujoco.MjSpec) -> None:
    spec.delete(spec.site(GOAL_BODY))  # goals have no meaning here
    block = _add_free_body(spec, "object1", (1.25, 0.53, 0.46))
    block.add_geom(name="object1", type=_BOX, size=[0.035] * 3, mass=10.0, rgba=_BLUE)
    block.add_site(name="object1")
    _watch(spec, "object1")
    spec.add_sensor(
        name="object1_force",
        type=_SENSOR.mjSENS_FORCE,
        objtype=_OBJECT.mjOBJ_SITE,
        objname="object1",
    )
    for name, geom in zip(
        ("on_block", "in_right", "in_left"), ("object1", *FINGER_GEOMS), strict=True
    ):
        spec.add_sensor(
            name=name,
            type=_SENSOR.mjSENS_CONTACT,
            objtype=_OBJECT.mjOBJ_GEOM,
            objname="object0",
            reftype=_OBJECT.mjOBJ_GEOM,
            refname=geom,
            intprm=[1, 0, 1],  # whether there is a contact: 0 or 1
        )


def _add_tray(spec: mujoco.MjSpec) -> None:
    """A base plate and four plates that lean outward around it."""
    tray = spec.worldbody.add_body(name="tray", pos=[1.4, 1.2, 0.45])
    colour = (0.35, 0.5, 0.6, 1.0)
    base = tray.add_body(name="tray:base", pos=[0.0, -0.14, -0.04])
    base.add_geom(type=_BOX, size=[0.12, 0.12, 0.008], mass=PLATE_MASS, rgba=colour)
    base.add_site(name="tray:base")
    spec.add_sensor(
        name="tray_force",
        type=_SENSOR.mjSENS_FORCE,
        objtype=_OBJECT.mjOBJ_SITE,
        objname="tray:base",
    )
    half_turn = np.sqrt(0.5)
    pairs = ("x", (0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0)), (
        "y", (-0.14, -0.14, 0.0), (half_turn, 0.0, 0.0, half_turn)
    )  # fmt: skip
    for name, pos, quat in pairs:
        pair = tray.add_body(name=f"tray:{name}", pos=pos, quat=quat)
        for y, tilt in ((0.0, 0.84), (-0.28, -0.84)):
            side = pair.add_body(
                pos=[0.0, y, -0.02], quat=[np.cos(tilt / 2), np.sin(tilt / 2), 0, 0]
            )
            side.add_geom(type=_BOX, size=[0.16, 0.04, 0.008], mass=PLATE_MASS, rgba=colour)


def _add_hook_task(spec: mujoco.MjSpec, scene: HookScene | ComplexHookScene) -> None:
    """A table, an object and the L-shaped hook, whose site is the grasp point."""
    _place_table(spec, (1.65, 0.75, 0.2), (0.5, 0.45, 0.2))
    height, body = 0.4, spec.body("object0")
    if isinstance(scene, ComplexHookScene):
        height = 0.6  # object and hook fall during the set-up
        spec.delete(spec.geom("object0"))
        spec.joint("object0:joint").damping = [scene.damping, 0.0, 0.0]
        add_object(body, scene)
        add_bumps(spec, scene)
    body.pos = [1.25, 0.53, height]
    _watch(spec, "object0", rotation=True)
    hook = _add_free_body(spec, "hook", (1.35, 0.35, height))
    hook.add_geom(type=_BOX, size=[0.4, 0.015, 0.015], mass=2.0, rgba=_BLUE)
    hook.add_geom(type=_BOX, size=[0.015, 0.1, 0.015], pos=[0.4, 0.085, 0.0], mass=2.0, rgba=_BLUE)
    hook.add_site(name="hook", pos=[-0.25, 0.0, 0.0])
    _watch(spec, "hook", rotation=True)


def _add_free_body(
    spec: mujoco.MjSpec, name: str, pos: tuple[float, float, float]
) -> mujoco.MjsBody:
    body = spec.worldbody.add_body(name=name, pos=pos)
    body.add_joint(
        name=f"{name}:joint",
        type=mujoco.mjtJoint.mjJNT_FREE,
        damping=[_FREE_DAMPING, 0.0, 0.0],
    )
    return body


def _repaint(geom: mujoco.MjsGeom, rgba: tuple[float, ...]) -> None:
    geom.material, geom.rgba = "", rgba
