"""CALVIN's table from primitives: cabinet with door, drawer, lever and bulb, button and LED.

All dimensions are those of the reference's meshes, in m.
"""

from __future__ import annotations

from collections.abc import Sequence

import mujoco
import numpy as np
from numpy.typing import NDArray

from skillgym_envs.tabletop.robot import FURNITURE
from skillgym_envs.tabletop.scenes import BUTTON_RANGE, DRAWER_RANGE, SWITCH_RANGE, Scene

JOINTS = ("base__slide", "base__drawer", "base__button", "base__switch")
"""Joints of the furniture, in the order of the scene state."""

PARTS = ("base", "plank", "drawer", "door", "lever", "button", "led", "bulb")
"""Bodies of the furniture, by which contacts are distinguished."""

HIDDEN = (0.0, 0.0, -1.0)
"""Position of the mocap body of a light while it is off, below the floor [m]."""

DOOR_WIDTH = 0.28

# Axes of the sloped front: x, up the slope, and outward. The incline is 60 degrees.
_TILT = (np.cos(np.pi / 6), np.sin(np.pi / 6), 0.0, 0.0)  # quaternion of 60 degrees about x
_SLOPE = np.sqrt(3.0)
_FRICTION = 0.35
_DRY_FRICTION = 4.0  # [N]
_GRAVITY = 9.8
_GREY, _BLACK, _WHITE = (0.4, 0.4, 0.4, 1.0), (0.08, 0.08, 0.08, 1.0), (0.95, 0.95, 0.95, 1.0)
_YELLOW, _GREEN = (1.0, 1.0, 0.0, 1.0), (0.0, 1.0, 0.0, 1.0)
_BULB_HEIGHT, _LED_HEIGHT = 0.673, 0.6558
_BOX, _CYLINDER = mujoco.mjtGeom.mjGEOM_BOX, mujoco.mjtGeom.mjGEOM_CYLINDER
_CONTACT = {"contype": FURNITURE, "conaffinity": 0, "priority": 1, "condim": 3}
_NO_CONTACT = {"contype": 0, "conaffinity": 0, "mass": 0.0}
Rgba = Sequence[float]
Span = tuple[float, float]


def glow_positions(scene: Scene) -> NDArray[np.float64]:
    """Positions of the glows when on, shape (2, 3): bulb, LED."""
    return np.array([(scene.lever, 0.16, _BULB_HEIGHT), (scene.button, 0.16, _LED_HEIGHT)])


def add_furniture(spec: mujoco.MjSpec, scene: Scene) -> None:
    """Add table, moving parts and lights of a scene."""
    table, wood = ((*rgb, 1.0) for rgb in scene.wood)
    base = spec.worldbody.add_body(name="base")
    _add_table(base, scene, table)
    _add_hutch(spec, base, scene, table)
    plank = spec.worldbody.add_body(name="plank")
    _box(plank, scene.opening, (0.02, 0.16), (0.42, 0.44), table)
    _add_door(spec, scene, wood)
    _add_drawer(spec, scene, wood)
    _add_button(spec, scene)
    _add_lever(spec, scene)
    _add_lights(spec, scene)


def _add_table(base: mujoco.MjsBody, scene: Scene, rgba: Rgba) -> None:
    for x in ((-0.44, -0.40), (0.40, 0.44)):
        for y in ((-0.18, -0.148), (0.148, 0.18)):
            _box(base, x, y, (0.0, 0.40), rgba)
    _box(base, (-0.44, 0.44), (-0.18, 0.02), (0.40, 0.44), rgba)
    _box(base, (-0.44, 0.44), (0.02, 0.18), (0.40, 0.42), rgba)
    for x in ((-0.44, scene.opening[0]), (scene.opening[1], 0.44)):  # beside the plank
        _box(base, x, (0.02, 0.18), (0.42, 0.44), rgba)
    _box(base, scene.opening, (0.16, 0.18), (0.42, 0.44), rgba)
    left, right = scene.drawer - 0.20, scene.drawer + 0.20
    _box(base, (-0.42, left), (-0.16, 0.16), (0.30, 0.40), rgba)
    _box(base, (right, 0.42), (-0.16, 0.16), (0.30, 0.40), rgba)
    _box(base, (left, right), (0.06, 0.16), (0.30, 0.40), rgba)
    _box(base, (left, right), (-0.16, 0.06), (0.30, 0.32), rgba)
    base.add_geom(  # the button's ring; the cap hides that it is a disc
        type=_CYLINDER,
        pos=[scene.button, -0.12, 0.45],
        size=[0.04, 0.01, 0.0],
        rgba=_BLACK,
        friction=[_FRICTION, 0.005, 0.0001],
        **_CONTACT,
    )


def _add_hutch(spec: mujoco.MjSpec, base: mujoco.MjsBody, scene: Scene, rgba: Rgba) -> None:
    left, right = scene.opening
    profile = ((0.02, 0.44), (0.18, 0.44), (0.18, 0.6478), (0.14, 0.6478))
    beam = ((0.02 + 0.1878 / _SLOPE, 0.6278), (0.18, 0.6278), (0.18, 0.6478), (0.14, 0.6478))
    prisms = {
        "hutch left": ((-0.44, left), profile),
        "hutch right": ((right, 0.44), profile),
        "hutch top": ((left, right), beam),
    }
    for name, ((low, high), outline) in prisms.items():
        vertices = [(x, y, z) for x in (low, high) for y, z in outline]
        spec.add_mesh(name=name, uservert=np.ravel(vertices))
        base.add_geom(
            type=mujoco.mjtGeom.mjGEOM_MESH,
            meshname=name,
            rgba=rgba,
            friction=[_FRICTION, 0.005, 0.0001],
            **_CONTACT,
        )
    _box(base, scene.opening, (0.16, 0.18), (0.44, 0.6278), rgba)
    for x in (-0.05, 0.05):  # the lever's slots, painted
        base.add_geom(
            type=_BOX,
            pos=[scene.lever + x, 0.0835, 0.542],
            quat=_TILT,
            size=[0.01, 0.062, 0.0005],
            rgba=_BLACK,
            **_NO_CONTACT,
        )


def _add_door(spec: mujoco.MjSpec, scene: Scene, rgba: Rgba) -> None:
    door = spec.worldbody.add_body(name="door", pos=[scene.door, 0.075, 0.53526], quat=_TILT)
    _add_slide(door, "base__slide", (-1.0, 0.0, 0.0), scene.door_range)
    _box(door, (0.0, DOOR_WIDTH), (-0.11, 0.11), (0.0, 0.02), rgba)
    for y in ((-0.08, -0.06), (0.06, 0.08)):
        _box(door, (0.12, 0.16), y, (0.02, 0.06), _GREY)
    _box(door, (0.12, 0.16), (-0.08, 0.08), (0.06, 0.08), _GREY)
    _set_mass(door, 1.5435)


def _add_drawer(spec: mujoco.MjSpec, scene: Scene, rgba: Rgba) -> None:
    drawer = spec.worldbody.add_body(name="drawer", pos=[scene.drawer, 0.0, 0.32])
    _add_slide(drawer, "base__drawer", (0.0, -1.0, 0.0), DRAWER_RANGE)
    _box(drawer, (-0.20, 0.20), (-0.16, 0.06), (0.0, 0.02), rgba)
    _box(drawer, (-0.20, -0.18), (-0.16, 0.06), (0.02, 0.08), rgba)
    _box(drawer, (0.18, 0.20), (-0.16, 0.06), (0.02, 0.08), rgba)
    _box(drawer, (-0.18, 0.18), (0.04, 0.06), (0.02, 0.08), rgba)
    _box(drawer, (-0.22, 0.22), (-0.18, -0.16), (-0.02, 0.08), rgba)
    for x in ((-0.12, -0.10), (0.10, 0.12)):
        _box(drawer, x, (-0.24, -0.18), (0.02, 0.06), _GREY)
    _box(drawer, (-0.112, 0.112), (-0.26, -0.24), (0.02, 0.06), _GREY)
    _set_mass(drawer, 4.2313)


def _add_button(spec: mujoco.MjSpec, scene: Scene) -> None:
    mass = 0.1538
    button = spec.worldbody.add_body(name="button", pos=[scene.button, -0.12, 0.46])
    _add_slide(button, "base__button", (0.0, 0.0, -1.0), BUTTON_RANGE, dry_friction=0.0)
    button.add_geom(
        type=_CYLINDER,
        pos=[0.0, 0.0, 0.012],
        size=[0.032, 0.012, 0.0],
        rgba=(0.2, 0.2, 0.2, 1.0),
        friction=[_FRICTION, 0.005, 0.0001],
        **_CONTACT,
    )
    _set_mass(button, mass)
    # Presses back with up to 4 N, and carries the cap's weight.
    stiffness = 2000.0
    spec.add_actuator(
        name="base__button",
        target="base__button",
        trntype=mujoco.mjtTrn.mjTRN_JOINT,
        gaintype=mujoco.mjtGain.mjGAIN_FIXED,
        gainprm=[0.0] * 10,
        biastype=mujoco.mjtBias.mjBIAS_AFFINE,
        biasprm=[-mass * _GRAVITY, -stiffness, -stiffness / 24.0] + [0.0] * 7,
        forcelimited=True,
        forcerange=[-_DRY_FRICTION, _DRY_FRICTION],
    )


def _add_lever(spec: mujoco.MjSpec, scene: Scene) -> None:
    lever = spec.worldbody.add_body(name="lever", pos=[scene.lever, 0.06093, 0.49489], quat=_TILT)
    _add_slide(lever, "base__switch", (0.0, 1.0, 0.0), SWITCH_RANGE)
    for x in ((-0.06, -0.04), (0.04, 0.06)):
        _box(lever, x, (-0.008, 0.024), (-0.008, 0.044), _GREY)
    _box(lever, (-0.06, 0.06), (-0.008, 0.024), (0.044, 0.064), _GREY)
    _set_mass(lever, 0.2388)


def _add_lights(spec: mujoco.MjSpec, scene: Scene) -> None:
    """The white bulb and LED, and a coloured copy of each that covers it when it is on."""
    bulb_shape = {"type": mujoco.mjtGeom.mjGEOM_ELLIPSOID, "size": [0.028, 0.028, 0.0252]}
    led_shape = {"type": _BOX, "size": [0.08, 0.02, 0.008]}
    shapes = (bulb_shape, _YELLOW), (led_shape, _GREEN)
    for name, position, (shape, rgba) in zip(
        ("bulb", "led"), glow_positions(scene), shapes, strict=True
    ):
        body = spec.worldbody.add_body(name=name, pos=position)
        body.add_geom(rgba=_WHITE, friction=[_FRICTION, 0.005, 0.0001], **shape, **_CONTACT)
        glow = spec.worldbody.add_body(name=f"{name} glow", mocap=True, pos=HIDDEN)
        size = [length + 0.0005 for length in shape["size"]]
        glow.add_geom(rgba=rgba, **(shape | {"size": size}), **_NO_CONTACT)


def _add_slide(
    body: mujoco.MjsBody,
    name: str,
    axis: Sequence[float],
    length: float,
    dry_friction: float = _DRY_FRICTION,
) -> None:
    body.add_joint(
        name=name,
        type=mujoco.mjtJoint.mjJNT_SLIDE,
        axis=axis,
        limited=True,
        range=[0.0, length],
        frictionloss=dry_friction,
        solimp_friction=[0.9999, 0.9999, 0.001, 0.5, 2.0],  # with MuJoCo's default the lever creeps
        solref_limit=[0.01, 1.0],
    )


def _box(body: mujoco.MjsBody, x: Span, y: Span, z: Span, rgba: Rgba) -> None:
    """Add a box by its extent along each axis."""
    low, high = np.transpose((x, y, z))
    body.add_geom(
        type=_BOX,
        pos=(low + high) / 2,
        size=(high - low) / 2,
        rgba=rgba,
        friction=[_FRICTION, 0.005, 0.0001],
        **_CONTACT,
    )


def _set_mass(body: mujoco.MjsBody, mass: float) -> None:
    """Give the body's geoms this total mass; its distribution does not affect prismatic joints."""
    geoms = list(body.geoms)
    for geom in geoms:
        geom.mass = mass / len(geoms)
