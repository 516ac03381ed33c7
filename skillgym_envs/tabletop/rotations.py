"""Quaternions (w, x, y, z) and Euler angles of batches; NumPy and torch.

Euler angles are Bullet's: turns about the fixed axes x, then y, then z [rad].
"""

from __future__ import annotations

import numpy as np

from skillgym_envs.core.world import Array, like, namespace

# Row i: what the i-th number of the second factor adds to the matrix that multiplies the first.
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
    """Product (..., 4) of quaternions: turn by `second`, then by `first`."""
    # Two small matrix products are quicker than sixteen of columns.
    matrix = (second[..., None, :] @ like(_PRODUCT, second)).reshape(*second.shape, 4)
    return (first[..., None, :] @ matrix)[..., 0, :]


def conjugate(quat: Array) -> Array:
    """Inverse (..., 4) of unit quaternions."""
    return namespace(quat).concat([quat[..., :1], -quat[..., 1:]], axis=-1)


def rotated(quat: Array, vector: Array) -> Array:
    """Vectors (..., 3) turned by unit quaternions (..., 4)."""
    zero = vector[..., :1] * 0.0
    pure = namespace(quat).concat([zero, vector], axis=-1)
    return quat_product(quat_product(quat, pure), conjugate(quat))[..., 1:]


# Rows: products of cos and sin (c, s) of half the angles: ccc, ccs, csc, css, scc, scs, ssc, sss.
_OF_EULER = np.zeros((8, 4))
_OF_EULER[[0, 7], 0] = 1.0, 1.0
_OF_EULER[[4, 3], 1] = 1.0, -1.0
_OF_EULER[[2, 5], 2] = 1.0, 1.0
_OF_EULER[[1, 6], 3] = 1.0, -1.0


def quat_of_euler(euler: Array) -> Array:
    """Quaternions (..., 4) of Euler angles (..., 3)."""
    xp, shape = namespace(euler), euler.shape[:-1]
    half = 0.5 * euler
    pairs = xp.stack([xp.cos(half), xp.sin(half)], axis=-1)  # (..., 3, 2)
    roll, pitch, yaw = pairs[..., 0, :], pairs[..., 1, :], pairs[..., 2, :]
    products = (roll[..., :, None] * pitch[..., None, :]).reshape(*shape, 4)
    products = (products[..., :, None] * yaw[..., None, :]).reshape(*shape, 1, 8)
    return (products @ like(_OF_EULER, euler))[..., 0, :]


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


def rotation_vector(quat: Array) -> Array:
    """Axis times angle (..., 3) [rad] of unit quaternions (..., 4), the shorter way round."""
    xp = namespace(quat)
    w, vector = quat[..., :1], quat[..., 1:]
    sine = xp.sqrt((vector * vector).sum(axis=-1))[..., None]
    angle = 2.0 * xp.atan2(sine, xp.abs(w))
    # The limit of angle / sine at no rotation is 2.
    scale = xp.where(sine > 1e-9, angle / (sine + (sine <= 1e-9)), 2.0)
    return xp.where(w < 0.0, -vector, vector) * scale
