"""From a pose of the hand to positions of the joints: one damped-least-squares step per action."""

from __future__ import annotations

import numpy as np

from skillgym_envs.core.world import Array, like, namespace
from skillgym_envs.tabletop.robot import HOME, LOWER, UPPER
from skillgym_envs.tabletop.rotations import (
    conjugate,
    quat_of_euler,
    quat_product,
    rotation_vector,
)

MAX_MOVE = 0.02
"""Displacement of the target that an action of 1 asks for [m]."""
MAX_TURN = 0.05
"""Change of each Euler angle of the target that an action of 1 asks for [rad]."""

# A joint covers 57 % of its way in a control step, and may not be faster than 2 rad/s.
_MAX_CHANGE = 2.0 / 30.0 / 0.57
_DAMPING = 0.02**2 * np.eye(6)
_HOMEWARD = 0.1  # share of the way to the home posture, in the null space
# From the nine products of two vectors' numbers to their cross product.
_CROSS = np.zeros((9, 3))
_CROSS[[5, 7], 0], _CROSS[[6, 2], 1], _CROSS[[1, 3], 2] = (1.0, -1.0), (1.0, -1.0), (1.0, -1.0)
_HOME, _LOWER, _UPPER = np.array(HOME), np.array(LOWER), np.array(UPPER)


def site_jacobian(anchors: Array, axes: Array, site: Array) -> Array:
    """Jacobian (N, 7, 6) of a site: how each hinge moves and turns it.

    Args:
        anchors: Points on the hinges' axes [m], shape (N, 7, 3).
        axes: Directions of the axes, shape (N, 7, 3).
        site: Position of the site [m], shape (N, 3).
    """
    arm = site[:, None, :] - anchors
    # A cross product by hand: the library's takes as long as everything else here.
    products = (axes[..., :, None] * arm[..., None, :]).reshape(*axes.shape[:-1], 9)
    return namespace(axes).concat([products @ like(_CROSS, axes), axes], axis=-1)


def joint_targets(
    joints: Array, jacobian: Array, pos: Array, quat: Array, goal: Array, euler: Array
) -> Array:
    """Positions (N, 7) [rad] to send to the joints so that the hand goes to a pose.

    The null space of the task draws the arm to its home posture. If a joint would be too fast, all
    go slower.

    Args:
        joints: Where the joints are, shape (N, 7).
        jacobian: Shape (N, 7, 6), see `site_jacobian`.
        pos: Where the hand is [m], shape (N, 3).
        quat: How the hand is turned, shape (N, 4).
        goal: Where it should be [m], shape (N, 3).
        euler: How it should be turned [rad], shape (N, 3).

    Deviation: the reference solves the inverse kinematics with Bullet's iterations and limits the
    speed of each joint alone. One step is as good while the target is near, because the next
    control step begins from where the arm then is.
    """
    xp = namespace(joints)
    turn = rotation_vector(quat_product(quat_of_euler(euler), conjugate(quat)))
    error = xp.concat([goal - pos, turn], axis=1)[:, None, :]  # (N, 1, 6)
    homeward = (_HOMEWARD * (like(_HOME, joints) - joints))[:, None, :]  # (N, 1, 7)
    gram = xp.matrix_transpose(jacobian) @ jacobian + like(_DAMPING, joints)
    residual = error - homeward @ jacobian
    solved = xp.linalg.solve(gram, xp.matrix_transpose(residual))  # (N, 6, 1)
    change = homeward[:, 0] + (jacobian @ solved)[..., 0]
    largest = xp.max(xp.abs(change), axis=1, keepdims=True)
    change = change * (_MAX_CHANGE / largest.clip(min=_MAX_CHANGE))
    return (joints + change).clip(like(_LOWER, joints), like(_UPPER, joints))
