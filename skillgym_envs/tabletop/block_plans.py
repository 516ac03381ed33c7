"""How the hand manipulates the blocks: phases relative to the block, for each of the 26 tasks."""

from __future__ import annotations

import numpy as np

from skillgym_envs.tabletop.furniture import DOOR_WIDTH
from skillgym_envs.tabletop.furniture_plans import Plan
from skillgym_envs.tabletop.phases import (
    CLOSED,
    OPEN,
    Array,
    Condition,
    Manner,
    Phase,
    Place,
    View,
    fixed,
    hand,
    near,
)
from skillgym_envs.tabletop.scenes import (
    BLOCK_HEIGHT,
    BLOCK_LENGTHS,
    BLOCK_WIDTH,
    COLOURS,
    Scene,
)

_LIFT_TILT, _PLACE_TILT = 0.6, 0.5  # so that the hand stays in front of the cabinet [rad]
_HAND_ROOM = 0.08  # between a block in the opened hand and the sides of the cabinet's opening [m]
_DOWN = np.array([0.0, 0.0, -0.12])
_FORWARD = np.pi / 2
_QUARTER = 1.62  # [rad]
_DRAG = 0.13  # [m]
_PAST_BUTTON = -0.055  # y, so that the fingers pass behind the button's ring [m]
_DRAWER_FLOOR = 0.34
_EDGE = -0.18  # y of the table's edge


class _Hand:
    """Builds phases of one attempt that share an orientation.

    Args:
        manner: Variation.
        yaw: Turn of the hand [rad].
        tilt: Tilt of the hand [rad].
    """

    def __init__(self, manner: Manner, yaw: float, tilt: float = 0.0) -> None:
        self.manner, self.euler = manner, hand(yaw, tilt)
        # Opposite to the pointing direction.
        level = -np.sin(tilt) * np.array([np.cos(yaw), np.sin(yaw)])
        self.back = np.array([*level, np.cos(tilt)])

    def phase(
        self,
        name: str,
        place: Place,
        grip: float,
        over: Condition | None = None,
        speed: float = 0.8,
        euler: Array | None = None,
        patience: int = 60,
    ) -> Phase:
        """A phase that ends when the hand is within 8 mm of its place, unless `over` is given."""
        return Phase(
            name=name,
            place=place,
            euler=self.euler if euler is None else euler,
            grip=grip,
            over=over or near(place, 0.008),
            speed=speed * self.manner.speed,
            patience=patience,
        )

    def grasp(self, colour: str) -> list[Phase]:
        """Open, move to a block, close."""
        shift = np.array([0.0, 0.0, 0.004]) + 0.5 * self.manner.contact * (1, 1, 0)

        def at(v: View) -> Array:
            return v.block(colour) + shift

        def above(v: View) -> Array:
            return at(v) + 0.1 * self.back + 0.3 * self.manner.via * (1, 1, 0)

        return [
            self.phase("approach", above, OPEN, near(above, 0.02), 1.0, patience=90),
            self.phase("go down", at, OPEN, near(at, 0.006)),
            self.phase("grasp", at, CLOSED, lambda v: v.steps > 7),
        ]

    def release(self) -> list[Phase]:
        """Open in place, and draw back."""
        stay: Place = lambda v: v.target  # noqa: E731
        away: Place = lambda v: v.target + 0.02 * self.back  # noqa: E731
        return [
            self.phase("release", stay, OPEN, lambda v: v.steps > 6),
            self.phase("leave", away, OPEN, lambda v: v.steps > 6, 0.8),
        ]

    def raised(self, colour: str, view: View, way: float) -> Phase:
        """Lift a grasped block along the hand's approach path."""
        goal = view.block(colour) + np.array([0.0, 0.0, 0.004]) + way * self.back
        return self.phase("lift", fixed(*goal), CLOSED, near(fixed(*goal), 0.015))


def _lift(colour: str, surface: str) -> Plan:
    def plan(manner: Manner, scene: Scene, view: View) -> list[Phase]:
        yaw, tilt = _aligned(view, scene, colour, _FORWARD), 0.0
        if surface == "slider":  # the wide hand avoids the sides; the fingers turn the block
            yaw, tilt = np.clip(yaw, _FORWARD - 0.15, _FORWARD + 0.15), _LIFT_TILT
        grip = _Hand(manner, yaw, tilt)
        return [*grip.grasp(colour), grip.raised(colour, view, 0.13)]

    return plan


def _rotate(colour: str, sign: float) -> Plan:
    def plan(manner: Manner, scene: Scene, view: View) -> list[Phase]:
        yaw = _aligned(view, scene, colour, _FORWARD - sign * _QUARTER / 2)
        grip = _Hand(manner, yaw)
        turned = hand(yaw + sign * _QUARTER)
        low = view.block(colour) + np.array([0.0, 0.0, 0.006])
        high = fixed(*(low + np.array([0.0, 0.0, 0.02])))
        return [
            *grip.grasp(colour),
            grip.phase("lift", high, CLOSED),
            grip.phase("turn", high, CLOSED, euler=turned, patience=90),
            grip.phase("put down", fixed(*low), CLOSED, euler=turned),
            *_Hand(manner, yaw + sign * _QUARTER).release(),
        ]

    return plan


def _drag(colour: str, sign: float) -> Plan:
    def plan(manner: Manner, scene: Scene, view: View) -> list[Phase]:
        grip = _Hand(manner, _aligned(view, scene, colour, _FORWARD))
        start = view.block(colour) + np.array([0.0, 0.0, 0.005])
        aside = start + np.array([sign * _DRAG, 0.0, 0.002])
        if abs(aside[0] - scene.button) < 0.13:
            aside[1] = max(aside[1], _PAST_BUTTON)
        return [
            *grip.grasp(colour),
            grip.phase("drag", fixed(*aside), CLOSED, speed=0.6),
            *grip.release(),
        ]

    return plan


def _put(
    manner: Manner, scene: Scene, spot: Place, view: View, tilt: float = 0.0, way: Array = _DOWN
) -> list[Phase]:
    """Carry the held block to a place and leave it there.

    Args:
        manner: Variation.
        scene: The scene.
        spot: Target centre of an upright block.
        view: Current state.
        tilt: Tilt of the hand, and so of the block, at the place [rad].
        way: Last part of the path to the place (3,) [m].
    """
    grip, colour = _Hand(manner, _FORWARD, tilt), held_block(view)
    length = BLOCK_LENGTHS[scene.sizes[colour]]
    # A tilted block lands on its edge, and tips over when it is released.
    edge = np.zeros(3)
    edge[2] = 0.5 * (length * np.sin(tilt) + BLOCK_WIDTH * (np.cos(tilt) - 1.0))

    def at(v: View) -> Array:
        return spot(v) + edge + v.tcp - v.block(colour)

    def before(v: View) -> Array:
        return at(v) - way

    arrived = near(at, 0.006)

    def down(v: View) -> bool:
        return arrived(v) or bool(v.block(colour)[2] < (spot(v) + edge)[2])

    return [
        grip.phase("carry", before, CLOSED, near(before, 0.012), patience=90),
        grip.phase("put down", at, CLOSED, down, 0.6),
        *grip.release(),
    ]


def place_in_slider(manner: Manner, scene: Scene, view: View) -> list[Phase]:
    """Put the held block into the open half of the cabinet, apart from other blocks there."""
    left = scene.door - view.joint("slide")  # of the door
    at_right = left > sum(scene.opening) / 2 - DOOR_WIDTH / 2
    low, high = (scene.opening[0], left) if at_right else (left + DOOR_WIDTH, scene.opening[1])
    spots = np.linspace(low + _HAND_ROOM, high - _HAND_ROOM, 9)
    mine = held_block(view)
    others = [view.block(c)[0] for c in COLOURS if c != mine and view.block(c)[1] > 0.0]
    room = [min([abs(x - other) for other in others], default=1.0) for x in spots]
    good = [x for x, free in zip(spots, room, strict=True) if free > min(0.1, max(room) - 1e-9)]
    x = good[len(good) // 2] + manner.contact[0]
    # Far in front: the hand avoids the door, and reaches in from the front so that it pushes a
    # neighbour back instead of coming down on it.
    spot = fixed(x, 0.048, BLOCK_HEIGHT + 0.003)
    return _put(manner, scene, spot, view, _PLACE_TILT, np.array([0.0, 0.08, -0.08]))


def place_in_drawer(manner: Manner, scene: Scene, view: View) -> list[Phase]:
    """Put the held block into the open drawer."""
    x, y = scene.drawer + 10.0 * manner.contact[0], -0.05 - view.joint("drawer")
    spot = fixed(x, y, _DRAWER_FLOOR + BLOCK_WIDTH / 2 + 0.004)
    return _put(manner, scene, spot, view)


def stack_block(manner: Manner, scene: Scene, view: View) -> list[Phase]:
    """Put the held block onto the nearest block on the table."""
    mine = held_block(view)
    below = [c for c in COLOURS if c != mine and on_table(view, c)]
    below = below or [c for c in COLOURS if c != mine]
    base = min(below, key=lambda c: float(np.linalg.norm(view.block(c) - view.tcp)))
    height = np.array([0.0, 0.0, BLOCK_WIDTH + 0.003])
    return _put(manner, scene, lambda v: v.block(base) + height, view)


def unstack_block(manner: Manner, scene: Scene, view: View) -> list[Phase]:
    """Lift the highest block."""
    top = max(COLOURS, key=lambda colour: float(view.block(colour)[2]))
    return _lift(top, "table")(manner, scene, view)


def push_into_drawer(manner: Manner, scene: Scene, view: View) -> list[Phase]:
    """Push the block that is nearest to the table's edge over the edge."""
    lying = [c for c in COLOURS if on_table(view, c)] or list(COLOURS)
    colour = min(lying, key=lambda c: float(view.block(c)[1]))
    grip = _Hand(manner, _FORWARD)
    half, yaw = BLOCK_LENGTHS[scene.sizes[colour]] / 2, view.yaw(colour)
    reach = half * abs(np.sin(yaw)) + BLOCK_WIDTH / 2 * abs(np.cos(yaw)) + 0.02

    def behind(height: float) -> Place:
        return lambda v: np.array([v.block(colour)[0], v.block(colour)[1] + reach, height])

    start, contact = behind(0.55), behind(0.468)
    end = fixed(view.block(colour)[0], _EDGE - 0.05, 0.468)
    away: Place = lambda v: v.target + np.array([0.0, 0.01, 0.02])  # noqa: E731
    return [
        grip.phase("approach", start, CLOSED, near(start, 0.02), 1.0, patience=90),
        grip.phase("go down", contact, CLOSED),
        grip.phase("push", end, CLOSED, lambda v: v.block(colour)[2] < 0.40, 0.5, patience=90),
        grip.phase("leave", away, CLOSED, lambda v: v.steps > 6),
    ]


def on_table(view: View, colour: str) -> bool:
    """Whether a block lies on the work surface."""
    _, y, z = view.block(colour)
    return bool(_EDGE < y < 0.02 and abs(z - BLOCK_HEIGHT) < 0.01)


def held_block(view: View) -> str:
    """The block that is nearest to the fingertips."""
    return min(COLOURS, key=lambda c: float(np.linalg.norm(view.block(c) - view.tcp)))


def _aligned(view: View, scene: Scene, colour: str, wanted: float) -> float:
    """Turn of the hand, near the desired one, at which the fingers grasp across a block [rad]."""
    step = np.pi / 2 if scene.sizes[colour] == "small" else np.pi
    yaw = view.yaw(colour)
    return yaw + step * round((wanted - yaw) / step)


def _block_plans() -> dict[str, Plan]:
    plans: dict[str, Plan] = {}
    for colour in COLOURS:
        for side, sign in (("right", 1.0), ("left", -1.0)):
            plans[f"rotate_{colour}_block_{side}"] = _rotate(colour, -sign)
            plans[f"push_{colour}_block_{side}"] = _drag(colour, sign)
        for surface in ("table", "slider", "drawer"):
            plans[f"lift_{colour}_block_{surface}"] = _lift(colour, surface)
    plans["place_in_slider"], plans["place_in_drawer"] = place_in_slider, place_in_drawer
    plans["stack_block"], plans["unstack_block"] = stack_block, unstack_block
    plans["push_into_drawer"] = push_into_drawer
    return plans


BLOCK_PLANS = _block_plans()
"""Phases of an attempt at each task of the blocks."""
