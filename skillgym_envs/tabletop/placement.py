"""Initial states: random blocks, or a given state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skillgym_envs.core.errors import SkillgymError
from skillgym_envs.tabletop.rotations import quat_of_euler
from skillgym_envs.tabletop.scenes import (
    BLOCK_HEIGHT,
    BLOCK_LENGTHS,
    BLOCK_WIDTH,
    CABINET_Y,
    COLOURS,
    DRAWER_RANGE,
    SWITCH_RANGE,
    TABLE_Y,
    Scene,
)

Floats = NDArray[np.float64]

_TRIES = 1000
_GAP = 0.005  # between blocks, more than `CONTACT_GAP` of both [m]


class InvalidState(SkillgymError, ValueError):
    """A state for `reset` has the wrong shape, or impossible values."""

    def __init__(self, name: str, problem: str, expected: str) -> None:
        super().__init__(
            f"Got the option {name} {problem}, expected {expected}; pass a part of an observation "
            "of that kind."
        )


class NoRoom(SkillgymError, RuntimeError):
    """No placement of the blocks without overlap was found."""

    def __init__(self) -> None:
        super().__init__(
            f"Got no placement without overlap in {_TRIES} tries, expected one in a few; "
            "reset with another seed."
        )


def given_state(options: Mapping[str, Any], name: str, bounds: Floats, count: int) -> Floats | None:
    """State (count, S) from the options of `reset`, or None.

    Args:
        options: The options.
        name: Name of the option.
        bounds: Minimum and maximum of each number, (S, 2).
        count: Number of environments.

    Raises:
        InvalidState: If it has the wrong shape, is not finite, or is out of bounds.
    """
    size = len(bounds)
    shapes = f"finite numbers of shape ({size},) or ({count}, {size})"
    given = options.get(name)
    if given is None:
        return None
    try:
        state = np.broadcast_to(np.asarray(given, np.float64), (count, size))
    except (TypeError, ValueError):
        problem = f"of type {type(given).__name__} and shape {np.shape(given)}"
        raise InvalidState(name, problem, shapes) from None
    if not np.isfinite(state).all():
        raise InvalidState(name, "with NaN or infinity", shapes)
    low, high = bounds.T
    if len(bad := np.argwhere((state < low) | (state > high))):
        row, index = bad[0].tolist()
        allowed = f"{low[index]:.3f} to {high[index]:.3f}"
        raise InvalidState(name, f"with {state[row, index]:g} as number {index}", allowed)
    return state


def random_blocks(rng: np.random.Generator, scene: Scene) -> Floats:
    """Poses (3, 7) of the red, blue and pink block: apart, each on one of three surfaces.

    The surface is uniform among the table and the two halves of the cabinet; position and yaw are
    uniform on it.

    Raises:
        NoRoom: If the blocks do not fit, which does not happen in the four scenes.

    Deviation: blocks count as apart when their outlines are 5 mm apart seen from above; the
    reference asks Bullet for contacts after one physics step.
    """
    lengths = np.array([BLOCK_LENGTHS[scene.sizes[colour]] for colour in COLOURS])
    areas = np.array(
        [
            (scene.table, TABLE_Y),
            (scene.slider_left, CABINET_Y),
            (scene.slider_right, CABINET_Y),
        ]
    )
    for _ in range(_TRIES):
        low, high = areas[rng.integers(3, size=3)].transpose(2, 0, 1)
        spots = rng.uniform(low, high)
        yaws = rng.uniform(-np.pi, np.pi, 3)
        if _apart(spots, yaws, lengths):
            break
    else:
        raise NoRoom
    poses = np.zeros((3, 7))
    poses[:, :2], poses[:, 2] = spots, BLOCK_HEIGHT
    poses[:, 3], poses[:, 6] = np.cos(yaws / 2), np.sin(yaws / 2)
    return poses


def random_furniture(rng: np.random.Generator, scene: Scene) -> Floats:
    """Door, drawer, button, lever and the two lights (6,) as in the scene state.

    Each part and the LED are in one of their two states with equal probability; the button is up.
    """
    door, drawer, lever, led = rng.integers(2, size=4)
    joints = (door * scene.door_range, drawer * DRAWER_RANGE, 0.0, lever * SWITCH_RANGE)
    return np.array([*joints, lever, led], np.float64)


def _apart(spots: Floats, yaws: Floats, lengths: Floats) -> bool:
    """Whether three rectangles are apart: for each pair, a side of one separates the two."""
    along = np.stack((np.cos(yaws), np.sin(yaws)), axis=1)
    across = np.stack((-along[:, 1], along[:, 0]), axis=1)
    sides = (along * (lengths / 2)[:, None], across * (BLOCK_WIDTH / 2))
    for first, second in ((0, 1), (0, 2), (1, 2)):
        axes = np.stack((along[first], across[first], along[second], across[second]))
        reach = sum(np.abs(axes @ side[block]) for side in sides for block in (first, second))
        if not (np.abs(axes @ (spots[first] - spots[second])) > reach + _GAP).any():
            return False
    return True


def blocks_of(scene_state: Floats, scene: Scene) -> Floats:
    """Poses (M, 3, 7) of the red, blue and pink block in scene states (M, 24)."""
    poses = scene_state[:, 6:].reshape(-1, 3, 6)
    poses = poses[:, [scene.order.index(colour) for colour in COLOURS]]
    return np.concatenate((poses[..., :3], quat_of_euler(poses[..., 3:])), axis=-1)
