"""Paths of the office's arm around its own base."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from skillgym_envs.office.world import WORKSPACE

Floats = NDArray[np.float64]

_BASE = np.array([0.6, 0.0])  # [m]
_CLEARANCE = 0.17  # from the axis of the waist [m]
_RADII = (0.2, 0.28)  # of the arc around it [m]
_STEP = 0.5  # along the arc [rad]


def around_base(start: Floats, goal: Floats) -> Floats:
    """The goal, or an intermediate point if the straight path is blocked.

    The end effector can neither pass over the base nor turn through the limit of the waist, which
    is in the direction of +x.

    Args:
        start: Position of the end effector [m], shape (3,).
        goal: Target position [m], shape (3,).

    Returns:
        Position to head for now [m], shape (3,), at the height of the goal.
    """
    first, last = start[:2] - _BASE, goal[:2] - _BASE
    way = last - first
    share = min(1.0, max(0.0, -float(first @ way) / max(float(way @ way), 1e-9)))
    radius, end = float(np.linalg.norm(first)), float(np.linalg.norm(last))
    nearest = float(np.linalg.norm(first + share * way))
    angle, final = _waist_angle(first), _waist_angle(last)
    clear = nearest >= min(_CLEARANCE, radius - 0.01, end - 0.01)
    if clear and abs(final - angle) < np.pi:
        return goal
    angle += min(_STEP, max(-_STEP, final - angle))
    radius = min(_RADII[1], max(_RADII[0], radius))
    x, y = _BASE - radius * np.array([np.cos(angle), np.sin(angle)])
    return np.array([x, y, goal[2]]).clip(*WORKSPACE)


def _waist_angle(offset: Floats) -> float:
    """Angle of the waist for a direction from the base (2,), 0 towards -x [rad]."""
    return float(np.arctan2(-offset[1], -offset[0]))
