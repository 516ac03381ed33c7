"""Building blocks of the tabletop expert's movements: what it sees, a phase, how a try varies."""

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
    """What a phase may look at.

    Attributes:
        data: State of the environment.
        tcp: Position of the tool centre point (3,) [m].
        target: Position that the environment's controller aims at (3,) [m].
        turned: Largest difference of an Euler angle of the aim from that of the phase [rad].
        steps: Control steps since the phase began.
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
    """One piece of a movement, a function of what is seen.

    Attributes:
        name: For logs and tests.
        place: Where the tool centre point should be (3,) [m].
        euler: How the hand should be turned (3,) [rad].
        grip: `OPEN` or `CLOSED`.
        over: When the next phase begins.
        speed: Largest share of the fastest action.
        patience: Control steps after which the try is given up.
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
        yaw: Turn about the vertical [rad]; at pi / 2 the fingers open along x.
        tilt: Turn about the axis that the fingers open along, which stays level; at yaw pi / 2 it
            lets the fingers point away from the robot [rad].
    """
    down = np.array([np.cos(_ROLL / 2), np.sin(_ROLL / 2), 0.0, 0.0])
    turn = np.array([np.cos(yaw / 2), 0.0, 0.0, np.sin(yaw / 2)])
    lean = np.array([np.cos(tilt / 2), 0.0, -np.sin(tilt / 2), 0.0])
    euler: Array = euler_of_quat(quat_product(turn, quat_product(lean, down)))
    return euler


def near(place: Place, tolerance: float) -> Condition:
    """Whether the hand is at a place, and turned as it should be."""
    return lambda v: float(np.linalg.norm(v.tcp - place(v))) < tolerance and v.turned < 0.08


def fixed(*position: float) -> Place:
    """A place that does not move."""
    point = np.array(position)
    return lambda v: point


@dataclass(frozen=True)
class Manner:
    """Variation of one try at one task.

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
        """A manner at random."""
        via = np.clip(rng.normal(0.0, 0.02, 3), -0.03, 0.03)
        manner = cls(rng.uniform(0.75, 1.0), via, rng.uniform(-0.004, 0.004, 3))
        rng.normal()  # unused: later draws, and so the shipped datasets, are what they were
        return manner
