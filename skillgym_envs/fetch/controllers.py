"""The three scripted controllers of ReSkill, as pure functions of features of the state.

Paper: Rana et al. 2022, "Residual Skill Policies", arXiv:2211.02231 (data collection); the hook
controller comes from Silver et al. 2018, "Residual Policy Learning", arXiv:1812.06298. Tolerances
are compared with squared distances. Positions are world positions [m], shape (3,); an action is
(dx, dy, dz, gripper) in units of 5 cm, and the gripper opens with +1, closes with -1, holds with 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Decision = tuple[Floats, bool]
"""Action (4,), not clipped, and whether the controller has finished with this action."""

OPEN_FINGER, CLOSED_FINGER = 0.05, 0.024  # positions of a finger, closed around a block [m]
_GAIN = 10.0
_OPEN = np.array([0.0, 0.0, 0.0, 1.0])
_CLOSE = np.array([0.0, 0.0, 0.0, -1.0])
_ABOVE = np.array([0.0, 0.0, 0.1])


def pick_and_place(gripper: Floats, finger: float, block: Floats, goal: Floats) -> Decision:
    """Grasp a block, carry it to 10 cm above its goal and drop it.

    Args:
        gripper: Position of the grip site.
        finger: Position of the right finger.
        block: Position of the block.
        goal: Where the block should be.
    """
    tolerance, grasp = 1e-3, np.array([0.0, 0.0, -0.02])
    if _squared(block - goal) < tolerance:
        return np.array([0.0, 0.0, 0.01, 1.0]), True
    if _squared(gripper - block - grasp) < tolerance:
        if abs(finger - CLOSED_FINGER) >= tolerance:
            return _CLOSE.copy(), False
        target = goal + grasp + _ABOVE
        if _squared(block - target) < tolerance:
            return _OPEN.copy(), False
        return _move(gripper, target, close=True), False
    if _squared((gripper - block)[:2]) < tolerance:
        if abs(finger - OPEN_FINGER) >= tolerance:
            return _OPEN.copy(), False
        return _move(gripper, block + grasp), False
    return _move(gripper, block + grasp + _ABOVE), False


def push(gripper: Floats, finger: float, block: Floats, goal: Floats) -> Decision:
    """Move behind a block, as seen from its goal, with closed fingers, and push it there.

    Args:
        gripper: Position of the grip site.
        finger: Position of the right finger; not used.
        block: Position of the block.
        goal: Where the block should be.
    """
    tolerance, distance, height = 1e-4, 0.075, 0.005
    block_angle = np.arctan2(*(goal - block)[:2])
    gripper_angle = np.arctan2(*(goal - gripper)[:2])
    behind = np.array([np.sin(block_angle), np.cos(block_angle), 0.0])
    pose = block - distance * behind + (0.0, 0.0, height)
    if _squared(block - goal) < tolerance:
        return np.zeros(4), True
    turn = (block_angle - gripper_angle + np.pi) % (2.0 * np.pi) - np.pi
    low = (gripper[2] - pose[2]) ** 2 < tolerance
    farther = _squared((gripper - goal)[:2]) > _squared((block - goal)[:2])
    if low and abs(turn) < np.pi / 4.0 and farther:
        return _move(gripper, np.array([goal[0], goal[1], gripper[2]]), gain=5.0), False
    if _squared((gripper - pose)[:2]) < tolerance:
        return _move(gripper, pose), False
    return _move(gripper, pose + _ABOVE), False


def sweep(gripper: Floats, finger: float, block: Floats, goal: Floats, hook: Floats) -> Decision:
    """Grasp the hook, lay it behind an object that is out of reach, and sweep it to its goal.

    Args:
        gripper: Position of the grip site.
        finger: Position of the right finger.
        block: Position of the object.
        goal: Where the object should be.
        hook: Position of the hook's grasp site.
    """
    grasp = np.array([0.0, 0.0, -0.05])
    if np.abs((block - goal)[:2]).sum() <= 0.01:
        return _CLOSE.copy(), True
    held = _squared(gripper - hook - grasp) < 1e-2 and abs(finger) - CLOSED_FINGER <= 1e-2
    if not held:
        return _grasp_hook(gripper, finger, hook, grasp), False
    target = np.array([block[0] - 0.5, block[1] - 0.05, 0.45])
    if hook[0] >= target[0] + 0.1 or hook[1] + 0.1 <= target[1]:
        return _move(gripper, target, close=True), False
    direction = (goal - block)[:2] / np.linalg.norm((goal - block)[:2])
    return np.array([0.4 * direction[0], 0.4 * direction[1], 0.0, -1.0]), False


def _grasp_hook(gripper: Floats, finger: float, hook: Floats, grasp: Floats) -> Floats:
    """Grasp the hook and lift it to 0.5 m."""
    tolerance, lifted = 1e-3, np.array([hook[0], hook[1], 0.5])
    if _squared(gripper - hook - grasp) < tolerance:
        if abs(finger) - CLOSED_FINGER > tolerance or _squared(hook - lifted) < tolerance:
            return _CLOSE.copy()
        return _move(gripper, lifted + grasp + (0.0, 0.0, 0.05), close=True)
    if _squared((gripper - hook - grasp)[:2]) < tolerance:
        if abs(finger - OPEN_FINGER) > tolerance:
            return _OPEN.copy()
        return _move(gripper, hook + grasp)
    return _move(gripper, hook + grasp + _ABOVE)


def _move(gripper: Floats, target: Floats, gain: float = _GAIN, close: bool = False) -> Floats:
    return np.append(gain * (target - gripper), -1.0 if close else 0.0)


def _squared(gap: Floats) -> float:
    return float(gap @ gap)
