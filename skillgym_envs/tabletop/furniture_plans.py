"""How the hand operates the furniture: phases relative to the handles, for each of the eight tasks.

Offsets follow from the sizes of the handles and of the closed fingers, which are 54 mm wide along
their opening axis and 21 mm deep.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from skillgym_envs.tabletop.phases import (
    CLOSED,
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
from skillgym_envs.tabletop.scenes import Scene

Plan = Callable[[Manner, Scene, View], list[Phase]]

_HALF_DEPTH, _HALF_WIDTH = 0.0105, 0.027
_LEVER_TILT = 0.9


def _strokes(
    manner: Manner,
    euler: Array,
    before: Place,
    contact: Place,
    stroke: Place,
    done: Condition,
    after: Array,
    speed: float = 0.8,
) -> list[Phase]:
    """Approach with closed fingers, move in, make a stroke, draw back by `after` (3,)."""

    def phase(name: str, place: Place, over: Condition, speed: float, patience: int = 60) -> Phase:
        return Phase(
            name=name,
            place=place,
            euler=euler,
            grip=CLOSED,
            over=over,
            speed=speed * manner.speed,
            patience=patience,
        )

    approach = phase("approach", before, near(before, 0.02), 1.0, 90)
    insert = phase("insert", contact, near(contact, 0.008), 0.7)
    move = phase("stroke", stroke, done, speed, 80)
    leave = phase("leave", lambda v: v.target + after, lambda v: v.steps > 6, 1.0)
    return [approach, insert, move, leave]


def _drawer(opening: bool) -> Plan:
    def plan(manner: Manner, scene: Scene, view: View) -> list[Phase]:
        x = scene.drawer + 8.0 * manner.contact[0]
        gap = 0.04 if opening else -0.05  # from the middle of the bar, before the stroke

        def at(offset: float, z: float) -> Place:
            return lambda v: np.array([x, -0.25 - v.joint("drawer") + offset, z])

        z = 0.362 + manner.contact[2]
        done: Condition
        if opening:
            stroke, done = fixed(x, -0.445, z), lambda v: v.joint("drawer") > 0.195
        else:
            stroke, done = fixed(x, -0.25, z), lambda v: v.joint("drawer") < 0.012
        before = at(gap + manner.via[1] / 4, 0.48 + manner.via[2])
        after = np.array([0.0, 0.0, 0.025])
        return _strokes(manner, hand(), before, at(gap, z), stroke, done, after)

    return plan


def _slider(left: bool) -> Plan:
    side = 1.0 if left else -1.0  # of the handle that the fingers push on

    def plan(manner: Manner, scene: Scene, view: View) -> list[Phase]:
        depth, height = 0.008 + manner.contact[1], 0.558 + manner.contact[2]

        def handle(v: View) -> float:
            return scene.door + 0.14 - v.joint("slide")

        def before(v: View) -> Array:
            x, y, z = manner.via
            return np.array([handle(v) + side * 0.085 + x / 2, -0.11 + y, height + 0.03 + z])

        def contact(v: View) -> Array:
            return np.array([handle(v) + side * 0.065, depth, height])

        wanted = scene.door_range if left else 0.0
        end = scene.door + 0.14 - wanted - side * 0.03

        def done(v: View) -> bool:
            return abs(v.joint("slide") - wanted) < 0.02

        stroke = fixed(end, depth, height)
        after = np.array([0.01 * side, -0.025, 0.005])
        return _strokes(manner, hand(), before, contact, stroke, done, after)

    return plan


def _lever(up: bool) -> Plan:
    def plan(manner: Manner, scene: Scene, view: View) -> list[Phase]:
        x = scene.lever + 1.5 * manner.contact[0]
        # From the lever's middle, along the slope and outward: below or above the bar.
        reach = _HALF_DEPTH + 0.014
        gap, out = (-0.008 - reach, 0.028) if up else (0.024 + reach, 0.058)

        def on_slope(along: float, normal: float) -> Array:
            y = 0.06093 + 0.5 * along - np.sqrt(0.75) * normal
            return np.array([x, y, 0.49489 + np.sqrt(0.75) * along + 0.5 * normal])

        def contact(v: View) -> Array:
            return on_slope(v.joint("switch") + gap, out)

        def before(v: View) -> Array:
            return on_slope(v.joint("switch") + gap, out + 0.10) + 0.5 * manner.via

        end = on_slope(0.085, out) if up else on_slope(0.02, out)

        def done(v: View) -> bool:
            return v.joint("switch") > 0.078 if up else v.joint("switch") < 0.01

        after = on_slope(-0.01 if up else 0.01, 0.025) - on_slope(0.0, 0.0)
        tilt = hand(tilt=_LEVER_TILT)
        return _strokes(manner, tilt, before, contact, fixed(*end), done, after, 0.6)

    return plan


def press(manner: Manner, scene: Scene, view: View) -> list[Phase]:
    """Press the button and let it come up again."""
    x, y = np.array([scene.button, -0.12]) + 2.0 * manner.contact[:2]
    before, contact = fixed(x, y, 0.54 + manner.via[2]), fixed(x, y, 0.508)

    def pressed(v: View) -> bool:
        return v.joint("button") > 0.0155

    up = np.array([0.0, 0.0, 0.02])
    phases = _strokes(manner, hand(), before, contact, fixed(x, y, 0.468), pressed, up, 0.5)
    # It can only be pressed again after it has come up.
    phases[-1] = replace(phases[-1], over=lambda v: v.steps > 5 and v.joint("button") < 0.005)
    return phases


FURNITURE_PLANS: dict[str, Plan] = {
    "open_drawer": _drawer(opening=True),
    "close_drawer": _drawer(opening=False),
    "move_slider_left": _slider(left=True),
    "move_slider_right": _slider(left=False),
    "turn_on_lightbulb": _lever(up=True),
    "turn_off_lightbulb": _lever(up=False),
    "turn_on_led": press,
    "turn_off_led": press,
}
"""Phases of an attempt at each task of the furniture."""
