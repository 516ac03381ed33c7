"""Meaning and source of the dimensions of the office's observation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import mujoco
import numpy as np
from numpy.typing import NDArray

from skillgym_envs.core.observations import ObservationBlock, ObservationLayout
from skillgym_envs.office.tasks import OBJECTS, PLACES

ObservationName = Literal["full", "compact"]
OBSERVATIONS: tuple[ObservationName, ...] = ("full", "compact")

HANDLE = (0.22, 0.0, -0.357)
"""Centre of the handle's bar when the drawer is shut [m]."""

_POSE = ("x", "y", "z", "qx", "qy", "qz", "qw")
_XYZW = (1, 2, 3, 0)  # of MuJoCo's (w, x, y, z)
_block = ObservationBlock.exact

# Constant poses (position, quaternion x y z w) in the references' observation.
_FURNITURE = {
    "box": (0.7, -0.3, -0.35, 0.0, 0.0, np.sqrt(0.5), np.sqrt(0.5)),
    "tray": (0.26, -0.2, -0.39, 0.0, 0.0, np.sqrt(0.5), np.sqrt(0.5)),
    "cabinet": (0.1, 0.0, -0.35, 0.0, 0.0, np.sqrt(0.5), np.sqrt(0.5)),
    "monitor": (0.42, -0.4, -0.42, 0.0, 0.0, 1.0, 0.0),
    "lamp": (0.07, -0.37, -0.4, 0.0, 0.0, np.sin(np.radians(75)), np.cos(np.radians(75))),
}


@dataclass(frozen=True)
class Reading:
    """One dimension: an entry of `(qpos, sensordata, memory)` plus an offset, or a constant.

    Attributes:
        index: The entry; None for a constant.
        offset: Number to add, or the constant.
    """

    index: int | None
    offset: float = 0.0


@dataclass(frozen=True)
class Readout:
    """An observation layout, and how to read all of it at once.

    Attributes:
        layout: Meaning of each dimension.
        index: Entry of `(qpos, sensordata, memory)` for each dimension, shape (O,).
        scale: 1, or 0 for constants, shape (O,).
        offset: Number to add, shape (O,).
    """

    layout: ObservationLayout
    index: NDArray[np.intp]
    scale: NDArray[np.float64]
    offset: NDArray[np.float64]


def readout(model: mujoco.MjModel, kind: ObservationName, placements: int | None) -> Readout:
    """The observation of an office.

    Args:
        model: The compiled office.
        kind: `full` for the references' 97 dimensions, `compact` without the 37 constant ones.
        placements: Number of placements of a task that is part of the observation; None without.
    """
    parts = _parts(model)
    if kind == "compact":
        parts = [_moving(*part) for part in parts if any(r.index is not None for r in part[1])]
    if placements is not None:
        parts += _task_parts(model, placements)
    readings = [reading for _, some in parts for reading in some]
    return Readout(
        ObservationLayout(tuple(block for block, _ in parts)),
        np.array([reading.index or 0 for reading in readings], np.intp),
        np.array([float(reading.index is not None) for reading in readings]),
        np.array([reading.offset for reading in readings]),
    )


def _parts(model: mujoco.MjModel) -> list[tuple[ObservationBlock, list[Reading]]]:
    parts = []
    for name in OBJECTS:
        first = int(model.joint(name).qposadr[0])
        slots = [*range(first, first + 3), *(first + 3 + i for i in _XYZW)]
        parts.append((_pose_block(name, "qpos"), [Reading(slot) for slot in slots]))
    parts += [_constant(name) for name in ("box", "tray", "cabinet")]
    drawer = int(model.joint("drawer").qposadr[0])
    handle = [Reading(drawer, HANDLE[0]), Reading(None, HANDLE[1]), Reading(None, HANDLE[2])]
    axes = [f"handle {axis}" for axis in "xyz"]
    parts.append((_block("handle", axes, "m", "world", "qpos"), handle))
    position = model.nq + int(model.sensor("end_effector_pos").adr[0])
    quat = model.nq + int(model.sensor("end_effector_quat").adr[0])
    slots = [*range(position, position + 3), *(quat + i for i in _XYZW)]
    parts.append((_pose_block("end_effector", "sensor"), [Reading(slot) for slot in slots]))
    fingers = [int(model.joint(f"{side}_finger").qposadr[0]) for side in ("left", "right")]
    block = _block("fingers", ("left finger", "right finger"), "m", "joint", "qpos")
    parts.append((block, [Reading(slot) for slot in fingers]))
    flag = model.nq + model.nsensordata
    block = _block("gripper_open", ("gripper open",), "1", "gripper", "memory")
    parts.append((block, [Reading(flag)]))
    return [*parts, _constant("monitor"), _constant("lamp")]


def _moving(
    block: ObservationBlock, readings: list[Reading]
) -> tuple[ObservationBlock, list[Reading]]:
    """A block without its constants."""
    rows = zip(block.labels, block.units, readings, strict=True)
    kept = [row for row in rows if row[2].index is not None]
    labels, units, moving = zip(*kept, strict=True)
    return _block(block.name, labels, units, block.frame, block.source), list(moving)


def _task_parts(
    model: mujoco.MjModel, placements: int
) -> list[tuple[ObservationBlock, list[Reading]]]:
    first = model.nq + model.nsensordata + 1
    labels = [
        f"{what} {number}: {name}"
        for number in range(1, placements + 1)
        for what, names in (("object", OBJECTS), ("place", PLACES))
        for name in names
    ]
    size = len(labels)
    task = _block("task", labels, "1", "task", "constant")
    progress = _block("progress", ("subtasks completed",), "1", "task", "memory")
    return [
        (task, [Reading(first + i) for i in range(size)]),
        (progress, [Reading(first + size)]),
    ]


def _constant(name: str) -> tuple[ObservationBlock, list[Reading]]:
    return _pose_block(name, "constant"), [Reading(None, value) for value in _FURNITURE[name]]


def _pose_block(name: str, source: str) -> ObservationBlock:
    labels = [f"{name} {axis}" for axis in _POSE]
    return _block(name, labels, (*["m"] * 3, *["1"] * 4), "world", source)
