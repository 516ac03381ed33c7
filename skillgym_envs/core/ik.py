"""Damped-least-squares inverse kinematics for one site, used by the scripted experts."""

from __future__ import annotations

from collections.abc import Sequence

import mujoco
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def rotation_error(target: Array, current: Array) -> Array:
    """Rotation vector [rad] in the world frame that turns `current` into `target` (both (3, 3))."""
    quat, vector = np.empty(4), np.empty(3)
    mujoco.mju_mat2Quat(quat, (target @ current.T).ravel())
    mujoco.mju_quat2Vel(vector, quat, 1.0)
    return vector


def damped_least_squares(
    jacobian: Array, error: Array, damping: float, secondary: Array | None = None
) -> Array:
    """Joint change that reduces a task error, with an optional second goal in the null space.

    Paper: Wampler 1986, "Manipulator Inverse Kinematic Solutions Based on Vector Formulations and
    Damped Least-Squares Methods".

    Args:
        jacobian: Task Jacobian (M, J).
        error: Task error (M,).
        damping: Added to the singular directions; larger is slower and safer near singularities.
        secondary: Desired joint change (J,) in the null space of the task, e.g. to a posture.

    Returns:
        Joint change (J,) [rad].
    """
    gram = jacobian @ jacobian.T + damping**2 * np.eye(len(error))
    if secondary is None:
        return jacobian.T @ np.linalg.solve(gram, error)
    return secondary + jacobian.T @ np.linalg.solve(gram, error - jacobian @ secondary)


class SiteIk:
    """Inverse kinematics of one site moved by some hinge or slide joints.

    Owns a scratch `MjData`: nothing here touches the caller's simulation state.
    """

    def __init__(self, model: mujoco.MjModel, site: str, joints: Sequence[str]) -> None:
        """Find the site and the joints.

        Args:
            model: The MuJoCo model.
            site: Name of the site to move.
            joints: Names of the joints (J) that move it, in the order of the results.
        """
        self.model = model
        self.scratch = mujoco.MjData(model)
        self.site = model.site(site).id
        ids = [model.joint(name).id for name in joints]
        self.qpos_slots = model.jnt_qposadr[ids]
        self._dofs = model.jnt_dofadr[ids]
        self.lower, self.upper = model.jnt_range[ids].T.copy()
        self._jacobian = np.zeros((6, model.nv))

    def update(self, qpos: Array) -> None:
        """Set the scratch state to a full configuration (nq,) and compute positions."""
        self.scratch.qpos[:] = qpos
        mujoco.mj_kinematics(self.model, self.scratch)
        mujoco.mj_comPos(self.model, self.scratch)

    @property
    def position(self) -> Array:
        """World position (3,) [m] of the site in the scratch state."""
        return np.array(self.scratch.site_xpos[self.site])

    @property
    def rotation(self) -> Array:
        """World orientation (3, 3) of the site in the scratch state."""
        return np.array(self.scratch.site_xmat[self.site]).reshape(3, 3)

    def jacobian(self) -> Array:
        """Jacobian (6, J) of the site: three rows of position, three of rotation."""
        rows = self._jacobian
        mujoco.mj_jacSite(self.model, self.scratch, rows[:3], rows[3:], self.site)
        return rows[:, self._dofs]

    def step(
        self,
        translation: Array,
        rotation: Array,
        *,
        damping: float = 0.05,
        rotation_weight: float = 0.3,
        secondary: Array | None = None,
        margin: float = 0.0,
    ) -> Array:
        """One linear step from the scratch state.

        Args:
            translation: Desired displacement (3,) of the site [m].
            rotation: Desired rotation vector (3,) [rad], world frame.
            damping: See `damped_least_squares`.
            rotation_weight: Metres to which one radian of orientation error is equivalent.
            secondary: Desired joint change (J,) in the null space.
            margin: Minimum distance to the joint limits [rad].

        Returns:
            Joint change (J,) [rad]. Joints that would exceed their limits move to the limit, and
            the others compensate.
        """
        weights = np.array([1.0, 1.0, 1.0, *[rotation_weight] * 3])
        error = np.concatenate((translation, rotation)) * weights
        jacobian = self.jacobian() * weights[:, None]
        joints = self.scratch.qpos[self.qpos_slots]
        low, high = self.lower + margin - joints, self.upper - margin - joints
        change = damped_least_squares(jacobian, error, damping, secondary)
        blocked = (change < low) | (change > high)
        if blocked.any():
            fixed = np.where(blocked, np.clip(change, low, high), 0.0)
            rest = None if secondary is None else np.where(blocked, 0.0, secondary)
            free = np.where(blocked, 0.0, jacobian)
            change = fixed + damped_least_squares(free, error - jacobian @ fixed, damping, rest)
        return np.clip(change, low, high)

    def solve(
        self,
        qpos: Array,
        position: Array,
        rotation: Array,
        *,
        iterations: int = 100,
        tolerance: float = 1e-4,
    ) -> tuple[Array, float]:
        """Iterate to a pose within the joint limits.

        Args:
            qpos: Full configuration (nq,) to start from.
            position: World target (3,) [m].
            rotation: World target (3, 3).
            iterations: Maximum number of steps.
            tolerance: Stops when the error (metres plus 0.3 m per radian) falls below it.

        Returns:
            Joint positions (J,) and the remaining error.
        """
        qpos = np.array(qpos, dtype=np.float64)
        error = np.inf
        for _ in range(iterations):
            self.update(qpos)
            gap, turn = position - self.position, rotation_error(rotation, self.rotation)
            error = float(np.linalg.norm(gap) + 0.3 * np.linalg.norm(turn))
            if error < tolerance:
                break
            change = np.clip(self.step(gap, turn, damping=0.02), -0.2, 0.2)
            qpos[self.qpos_slots] = np.clip(qpos[self.qpos_slots] + change, self.lower, self.upper)
        return qpos[self.qpos_slots].copy(), error
