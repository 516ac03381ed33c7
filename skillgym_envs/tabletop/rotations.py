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


def quat_of_euler(euler: Array) -> Array:
    """Quaternions (..., 4) of Euler angles (..., 3)."""
    xp = namespace(euler)
    half = 0.5 * euler
    cos, sin = xp.cos(half), xp.sin(half)
    ca, cb, cc = (cos[..., index] for index in range(3))
    sa, sb, sc = (sin[..., index] for index in range(3))
    parts = (
        ca * cb * cc + sa * sb * sc,
        sa * cb * cc - ca * sb * sc,
        ca * sb * cc + sa * cb * sc,
        ca * cb * sc - sa * sb * cc,
    )
    return xp.stack(parts, axis=-1)


def euler_of_quat(quat: Array) -> Array:
    """Euler angles (..., 3) of unit quaternions (..., 4)."""
    xp = namespace(quat)
    w, x, y, z = (quat[..., index] for index in range(4))
    roll = xp.atan2(2.0 * (y * z + w * x), w * w - x * x - y * y + z * z)
    pitch = xp.asin((2.0 * (w * y - x * z)).clip(-1.0, 1.0))
    yaw = xp.atan2(2.0 * (x * y + w * z), w * w + x * x - y * y - z * z)
    return xp.stack([roll, pitch, yaw], axis=-1)


def rotation_vector(quat: Array) -> Array:
    """Axis times angle (..., 3) [rad] of unit quaternions (..., 4), the shorter way round."""
    xp = namespace(quat)
    w, vector = quat[..., :1], quat[..., 1:]
    sine = xp.sqrt((vector * vector).sum(axis=-1))[..., None]
    angle = 2.0 * xp.atan2(sine, xp.abs(w))
    # The limit of angle / sine at no rotation is 2.
    scale = xp.where(sine > 1e-9, angle / (sine + (sine <= 1e-9)), 2.0)
    return xp.where(w < 0.0, -vector, vector) * scale
