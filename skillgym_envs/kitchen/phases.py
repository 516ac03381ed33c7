"""Building blocks of the kitchen expert's motions: what it sees, phases, variation.

World axes: x to the right, y away from the robot towards the cabinets, z up [m].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import mujoco
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Offset = tuple[float, float, float]


@dataclass(frozen=True)
class Scene:
    """The state that a phase can use.

    Attributes:
        data: State with current positions of bodies, joints and sites.
        tip: Fingertip position (3,) in the world [m].
        opening: Sum of the two finger joints [m].
    """

    data: mujoco.MjData
    tip: Array
    opening: float

    def site(self, name: str) -> Array:
        """World position (3,) of a site [m]."""
        position: Array = self.data.site(name).xpos.copy()
        return position

    def joint(self, name: str) -> float:
        """Position of a scalar joint [rad or m]."""
        return float(self.data.joint(name).qpos[0])

    def pivot(self, name: str) -> Array:
        """World position (3,) of a hinge joint's anchor [m]."""
        anchor: Array = self.data.joint(name).xanchor.copy()
        return anchor


Target = Callable[[Scene], Array]
Condition = Callable[[Scene], bool]
Angle = Callable[[Scene], float]


def never(scene: Scene) -> bool:
    """The condition that is never true."""
    return False


def level(scene: Scene) -> float:
    """No roll of the hand."""
    return 0.0


@dataclass(frozen=True)
class Phase:
    """One part of a motion, a function of the state, not of time.

    Attributes:
        name: For logs and tests.
        target: Where the fingertip should be (3,) [m].
        over: Condition that ends the phase.
        opening: Target position of each finger joint [m].
        speed: Largest speed of the fingertip [m/s].
        pitch: Upward tilt of the hand [rad].
        yaw: Turn of the hand about the vertical [rad]; positive points it to the left.
        roll: Turn of the hand about its own axis [rad].
        lost: Condition that the object has slipped away, so that the element must be restarted.
        transit: Whether the way is free, so that the hand need not keep its orientation.
    """

    name: str
    target: Target
    over: Condition
    opening: float
    speed: float
    pitch: float
    yaw: float
    roll: Angle = level
    lost: Condition = never
    transit: bool = False


@dataclass(frozen=True)
class Manner:
    """Variation of one attempt at one element.

    Attributes:
        speed: Factor on all speeds.
        via: Offset added to the approach point [m].
        grip: Offset added to the contact point [m].
        tilt: Offsets of pitch and yaw [rad].
    """

    speed: float = 1.0
    via: Offset = (0.0, 0.0, 0.0)
    grip: Offset = (0.0, 0.0, 0.0)
    tilt: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Hand:
    """Builds phases that share an orientation and a manner."""

    manner: Manner
    pitch: float
    yaw: float

    def phase(
        self,
        name: str,
        target: Target,
        over: Condition,
        opening: float,
        speed: float,
        roll: Angle = level,
        lost: Condition = never,
    ) -> Phase:
        """A phase with this hand's orientation and the manner's speed."""
        pitch, yaw = self.pitch + self.manner.tilt[0], self.yaw + self.manner.tilt[1]
        speed *= self.manner.speed
        return Phase(name, target, over, opening, speed, pitch, yaw, roll, lost)

    def reach(
        self,
        name: str,
        target: Target,
        opening: float,
        tolerance: float,
        speed: float,
        roll: Angle = level,
    ) -> Phase:
        """A phase that is over when the tip is nearer to its target than `tolerance` [m]."""
        return self.phase(
            name,
            target,
            lambda s: float(np.linalg.norm(s.tip - target(s))) < tolerance,
            opening,
            speed,
            roll,
        )

    def approach(self, target: Target, opening: float, roll: Angle = level) -> Phase:
        """The phase that brings the hand from anywhere in front of an element."""
        reach = self.reach("approach", target, opening, 0.045, 0.7, roll)
        return replace(reach, transit=True)

    def leave(self, site: str, offset: Offset, opening: float, clear: float = 0.07) -> Phase:
        """A phase that draws the hand back from a site until it is `clear` [m] in front of it."""
        return self.phase(
            "leave",
            beside(site, *offset),
            lambda s: s.tip[1] < s.site(site)[1] - clear,
            opening,
            0.4,
        )


def beside(site: str, *offset: float) -> Target:
    """Target at a fixed offset from a site."""
    shift = np.array(offset)
    return lambda s: s.site(site) + shift


def plus(offset: Offset, *more: float) -> Offset:
    """Sum of two offsets."""
    a, b, c = (x + y for x, y in zip(offset, more, strict=True))
    return a, b, c
