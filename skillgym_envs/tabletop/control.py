"""Joint positions for a pose of the hand: one damped-least-squares step per action."""

from __future__ import annotations

import numpy as np

from skillgym_envs.core.world import Array, like, namespace
from skillgym_envs.tabletop.robot import HOME
from skillgym_envs.tabletop.rotations import turn_towards

MAX_MOVE = 0.02
"""Displacement of the target for an action of 1 [m]."""
MAX_TURN = 0.05
"""Change of each Euler angle of the target for an action of 1 [rad]."""

# A joint covers 57 % of its way in a control step, and may not be faster than 2 rad/s.
_MAX_CHANGE = 2.0 / 30.0 / 0.57
_DAMPING = 0.02**2
_HOMEWARD = 0.1  # share of the way to the home posture, in the null space
_DAMPED, _DRAWN = _DAMPING * np.eye(7), _DAMPING * _HOMEWARD * np.array(HOME)[:, None]


def tcp_jacobian(links: Array) -> Array:
    """Jacobian (N, 7, 6) of the tool centre point: how each hinge moves and turns it.

    Args:
        links: For each link, whose hinge is its z axis, its three axes and the position of the tool
            centre point in its frame [m], shape (N, 7, 12).
    """
    x, y, axis = links[..., :3], links[..., 3:6], links[..., 6:9]
    # A rotation about z moves a point of the link from x towards y.
    moved = links[..., 9:10] * y - links[..., 10:11] * x
    return namespace(links).concat([moved, axis], axis=2)


def joint_targets(joints: Array, jacobian: Array, pos: Array, quat: Array, target: Array) -> Array:
    """Target positions (N, 7) [rad] of the joints to move the hand to a pose.

    They are not limited here, but by the servos of the model.

    Among the joint changes that move the hand there, it is the one nearest to a small step to the
    home posture, as far as damping allows, so that the arm moves home in the null space.

    Args:
        joints: Joint positions, shape (N, 7).
        jacobian: Shape (N, 7, 6), see `tcp_jacobian`.
        pos: Position of the hand [m], shape (N, 3).
        quat: Orientation of the hand, shape (N, 4).
        target: Target position [m] and Euler angles [rad], shape (N, 6).

    Deviation: the reference solves the inverse kinematics with Bullet's iterations. One step is as
    good while the target is near, because the next control step starts from the arm's new pose.
    """
    xp = namespace(joints)
    gap = (target[:, :3] - pos)[..., None]
    error = xp.concat([gap, turn_towards(target[:, 3:], quat)], axis=1)  # (N, 6, 1)
    homeward = like(_DRAWN, joints) - (_DAMPING * _HOMEWARD) * joints[..., None]
    gram = jacobian @ jacobian.mT + like(_DAMPED, joints)
    # The checks of the compatibility layer's `solve` take longer than NumPy's `solve`.
    solve = np.linalg.solve if isinstance(gram, np.ndarray) else xp.linalg.solve
    change = solve(gram, jacobian @ error + homeward)[..., 0]
    return joints + change.clip(-_MAX_CHANGE, _MAX_CHANGE)
