"""Building blocks of the tabletop expert's motions: what it sees, phases, variation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from skillgym_envs.tabletop.rotations import euler_of_quat, quat_product

Array = NDArray[np.float64]

OPEN, CLOSED = 1.0, -1.0
_ROLL = np.pi - 0.06  # of a hand that points down; at pi the observed angle would jump


@dataclass(frozen=True)
class View:
    """The state that a phase can use.

    Attributes:
        data: State of the environment.
        tcp: Position of the tool centre point (3,) [m].
        target: Target position of the environment's controller (3,) [m].
        turned: Largest difference between an Euler angle of the target and of the phase [rad].
        steps: Control steps since the phase started.
    """

    data: mujoco.MjData
    tcp: Array
    target: Array
    turned: float
    steps: int

    def joint(self, name: str) -> float:
        """Position of a joint of the furniture [m]."""
        return float(self.data.joint(f"base__{name}").qpos[0])

    def block(self, colour: str) -> Array:
        """Position of a block (3,) [m]."""
        position: Array = self.data.joint(colour).qpos[:3].copy()
        return position

    def yaw(self, colour: str) -> float:
        """Turn of a block about the vertical [rad]."""
        return float(euler_of_quat(self.data.joint(colour).qpos[3:])[2])


Place = Callable[[View], Array]
Condition = Callable[[View], bool]


@dataclass(frozen=True, kw_only=True)
class Phase:
    """One part of a motion, a function of the state.

    Attributes:
        name: For logs and tests.
        place: Target position of the tool centre point (3,) [m].
        euler: Target Euler angles of the hand (3,) [rad].
        grip: `OPEN` or `CLOSED`.
        over: Condition that ends the phase.
        speed: Largest share of the fastest action.
        patience: Control steps after which the attempt is given up.
    """

    name: str
    place: Place
    euler: Array
    grip: float
    over: Condition
    speed: float = 1.0
    patience: int = 60


def hand(yaw: float = np.pi / 2, tilt: float = 0.0) -> Array:
    """Euler angles (3,) of a hand that points down, its fingers opening across `yaw`.

    Args:
        yaw: Rotation about the vertical [rad]; at pi / 2 the fingers open along x.
        tilt: Rotation about the opening axis of the fingers, which stays horizontal; at yaw pi / 2
            the fingers then point away from the robot [rad].
    """
    down = np.array([np.cos(_ROLL / 2), np.sin(_ROLL / 2), 0.0, 0.0])
    turn = np.array([np.cos(yaw / 2), 0.0, 0.0, np.sin(yaw / 2)])
    lean = np.array([np.cos(tilt / 2), 0.0, -np.sin(tilt / 2), 0.0])
    euler: Array = euler_of_quat(quat_product(turn, quat_product(lean, down)))
    return euler


def near(place: Place, tolerance: float) -> Condition:
    """Condition that the hand is at a place with the target orientation."""
    return lambda v: float(np.linalg.norm(v.tcp - place(v))) < tolerance and v.turned < 0.08


def fixed(*position: float) -> Place:
    """A place that does not move."""
    point = np.array(position)
    return lambda v: point


@dataclass(frozen=True)
class Manner:
    """Variation of one attempt at one task.

    Attributes:
        speed: Factor on all speeds.
        via: Offset of approach points (3,) [m].
        contact: Offset of contact points (3,) [m].
    """

    speed: float
    via: Array
    contact: Array

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Manner:
        """A random manner."""
        via = np.clip(rng.normal(0.0, 0.02, 3), -0.03, 0.03)
        manner = cls(rng.uniform(0.75, 1.0), via, rng.uniform(-0.004, 0.004, 3))
        rng.normal()  # unused, but keeps later draws, and so the shipped datasets, unchanged
        return manner
