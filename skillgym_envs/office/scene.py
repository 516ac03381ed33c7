"""The office as a MuJoCo model, and the initial state of its episodes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import mujoco
import numpy as np
from numpy.typing import NDArray

from skillgym_envs.office.tasks import OBJECTS

Floats = NDArray[np.float64]

CONTROL_TIMESTEP = 1 / 24
"""Duration of a control step [s]."""

GRIPPER_FACTOR = 7.5
"""Factor on the duration of a control step in which the gripper opens or closes."""

OPEN, CLOSED = 0.036, 0.0
"""Targets of a finger's slide [m]; a closed finger stops at an object or at its limit."""

DRAWER_TRAVEL = 0.1208
"""Opening that counts as 100 % [m].

Deviation: the reference measures it again at each reset, from 0.1187 to 0.1250.
"""

ARM = ("waist", "shoulder", "elbow", "forearm_roll", "wrist_angle", "wrist_rotate")
_REST = (1.57, -0.6, 0.6, 0.0, 1.57, 0.0)  # [rad]

_NOMINAL = (
    *((0.33620103, 0.12358467), (0.55123888, -0.17699107), (0.84287004, -0.1479069)),
    *((0.75200037, -0.14383595), (0.42755662, -0.13711447), (0.39866522, 0.18929185)),
    (0.46422192, -0.23138137),
)
_SETTLING_STEPS = 24  # control steps
_DESK_TOP = -0.4


@dataclass(frozen=True)
class Part:
    """A primitive of an object, in the object's frame (turned by 180 deg about z on the desk).

    Attributes:
        kind: `box` or `cylinder`, the latter along y.
        pos: Centre [m].
        size: Half extents of a box; radius and half length of a cylinder [m].
        mass: Mass [kg].
        rgba: Colour.
    """

    kind: str
    pos: tuple[float, float, float]
    size: tuple[float, ...]
    mass: float
    rgba: tuple[float, float, float, float]


_WHITE, _GREEN = (0.95, 0.95, 0.93, 1.0), (0.35, 0.55, 0.4, 1.0)
_RED, _BLUE = (0.72, 0.24, 0.2, 1.0), (0.13, 0.27, 0.65, 1.0)
_ORANGE, _CAP = (0.95, 0.5, 0.12, 1.0), (0.9, 0.9, 0.92, 1.0)

KINDS: dict[str, tuple[float, tuple[Part, ...]]] = {
    "eraser": (0.0, (Part("box", (0.0, 0.0, 0.0095), (0.01125, 0.0325, 0.0095), 0.2, _WHITE),)),
    "shed": (
        0.0137,
        (
            # It lies on its roof, which is heavier and wider than the house.
            Part("box", (0.0, -0.0085, 0.0088), (0.0132, 0.017, 0.0165), 0.01, _GREEN),
            Part("box", (0.0, 0.019, 0.0088), (0.0132, 0.0105, 0.0225), 0.04, _RED),
        ),
    ),
    "pepsi_bottle": (
        0.0171,
        (
            Part("cylinder", (0.0, -0.0155, 0.0), (0.0171, 0.038), 0.044, _BLUE),
            Part("cylinder", (0.0, 0.029, 0.0), (0.006, 0.0065), 0.006, _CAP),
        ),
    ),
    "gatorade": (
        0.0142,
        (
            Part("cylinder", (0.0, -0.029, 0.0), (0.0142, 0.0275), 0.042, _ORANGE),
            Part("cylinder", (0.0, 0.0125, 0.0), (0.0085, 0.014), 0.008, _CAP),
        ),
    ),
}
"""Types of objects: height of the origin above the desk [m], and parts."""


@dataclass(frozen=True)
class Start:
    """The initial state of episodes, before the objects are shifted.

    Attributes:
        qpos: Generalised positions, shape (nq,).
        objects: Indices of each object's x and y in `qpos`, shape (7, 2).
        end_effector: Position of the end effector [m], shape (3,).
    """

    qpos: Floats
    objects: NDArray[np.intp]
    end_effector: Floats


def kind_of(name: str) -> str:
    """Type of an object: its name without `_2`."""
    return name.removesuffix("_2")


def grasp_offset(name: str) -> Floats:
    """Centre of an object's parts as seen from above, in its own frame (2,) [m]."""
    parts = KINDS[kind_of(name)][1]
    low = min(part.pos[1] - part.size[1] for part in parts)
    high = max(part.pos[1] + part.size[1] for part in parts)
    return np.array([0.0, 0.5 * (low + high)])


@lru_cache(maxsize=4)
def office_model(substeps: int) -> mujoco.MjModel:
    """Compiled office, loaded once per process.

    Args:
        substeps: Physics steps per control step.
    """
    spec = mujoco.MjSpec.from_file(str(Path(__file__).parent / "assets" / "office.xml"))
    for name, (x, y) in zip(OBJECTS, _NOMINAL, strict=True):
        _add_object(spec, name, x, y)
    spec.option.timestep = CONTROL_TIMESTEP / substeps
    return spec.compile()


def _add_object(spec: mujoco.MjSpec, name: str, x: float, y: float) -> None:
    height, parts = KINDS[kind_of(name)]
    body = spec.worldbody.add_body(
        name=name, pos=[x, y, _DESK_TOP + height], quat=[0.0, 0.0, 0.0, 1.0]
    )
    # Slight damping and rolling friction keep bottles on the desk, and prevent spinning.
    body.add_joint(name=name, type=mujoco.mjtJoint.mjJNT_FREE, damping=[2e-5, 0.0, 0.0])
    for part in parts:
        cylinder = part.kind == "cylinder"
        body.add_geom(
            type=getattr(mujoco.mjtGeom, f"mjGEOM_{part.kind.upper()}"),
            pos=part.pos,
            quat=[1.0, 1.0, 0.0, 0.0] if cylinder else [1.0, 0.0, 0.0, 0.0],
            size=[*part.size, 0.0] if cylinder else part.size,
            mass=part.mass,
            rgba=part.rgba,
            friction=[1.0, 0.01, 0.0008],
            condim=6 if cylinder else 3,
            solref=[0.008, 1.0],
        )


@lru_cache(maxsize=4)
def office_start(substeps: int) -> Start:
    """Arm at rest, gripper open, drawer shut, objects at their nominal positions on the desk."""
    model = office_model(substeps)
    data = mujoco.MjData(model)
    arm = [int(model.joint(name).qposadr[0]) for name in ARM]
    fingers = [int(model.joint(f"{side}_finger").qposadr[0]) for side in ("left", "right")]
    data.qpos[arm], data.qpos[fingers] = _REST, (OPEN, -OPEN)
    mujoco.mj_forward(model, data)
    start, end_effector = data.qpos.copy(), data.site("end_effector").xpos.copy()
    data.ctrl[:3], data.ctrl[-1] = end_effector, OPEN
    mujoco.mj_step(model, data, _SETTLING_STEPS * substeps)
    objects = np.array([int(model.joint(name).qposadr[0]) for name in OBJECTS])
    first = int(objects.min())
    start[first:] = data.qpos[first:]
    xy = objects[:, None] + np.arange(2)
    start[xy] = _NOMINAL
    return Start(start, xy, end_effector)
