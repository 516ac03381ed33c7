"""Quaternions (w, x, y, z) and Euler angles of batches; NumPy and torch.

Euler angles are Bullet's: rotations about the fixed axes x, then y, then z [rad].
"""

from __future__ import annotations

import numpy as np

from skillgym_envs.core.world import Array, like, namespace

# Row i: contribution of the i-th number of the second factor to the matrix for the first.
_PRODUCT = np.array(
    [
        [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]],
        [[0, 1, 0, 0], [-1, 0, 0, 0], [0, 0, 0, -1], [0, 0, 1, 0]],
        [[0, 0, 1, 0], [0, 0, 0, 1], [-1, 0, 0, 0], [0, -1, 0, 0]],
        [[0, 0, 0, 1], [0, 0, -1, 0], [0, 1, 0, 0], [-1, 0, 0, 0]],
    ],
    np.float64,
).reshape(4, 16)


def quat_product(first: Array, second: Array) -> Array:
    """Product (..., 4) of quaternions: rotate by `second`, then by `first`."""
    # Two small matrix products are faster than sixteen products of columns.
    matrix = (second[..., None, :] @ like(_PRODUCT, second)).reshape(*second.shape, 4)
    return (first[..., None, :] @ matrix)[..., 0, :]


def conjugate(quat: Array) -> Array:
    """Inverse (..., 4) of unit quaternions."""
    return namespace(quat).concat([quat[..., :1], -quat[..., 1:]], axis=-1)


def rotated(quat: Array, vector: Array) -> Array:
    """Vectors (..., 3) rotated by unit quaternions (..., 4)."""
    zero = vector[..., :1] * 0.0
    pure = namespace(quat).concat([zero, vector], axis=-1)
    return quat_product(quat_product(quat, pure), conjugate(quat))[..., 1:]


# The products of cosines and sines in a quaternion, as sums of cosines of sums of the half angles:
# (roll +- pitch +- yaw) / 2, and the same less a quarter turn.
_SUMS = 0.5 * np.tile([[1, 1, 1], [1, 1, -1], [1, -1, 1], [1, -1, -1]], (2, 1))
_PHASES = np.repeat([[0.0], [-0.5 * np.pi]], 4, axis=0)
_OF_WAVES = 0.25 * np.array(
    [
        [1, 1, 1, 1, -1, 1, 1, -1],
        [1, -1, -1, 1, 1, 1, 1, 1],
        [-1, 1, -1, 1, 1, 1, -1, -1],
        [1, 1, -1, -1, 1, -1, 1, -1],
    ]
)


def quat_of_euler(euler: Array) -> Array:
    """Quaternions (..., 4) of Euler angles (..., 3)."""
    return (like(_OF_WAVES, euler) @ _waves(euler))[..., 0]


def _waves(euler: Array) -> Array:
    """Cosines (..., 8, 1), as columns, so that there is a separate product per environment."""
    phases = like(_SUMS, euler) @ euler[..., None] + like(_PHASES, euler)
    return namespace(euler).cos(phases)


# From the products of waves and numbers of a quaternion to the product of the quaternion that the
# waves make and the inverse of the other, its vector part doubled.
_TURN = np.einsum(
    "ia,kij,k,j->jak", _OF_WAVES, _PRODUCT.reshape(4, 4, 4), [1, -1, -1, -1], [1, 2, 2, 2]
).reshape(4, 32)
_ONE = np.ones(1)


def turn_towards(euler: Array, quat: Array) -> Array:
    """Rotation (N, 3, 1) from quaternions (N, 4) to Euler angles (N, 3), in the shorter direction.

    A vector along the axis whose length is twice the sine of half the angle: less than 1 % shorter
    than the rotation vector [rad] up to 28 degrees, 36 % at half a turn.
    """
    products = (_waves(euler) * quat[:, None, :]).reshape(-1, 32, 1)
    turn = like(_TURN, quat) @ products
    return turn[:, 1:] * namespace(quat).copysign(like(_ONE, quat), turn[:, :1])


# Columns: numerators and denominators of the tangents of roll and yaw, the sine of the pitch.
_SQUARES = np.zeros((4, 4, 5))
_SQUARES[2, 3, 0] = _SQUARES[0, 1, 0] = _SQUARES[1, 2, 1] = _SQUARES[0, 3, 1] = 2.0
_SQUARES[range(4), range(4), 2] = 1.0, -1.0, -1.0, 1.0
_SQUARES[range(4), range(4), 3] = 1.0, 1.0, -1.0, -1.0
_SQUARES[0, 2, 4], _SQUARES[1, 3, 4] = 2.0, -2.0
_TO_EULER = _SQUARES.reshape(16, 5)


def euler_of_quat(quat: Array) -> Array:
    """Euler angles (..., 3) of unit quaternions (..., 4)."""
    xp = namespace(quat)
    squares = (quat[..., :, None] * quat[..., None, :]).reshape(*quat.shape[:-1], 1, 16)
    parts = (squares @ like(_TO_EULER, quat))[..., 0, :]
    turns = xp.atan2(parts[..., :2], parts[..., 2:4])  # roll, yaw
    pitch = xp.asin(parts[..., 4:].clip(-1.0, 1.0))
    return xp.concat([turns[..., :1], pitch, turns[..., 1:]], axis=-1)


def euler_of_axes(x: Array, y: Array, z: Array) -> tuple[Array, Array, Array]:
    """Roll, pitch and yaw, each (N, 1), of frames with these axes, each (N, 3)."""
    xp = namespace(x)
    sine, cosine = y[:, 2:], z[:, 2:]  # of roll, times the cosine of pitch
    pitch = xp.atan2(-x[:, 2:], xp.hypot(sine, cosine))
    return xp.atan2(sine, cosine), pitch, xp.atan2(x[:, 1:2], x[:, :1])
