"""The compiled tabletop: robot, furniture, blocks, cameras and sensors."""

from __future__ import annotations

from functools import lru_cache

import mujoco

from skillgym_envs.tabletop.furniture import PARTS, add_furniture
from skillgym_envs.tabletop.robot import (
    BLOCK,
    FURNITURE,
    ROBOT_BODY,
    TCP_SITE,
    add_robot,
    camera_quat,
)
from skillgym_envs.tabletop.scenes import (
    BLOCK_HEIGHT,
    BLOCK_LENGTHS,
    BLOCK_WIDTH,
    COLOURS,
    SCENES,
    Scene,
)

TIMESTEP = 1.0 / 240.0

CONTACT_GAP = 0.002
"""A block this near to an object counts as touching it [m]."""

TOUCHABLE = ("robot", "floor", *PARTS, *COLOURS)
"""Objects that a block may touch: columns of the contact readings."""

_RGB = {"red": (1.0, 0.0, 0.0), "blue": (0.0, 0.0, 1.0), "pink": (1.0, 0.0, 1.0)}
_STATIC_CAMERA = (2.871459, -2.166602, 2.555160)
_STATIC_X = (0.723244, 0.514123, -0.461080)
_STATIC_Y = (-0.030261, 0.690611, 0.722593)
_SENSOR, _OBJECT = mujoco.mjtSensor, mujoco.mjtObj


@lru_cache(maxsize=len(SCENES))
def tabletop_model(name: str) -> mujoco.MjModel:
    """Compiled scene, built once per process.

    `qpos` is the arm (7), the fingers (2), door, drawer, button, lever, and the poses of the red,
    blue and pink block. Sensors have this order: for each link of the arm, its three axes and the
    position of the tool centre point in its frame; position, quaternion and the three axes of the
    tool centre point; for each block, the number of contacts with each of `TOUCHABLE`; and the
    number of all contacts of the robot.
    """
    scene = SCENES[name]
    spec = mujoco.MjSpec()
    _set_options(spec)
    _add_surroundings(spec)
    add_robot(spec)
    add_furniture(spec, scene)
    _add_blocks(spec, scene)
    _add_sensors(spec)
    return spec.compile()


def _set_options(spec: mujoco.MjSpec) -> None:
    spec.compiler.degree = False
    spec.option.timestep = TIMESTEP
    spec.option.gravity = [0.0, 0.0, -9.8]
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    spec.option.impratio = 10.0  # grasped blocks do not creep
    spec.stat.extent = 1.0
    spec.stat.center = [0.0, 0.0, 0.4]
    spec.visual.map.znear = 0.01
    spec.visual.map.zfar = 10.0
    spec.visual.headlight.ambient = [0.35] * 3
    spec.visual.headlight.diffuse = [0.35] * 3
    spec.visual.headlight.specular = [0.0] * 3


def _add_surroundings(spec: mujoco.MjSpec) -> None:
    spec.add_texture(
        name="sky",
        type=mujoco.mjtTexture.mjTEXTURE_SKYBOX,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
        rgb1=(0.93, 0.95, 0.97),
        rgb2=(0.66, 0.75, 0.84),
        width=64,
        height=384,
    )
    spec.worldbody.add_light(
        pos=[0.6, -1.2, 3.0], dir=[-0.2, 0.4, -1.0], diffuse=[0.55] * 3, specular=[0.1] * 3
    )
    spec.worldbody.add_geom(
        name="floor",
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        size=[3.0, 3.0, 1.0],
        rgba=(0.72, 0.73, 0.75, 1.0),
        friction=[0.7, 0.005, 0.0001],
        contype=FURNITURE,
        conaffinity=0,
        priority=1,
    )
    spec.worldbody.add_camera(
        name="static",
        pos=_STATIC_CAMERA,
        quat=camera_quat(_STATIC_X, _STATIC_Y),
        fovy=10.0,
    )


def _add_blocks(spec: mujoco.MjSpec, scene: Scene) -> None:
    for index, colour in enumerate(COLOURS):
        length = BLOCK_LENGTHS[scene.sizes[colour]]
        body = spec.worldbody.add_body(name=colour, pos=[0.1 * index, -0.1, BLOCK_HEIGHT])
        body.add_freejoint(name=colour)
        body.add_geom(
            name=colour,
            type=mujoco.mjtGeom.mjGEOM_BOX,
            size=[length / 2, BLOCK_WIDTH / 2, BLOCK_WIDTH / 2],
            mass=1.0,
            rgba=(*_RGB[colour], 1.0),
            friction=[0.49, 0.005, 0.0001],
            contype=BLOCK,
            conaffinity=FURNITURE | BLOCK,
            condim=4,
            # Like Bullet, report contacts slightly before they press, without a force.
            gap=CONTACT_GAP,
        )


def _add_sensors(spec: mujoco.MjSpec) -> None:
    axes = _SENSOR.mjSENS_FRAMEXAXIS, _SENSOR.mjSENS_FRAMEYAXIS, _SENSOR.mjSENS_FRAMEZAXIS
    body, site = _OBJECT.mjOBJ_XBODY, _OBJECT.mjOBJ_SITE
    for index in range(1, 8):
        link = f"arm:link{index}"
        for axis, kind in zip("xyz", axes, strict=True):
            spec.add_sensor(name=f"{link} {axis}", type=kind, objtype=body, objname=link)
        spec.add_sensor(
            name=f"tcp from {link}",
            type=_SENSOR.mjSENS_FRAMEPOS,
            objtype=site,
            objname=TCP_SITE,
            reftype=body,
            refname=link,
        )
    for name, kind in (
        ("tcp_pos", _SENSOR.mjSENS_FRAMEPOS),
        ("tcp_quat", _SENSOR.mjSENS_FRAMEQUAT),
        *((f"tcp {axis}", kind) for axis, kind in zip("xyz", axes, strict=True)),
    ):
        spec.add_sensor(name=name, type=kind, objtype=site, objname=TCP_SITE)
    for colour in COLOURS:
        for other in TOUCHABLE:
            kind, name = _OBJECT.mjOBJ_BODY, other
            if other == "robot":
                kind, name = _OBJECT.mjOBJ_XBODY, ROBOT_BODY  # with all it carries
            elif other == "floor":
                kind = _OBJECT.mjOBJ_GEOM
            spec.add_sensor(
                name=f"{colour} touches {other}",
                type=_SENSOR.mjSENS_CONTACT,
                objtype=_OBJECT.mjOBJ_BODY,
                objname=colour,
                reftype=kind,
                refname=name,
                intprm=[1, 0, 1],  # only the number of contacts
            )
    spec.add_sensor(
        name="robot touches anything",
        type=_SENSOR.mjSENS_CONTACT,
        objtype=_OBJECT.mjOBJ_XBODY,
        objname=ROBOT_BODY,
        intprm=[1, 0, 1],
    )
