"""How the hand operates each of the seven elements: phases relative to the element's sites.

Contact offsets follow from the sizes in the MJCF files: bars of knobs 28 mm wide and 96 mm long,
handles of doors 40 to 44 mm thick with a gap of 38 to 60 mm behind them, a kettle handle of 64 mm.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from skillgym_envs.kitchen.phases import (
    Array,
    Condition,
    Hand,
    Manner,
    Phase,
    Scene,
    Target,
    beside,
    level,
    plus,
)

# Beyond the fingers' limits, so that actions are distinct even when the fingers have arrived.
OPEN, CLOSED = 0.12, -0.08
KETTLE_REST = np.array([-0.23, 0.75, 1.62])


def knob(manner: Manner, site: str, joint: str, turned: float, end: float) -> list[Phase]:
    """Push one end of a knob's bar sideways with closed fingers, rolling the hand with it.

    Without the roll, torsional friction between finger and bar would hold the knob still.

    Args:
        manner: Variation.
        site: Site at the knob's centre.
        joint: The knob's hinge.
        turned: Angle [rad] that ends the push.
        end: +1 pushes the upper end to the right, -1 the lower end to the left.
    """
    hand = Hand(manner, pitch=-0.35, yaw=-0.12 * end)
    radius, side = 0.036, 0.057
    depth = np.array([0.0, manner.grip[1] - 0.007, 0.0])  # clear of the disc behind the bar

    def around(lead: float, clearance: float) -> Target:
        def target(s: Scene) -> Array:
            angle = min(-s.joint(joint) + lead, -turned + 0.4)
            along = np.array([np.sin(angle), 0.0, np.cos(angle)])
            across = np.array([np.cos(angle), 0.0, -np.sin(angle)])
            reach = end * (radius * along - clearance * across)
            contact: Array = s.site(site) + reach + depth
            return contact

        return target

    start = around(0.0, side)
    away = np.array(plus(manner.via, 0.0, -0.09, 0.0))
    return [
        hand.approach(lambda s: start(s) + away, CLOSED),
        hand.reach("insert", start, CLOSED, 0.013, 0.25),
        hand.phase(
            "turn",
            around(1.0, -0.01),
            lambda s: s.joint(joint) < turned,
            CLOSED,
            0.6,
            roll=lambda s: 0.4 - s.joint(joint),
        ),
        hand.leave(site, (-0.03 * end, -0.12, 0.04 * end), CLOSED),
    ]


def bottom_burner(manner: Manner, scene: Scene) -> list[Phase]:
    """Turn the lower left knob by its lower end, away from the light switch."""
    return knob(manner, "knob2_site", "knob_Joint_2", -0.85, -1.0)


def top_burner(manner: Manner, scene: Scene) -> list[Phase]:
    """Turn the upper left knob by its upper end, or by the lower one below an open cabinet door."""
    turned, end = (-0.8, -1.0) if door_in_the_way(scene) else (-0.88, 1.0)
    return knob(manner, "knob4_site", "knob_Joint_4", turned, end)


def light(manner: Manner, scene: Scene) -> list[Phase]:
    """Push the light switch to the left with closed fingers."""
    hand = Hand(manner, pitch=0.0 if door_in_the_way(scene) else -0.25, yaw=-0.1)
    site, joint = "light_site", "light_switch"
    _, dy, dz = manner.grip
    near = plus(manner.via, 0.075, -0.09, dz)
    return [
        hand.approach(beside(site, *near), CLOSED),
        hand.reach("insert", beside(site, 0.06, 0.01 + dy, dz), CLOSED, 0.015, 0.25),
        hand.phase(
            "push",
            beside(site, -0.03, 0.01 + dy, dz),
            lambda s: s.joint(joint) < -0.65,
            CLOSED,
            0.3,
        ),
        hand.leave(site, (0.05, -0.12, 0.0), CLOSED),
    ]


def slide(manner: Manner, scene: Scene) -> list[Phase]:
    """Push the sliding door's handle to the right with closed fingers.

    If the hinge cabinet's right door is open in front of the handle, the hand comes from the right
    of that door, turned on its side, and first pushes the door partly shut.
    """
    crowded = door_in_the_way(scene)
    yaw, roll = (0.45, lambda _: np.pi / 2) if crowded else (-0.2, level)
    hand = Hand(manner, pitch=-0.35, yaw=yaw)
    site, joint = "slide_site", "slide_cabinet"
    _, dy, dz = plus(manner.grip, 0.0, 0.0, -0.09)
    near = plus(manner.via, -0.08, -0.08, dz)
    if crowded:
        near = (0.05, -0.23, dz)
    make_room = hand.phase(
        "make room",
        beside(site, -0.12, -0.17, dz),
        lambda s: s.joint("right_hinge_cabinet") < 1.15,
        CLOSED,
        0.4,
        roll,
    )
    return [
        hand.approach(beside(site, *near), CLOSED, roll),
        *([make_room] if crowded else []),
        hand.reach("insert", beside(site, -0.07, 0.02 + dy, dz), CLOSED, 0.02, 0.25, roll),
        hand.phase(
            "push",
            beside(site, 0.07, 0.015 + dy, dz),
            lambda s: s.joint(joint) > 0.355,
            CLOSED,
            0.5,
            roll,
            lost=lambda s: s.tip[1] < s.site(site)[1] - 0.03,
        ),
        hand.leave(site, (-0.08, -0.12, dz), CLOSED),
    ]


def door(
    hand: Hand, site: str, joint: str, opened: Condition, lead: float, height: float, speed: float
) -> list[Phase]:
    """Grasp a vertical handle, swing the door about its hinge, let go.

    Args:
        hand: Orientation and manner.
        site: Site at the middle of the handle.
        joint: The door's hinge.
        opened: Condition that the door is open.
        lead: How far the target is ahead of the door [rad].
        height: Height of the grasp above the handle's middle [m].
        speed: Largest speed of the handle [m/s].
    """
    dx, dy, dz = plus(hand.manner.grip, 0.0, 0.022, height)
    cos, sin = np.cos(lead), np.sin(lead)

    def swing(s: Scene) -> Array:
        pivot = s.pivot(joint)
        x, y, z = s.site(site) - pivot
        ahead: Array = pivot + np.array([cos * x - sin * y, sin * x + cos * y + 0.02, z + dz])
        return ahead

    def slipped(s: Scene) -> bool:
        return float(np.linalg.norm((s.tip - s.site(site))[:2])) > 0.055

    near = plus(hand.manner.via, 0.0, -0.09, dz)
    return [
        hand.approach(beside(site, *near), OPEN),
        hand.reach("insert", beside(site, dx, dy, dz), OPEN, 0.015, 0.3),
        hand.phase("grasp", beside(site, 0.0, dy, dz), lambda s: s.opening < 0.05, CLOSED, 0.15),
        hand.phase("swing", swing, opened, CLOSED, speed, lost=slipped),
        hand.phase("release", beside(site, 0.0, 0.02, dz), lambda s: s.opening > 0.065, OPEN, 0.1),
        hand.leave(site, (0.0, -0.12, dz), OPEN, clear=0.05),
    ]


def microwave(manner: Manner, scene: Scene) -> list[Phase]:
    """Pull the microwave's door open."""
    return door(
        Hand(manner, pitch=-0.5, yaw=0.0),
        "microhandle_site",
        "microwave",
        opened=lambda s: s.joint("microwave") < -0.69,
        lead=-0.15,
        height=0.02,
        speed=0.45,
    )


def hinge(manner: Manner, scene: Scene) -> list[Phase]:
    """Pull the right door of the hinge cabinet open."""
    return door(
        Hand(manner, pitch=-0.1, yaw=0.0),
        "hinge_site2",
        "right_hinge_cabinet",
        opened=lambda s: s.joint("right_hinge_cabinet") > 1.36,
        lead=0.35,
        height=-0.08,
        speed=0.6,
    )


def kettle(manner: Manner, scene: Scene) -> list[Phase]:
    """Hook the kettle's handle with the fingers, carry it to the rear burner and set it down."""
    hand = Hand(manner, pitch=-0.4, yaw=0.0)
    site, half = "kettle_site", 0.028

    def height(s: Scene) -> float:
        return float(s.data.joint("kettle").qpos[2])

    def carried(lift: float) -> Target:
        def target(s: Scene) -> Array:
            x, y, _ = KETTLE_REST - s.site(site)
            raised: Array = s.tip + np.array([x, y, KETTLE_REST[2] + lift - height(s)])
            return raised

        return target

    def slipped(s: Scene) -> bool:
        return float(np.linalg.norm(s.tip - s.site(site))) > 0.13

    dx = manner.grip[0]
    near = plus(manner.via, 0.0, -0.11, -0.055)
    below = beside(site, dx, 0.035, -0.072)

    def inserted(s: Scene) -> bool:
        # A handle that hangs on the fingers moves with them and is never reached exactly.
        tolerance = 0.015 if height(s) < 1.64 else 0.025
        return float(np.linalg.norm(below(s) - s.tip)) < tolerance

    return [
        hand.approach(beside(site, *near), half),
        hand.phase("insert", below, inserted, half, 0.35),
        hand.phase(
            "lift",
            beside(site, dx, 0.035, 0.03),
            lambda s: height(s) > 1.68,
            half,
            0.2,
            lost=slipped,
        ),
        hand.phase(
            "carry",
            carried(0.085),
            lambda s: float(np.linalg.norm((s.site(site) - KETTLE_REST)[:2])) < 0.025,
            half,
            0.4,
            lost=slipped,
        ),
        hand.phase("lower", carried(-0.06), lambda s: height(s) < 1.624, half, 0.2, lost=slipped),
        hand.reach("free", beside(site, 0.0, 0.03, -0.07), half, 0.015, 0.3),
        hand.leave(site, (0.0, -0.15, -0.07), half, clear=0.08),
    ]


def door_in_the_way(scene: Scene) -> bool:
    """Whether the hinge cabinet's right door is open above the stove."""
    return scene.joint("right_hinge_cabinet") > 0.5


PLANS: dict[str, Callable[[Manner, Scene], list[Phase]]] = {
    "bottom burner": bottom_burner,
    "top burner": top_burner,
    "light switch": light,
    "slide cabinet": slide,
    "hinge cabinet": hinge,
    "microwave": microwave,
    "kettle": kettle,
}
"""Phases of an attempt at each element."""
