"""Scripted office expert: completes the subtasks of any task in order, and retries failures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import mujoco
import numpy as np
from numpy.typing import NDArray

from skillgym_envs.core.ik import rotation_error
from skillgym_envs.office.route import around_base
from skillgym_envs.office.scene import DRAWER_TRAVEL, grasp_offset
from skillgym_envs.office.subtasks import LIFTED, OPENED, PLACE_CENTRES, SHUT, SubtaskTable
from skillgym_envs.office.tasks import (
    CLOSE_DRAWER,
    OBJECTS,
    OPEN_DRAWER,
    PLACEMENTS,
    PLACES,
    SUBTASKS,
    resolve_task,
    subtasks_of,
)

Floats = NDArray[np.float64]

LIMIT = 0.9
"""Bound of every number of an action, as in the authors' data."""

_GAIN = 5.0  # action per distance [1/m]
_TURN_GAIN = np.degrees(0.1)  # action per rotation [1/rad]
_PRECISE = 0.3  # share of the noise in careful motions
_TRAVEL, _LIFT, _DROP = -0.2, -0.16, -0.15  # heights of the end effector [m]
_GRASP = -0.338  # height with the fingertips just above the desk [m]
_FINGERS = np.array([0.0, -0.00496])  # of the end effector from the fingers' middle plane [m]
_PATIENCE = 40  # control steps in one motion before it is restarted
_DOWN = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])  # of the end effector


class Command(NamedTuple):
    """Command for a control step.

    Attributes:
        target: Target position of the end effector [m], shape (3,).
        gripper: Number 6 of the action.
        precise: Whether noise is reduced.
    """

    target: Floats
    gripper: float = 0.0
    precise: bool = False


Motion = Iterator[Command]


class OfficeExpert:
    """Proportional controller that works on the first open subtask.

    Papers: as for `OfficeWorld`; the authors' data come from such a controller, with Gaussian noise
    on all numbers of the action, standard deviation 0.1, or 0.03 where care is needed, and actions
    clipped to 0.9.

    Deviation: the authors' controller always does the drawer last, so that its episodes of tasks
    with another order fail. Unlike this one, it neither retries nor moves around the base of the
    arm, and does not turn the gripper.

    Args:
        plan: Names of placements, in order (see `OfficeWorld`).
        rng: Source of the noise.
        noise: Standard deviation of the noise.

    Raises:
        UnknownTask: If a name is not a placement.
        InvalidTask: If an object or the drawer occurs twice.
    """

    def __init__(self, plan: Sequence[str], rng: np.random.Generator, noise: float = 0.1) -> None:
        self.subtasks = subtasks_of(resolve_task(tuple(plan)) or ())
        self._queue = [SUBTASKS.index(name) for name in self.subtasks]
        self._rng = rng
        self._noise = noise

    def reset(self, data: mujoco.MjData) -> None:
        """Start an episode.

        Args:
            data: State of the environment; only read, here and in `act`.
        """
        self._data = data
        self._table = SubtaskTable(data.model, self.subtasks)
        # Views of the simulator's arrays; getting them takes longer than reading them.
        site, handle = data.site("end_effector"), data.site("handle")
        self._at, self._rotation, self._handle = site.xpos, site.xmat.reshape(3, 3), handle.xpos
        self._drawer = data.joint("drawer").qpos
        self._bodies = {name: data.body(name) for name in OBJECTS}
        self._finger = data.actuator("gripper").ctrl
        self._progress, self._time = 0, data.time
        self._yaw = 0.0
        self._motion = self._work()

    @property
    def done(self) -> bool:
        """Whether all subtasks are complete."""
        self._count()
        return self._progress == len(self._queue)

    @property
    def current(self) -> str | None:
        """Current subtask; None when done."""
        return None if self.done else self.subtasks[self._progress]

    def act(self, data: mujoco.MjData) -> Floats:
        """Choose the action (8,) of this control step, for the state given to `reset`."""
        self._count()
        command = next(self._motion)
        action = np.zeros(8)
        action[:3] = _GAIN * (command.target - self._at)
        cos, sin = np.cos(self._yaw), np.sin(self._yaw)
        wanted = np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]]) @ _DOWN
        action[3:6] = _TURN_GAIN * rotation_error(wanted, self._rotation)
        action[6] = command.gripper
        scale = self._noise * (_PRECISE if command.precise else 1.0)
        noise = self._rng.normal(0.0, scale, 8) if scale else 0.0
        return (action.clip(-LIMIT, LIMIT) + noise).clip(-LIMIT, LIMIT)

    def _count(self) -> None:
        """Tick off a subtask, once per control step as the world does."""
        if self._time == self._data.time or self._progress == len(self._queue):
            return
        self._time = self._data.time
        head = np.array([self._queue[self._progress]])
        holds, _ = self._table.check(head, self._data.qpos[None], self._at[None])
        self._progress += int(holds[0])

    def _work(self) -> Motion:
        while (subtask := self.current) is not None:
            if subtask == OPEN_DRAWER:
                yield from self._open_drawer()
            elif subtask == CLOSE_DRAWER:
                yield from self._close_drawer()
            else:
                yield from self._handle_object(subtask)
        while True:
            yield Command(self._at.copy())

    def _handle_object(self, subtask: str) -> Motion:
        verb, _, rest = subtask.partition(" ")
        if verb == "pick":
            yield from self._pick(rest)
            return
        placement = PLACEMENTS[rest]
        name, place = OBJECTS[placement.item], PLACES[placement.place]
        if not self._holds(name):
            if place == "drawer" and self._opening < OPENED - 0.15:
                yield from self._open_drawer()
            yield from self._pick(name)
        yield from self._put(name, np.array(PLACE_CENTRES[place]))

    # Motions: each ends when it is complete, or gives up so that `_work` chooses again.

    def _pick(self, name: str) -> Motion:
        """Grasp an object and lift it."""
        yield from self._set_gripper(opened=True)
        yield from self._go(
            lambda: self._above(self._grasp_point(name)), 0.03, self._grasp_yaw(name)
        )
        for _ in range(_PATIENCE):
            point = self._grasp_point(name)
            if np.hypot(*(point - self._at)[:2]) > 0.05:  # it has moved
                return
            gap = float(np.linalg.norm(point - self._at))
            if gap < 0.01:
                yield Command(point, -LIMIT, precise=True)
                break
            yield Command(point, precise=gap < 0.03)
        top = np.array([*self._at[:2], _LIFT])
        for _ in range(_PATIENCE):
            if self._at[2] > _TRAVEL:
                return
            yield Command(top)

    def _put(self, name: str, centre: Floats) -> Motion:
        """Carry the held object above a place and release it."""
        drop = np.array([*(centre + _FINGERS), _DROP])
        for _ in range(3 * _PATIENCE):
            if not self._holds(name):
                return
            gap = float(np.hypot(*(drop - self._at)[:2]))
            if gap < 0.02:
                yield Command(self._at.copy(), LIMIT, precise=True)
                yield Command(self._at.copy(), precise=True)
                yield Command(self._at.copy())
                return
            self._yaw *= 0.8
            yield Command(around_base(self._at, drop), precise=gap < 0.04)

    def _open_drawer(self) -> Motion:
        """Put the open fingers over the bar and pull."""
        yield from self._set_gripper(opened=True)
        offset = np.array([0.01, _FINGERS[1], 0.035])
        yield from self._go(lambda: self._above(self._handle + offset), 0.02)
        for _ in range(_PATIENCE):
            if self._at[2] - self._handle[2] < 0.045:
                break
            yield Command(self._handle + offset, precise=True)
        for _ in range(_PATIENCE):
            if self._opening > OPENED + 0.1:
                break
            pull = np.array([self._at[0] + 1.0, *(self._handle + offset)[1:]])
            yield Command(pull, precise=True)
        yield from self._rise()

    def _close_drawer(self) -> Motion:
        """Push the bar from the other side with closed fingers."""
        ready, low = np.array([0.1, _FINGERS[1], 0.0]), np.array([0.08, _FINGERS[1], 0.045])
        yield from self._rise()
        yield from self._set_gripper(opened=False)
        yield from self._go(lambda: self._above(self._handle + ready), 0.03)
        for _ in range(_PATIENCE):
            if self._at[2] - self._handle[2] < 0.055:
                break
            yield Command(self._handle + low, precise=True)
        for _ in range(_PATIENCE):
            if self._opening < SHUT - 0.1:
                break
            push = np.array([self._at[0] - 0.12, *(self._handle + low)[1:]])
            yield Command(push, precise=True)
        yield from self._rise()

    def _rise(self) -> Motion:
        for _ in range(_PATIENCE):
            if self._at[2] > _TRAVEL - 0.02:
                return
            yield Command(np.array([*self._at[:2], _LIFT]), precise=True)

    def _set_gripper(self, opened: bool) -> Motion:
        while self._is_open != opened:
            yield Command(self._at.copy(), LIMIT if opened else -LIMIT, precise=True)

    def _go(self, target: Callable[[], Floats], tolerance: float, yaw: float = 0.0) -> Motion:
        """Move above a target that may move, turned by `yaw`."""
        self._yaw = yaw
        for _ in range(3 * _PATIENCE):
            goal = target()
            if np.hypot(*(goal - self._at)[:2]) < tolerance and self._turn_left() < 0.2:
                return
            yield Command(around_base(self._at, goal))

    # What the expert sees.

    @property
    def _opening(self) -> float:
        return float(self._drawer[0]) / DRAWER_TRAVEL

    @property
    def _is_open(self) -> bool:
        return bool(self._finger[0] > 0.0)

    def _holds(self, name: str) -> bool:
        body = self._bodies[name]
        near = np.linalg.norm(self._centre(name) - self._at) < 0.08
        return bool(not self._is_open and near and body.xpos[2] > LIFTED)

    def _centre(self, name: str) -> Floats:
        """Middle of an object [m], shape (3,)."""
        body = self._bodies[name]
        centre: Floats = body.xpos + body.xmat.reshape(3, 3)[:, 1] * grasp_offset(name)[1]
        return centre

    def _grasp_yaw(self, name: str) -> float:
        """Rotation of the gripper that closes it across an object's long side, at most 90 deg."""
        x, y, _ = self._bodies[name].xmat.reshape(3, 3)[:, 1]
        if np.hypot(x, y) < 0.5:  # it stands
            return 0.0
        return float((np.arctan2(-x, y) + np.pi / 2) % np.pi - np.pi / 2)

    def _grasp_point(self, name: str) -> Floats:
        """Position of the end effector to grasp an object [m], shape (3,)."""
        cos, sin = np.cos(self._yaw), np.sin(self._yaw)
        shift = np.array([-sin, cos]) * _FINGERS[1]
        x, y, z = self._centre(name)
        height = max(_GRASP, z + 0.035)  # not lower than needed if it lies on something
        return np.array([x + shift[0], y + shift[1], height])

    @staticmethod
    def _above(point: Floats) -> Floats:
        return np.array([point[0], point[1], _TRAVEL])

    def _turn_left(self) -> float:
        """Remaining yaw [rad]."""
        yaw = np.arctan2(self._rotation[1, 0], self._rotation[0, 0])
        return abs(float(yaw) - self._yaw)
