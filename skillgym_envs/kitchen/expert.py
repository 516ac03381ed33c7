"""Scripted kitchen expert: any sequence of elements, from any state, with human-like variation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from skillgym_envs.core.errors import UnknownTask
from skillgym_envs.core.ik import SiteIk, rotation_error
from skillgym_envs.kitchen.phases import Manner, Offset, Phase, Scene, never
from skillgym_envs.kitchen.tasks import ELEMENTS
from skillgym_envs.kitchen.waypoints import OPEN, PLANS

Array = NDArray[np.float64]

ARM_JOINTS = tuple(f"robot:panda0_joint{i}" for i in range(1, 8))

_CONTROL_STEP = 0.08
_FULL_ACTION = 2.0 * _CONTROL_STEP  # displacement of the position target for an action of 1 [rad]
_TIP = 0.04  # from the end effector's site to the contact point near the fingers' ends [m]
_STIFFNESS = np.array([870.0] * 4 + [120.0] * 3)  # position gains of the arm's actuators [N m/rad]
_DAMPING = np.array([100.0] * 4 + [10.0] * 3)  # joint damping [N m s/rad]
# A joint covers only this share of the way to its position target within a control step.
_SHARE = 1.0 - np.exp(-_CONTROL_STEP * _STIFFNESS / _DAMPING)
_MAX_DRIFT = 0.03  # the part towards the posture of the approach, if a pose is kept [rad]
_MAX_CHANGE = 0.075  # largest commanded joint motion per control step [rad]
_LOOKAHEAD = 0.05  # the arm coasts for about this long [s]
_POSTURE = np.array([-1.1, -1.2, 1.5, -2.0, 0.0, 1.2, 1.2])  # elbow to the right, wrist centred
_FORWARD = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
_PATIENCE = 30  # control steps in one phase before the attempt is given up
_TRANSIT_PATIENCE = 50  # the same on the way to an element
_GOOD = 0.15  # an element this near to its goal needs no further attempt


@dataclass(frozen=True, kw_only=True)
class ExpertStyle:
    """How much the expert varies.

    Attributes:
        speed: Range of the speed factor drawn for each element.
        pace: Standard deviation of the slow variation of speed within an element (log scale).
        via: Standard deviation of approach points [m].
        grip: Half-width of the uniform contact offsets [m].
        tilt: Standard deviation of pitch and yaw [rad].
        tremor: Standard deviation of the smooth noise on arm actions.
        nudge_rate: Probability that a nudge starts in a control step, unless an object is moved.
        nudge: Standard deviation of a nudge, an offset of arm actions that lasts for
            `nudge_steps`. It leads to states from which the expert has to recover.
        nudge_steps: Duration of a nudge [control steps].
    """

    speed: tuple[float, float] = (0.85, 1.1)
    pace: float = 0.12
    via: float = 0.025
    grip: float = 0.004
    tilt: float = 0.04
    tremor: float = 0.05
    nudge_rate: float = 0.02
    nudge: float = 0.2
    nudge_steps: int = 5

    def manner(self, rng: np.random.Generator) -> Manner:
        """Draw the variation of one attempt."""
        via: Offset = tuple(np.clip(rng.normal(0.0, self.via, 3), -2 * self.via, 2 * self.via))
        grip: Offset = tuple(rng.uniform(-self.grip, self.grip, 3))
        pitch, yaw = np.clip(rng.normal(0.0, self.tilt, 2), -2 * self.tilt, 2 * self.tilt)
        return Manner(rng.uniform(*self.speed), via, grip, (pitch, yaw))


def hand_rotation(pitch: float, yaw: float, roll: float = 0.0) -> Array:
    """Orientation (3, 3) of a hand that points along y, then rolls, tilts up, turns left."""
    cos, sin = np.cos([pitch, yaw, roll]), np.sin([pitch, yaw, roll])
    tilt = np.array([[1.0, 0.0, 0.0], [0.0, cos[0], -sin[0]], [0.0, sin[0], cos[0]]])
    turn = np.array([[cos[1], -sin[1], 0.0], [sin[1], cos[1], 0.0], [0.0, 0.0, 1.0]])
    spin = np.array([[cos[2], -sin[2], 0.0], [sin[2], cos[2], 0.0], [0.0, 0.0, 1.0]])
    rotation: Array = turn @ tilt @ _FORWARD @ spin
    return rotation


class KitchenExpert:
    """Closed-loop controller that works through a sequence of elements.

    Each element is a list of phases (`waypoints.py`). A phase defines a fingertip pose; the arm
    follows it with one damped-least-squares step per control step and gravity compensation. An
    attempt that slips or stalls is repeated; the next element follows when the current one is well
    within its goal. Apart from slight smoothing, an action only depends on the state and the phase,
    so that a policy can learn it from observations.

    Attributes:
        sequence: The elements, in order.
        style: Amount of variation.
        tries: Number of the current attempt at the current element, from 1.
    """

    def __init__(
        self,
        sequence: Sequence[str],
        rng: np.random.Generator,
        style: ExpertStyle | None = None,
    ) -> None:
        """Prepare an expert.

        Args:
            sequence: Names of elements, in the order in which they should be completed.
            rng: Source of all variation.
            style: Amount of variation.

        Raises:
            UnknownTask: If a name is not an element.
        """
        for name in sequence:
            if name not in PLANS:
                raise UnknownTask(name, PLANS)
        self.sequence = tuple(sequence)
        self.style = style or ExpertStyle()
        self._rng = rng

    def reset(self, data: mujoco.MjData) -> None:
        """Start an episode.

        Args:
            data: State of the environment; only read, here and in `act`.
        """
        self._ik = SiteIk(data.model, "end_effector", ARM_JOINTS)
        self._planner = SiteIk(data.model, "end_effector", ARM_JOINTS)
        self._posture = _POSTURE
        self._gravity = np.zeros(data.model.nv)
        self._change = np.zeros(7)
        self._tremor = np.zeros(7)
        self._nudge, self._nudge_left = np.zeros(7), 0
        self._index = self._phase = self._steps = 0
        self._pace = 0.0
        self._phases: list[Phase] = []
        self.tries = 1
        scene, _ = self._look(data)
        self._skip_finished(data.qpos)
        self._begin_try(scene)

    @property
    def done(self) -> bool:
        """Whether the whole sequence is complete and the hand has drawn back."""
        return self._index >= len(self.sequence)

    @property
    def current(self) -> str | None:
        """Current element; None when done."""
        return None if self.done else self.sequence[self._index]

    @property
    def phase(self) -> str | None:
        """Name of the current phase; None when done."""
        return None if self.done else self._phases[self._phase].name

    def act(self, data: mujoco.MjData) -> Array:
        """Choose the action of this control step.

        Args:
            data: State of the environment.

        Returns:
            Action (9,) in [-1, 1]: joint velocities in units of 2 rad/s (fingers: 2 m/s).
        """
        scene, rotation = self._look(data)
        self._advance(scene)
        wanted, opening = np.zeros(7), OPEN / 2
        if not self.done:
            phase = self._phases[self._phase]
            wanted, opening = self._follow(phase, scene, rotation, data), phase.opening
        self._change += 0.5 * (wanted - self._change)
        mujoco.mj_rne(data.model, self._ik.scratch, 0, self._gravity)
        offset = self._change / _SHARE + self._gravity[:7] / _STIFFNESS
        action = np.concatenate((offset, opening - data.qpos[7:9])) / _FULL_ACTION
        if not self.done:
            action[:7] += self._disturbance()
        return np.clip(action, -1.0, 1.0)

    def _disturbance(self) -> Array:
        """Tremor and nudges of this control step, in units of the arm's actions (7,)."""
        style, rng = self.style, self._rng
        self._tremor = 0.8 * self._tremor + rng.normal(0.0, 0.6 * style.tremor, 7)
        moves_object = self._phases[self._phase].lost is not never
        if rng.random() < style.nudge_rate and not moves_object:
            self._nudge, self._nudge_left = rng.normal(0.0, style.nudge, 7), style.nudge_steps
        self._nudge_left -= 1
        return self._tremor + (self._nudge if self._nudge_left >= 0 else 0.0)

    def _look(self, data: mujoco.MjData) -> tuple[Scene, Array]:
        """The scene and the orientation (3, 3) of the hand."""
        self._ik.update(data.qpos)
        rotation = self._ik.rotation
        tip = self._ik.position + _TIP * rotation[:, 2]
        return Scene(self._ik.scratch, tip, float(data.qpos[7] + data.qpos[8])), rotation

    def _follow(self, phase: Phase, scene: Scene, rotation: Array, data: mujoco.MjData) -> Array:
        """Joint motion (7,) [rad] of this control step, towards a phase's pose."""
        self._pace = 0.85 * self._pace + self._rng.normal(0.0, 0.5 * self.style.pace)
        velocity = self._ik.jacobian()[:3] @ data.qvel[:7]
        gap = phase.target(scene) - scene.tip - _LOOKAHEAD * velocity
        reach = phase.speed * np.exp(self._pace) * _CONTROL_STEP
        gap *= min(0.6, reach / max(float(np.linalg.norm(gap)), 1e-6))
        pose = hand_rotation(phase.pitch, phase.yaw, phase.roll(scene))
        turn = rotation_error(pose, rotation)
        turn *= min(0.4, 1.2 * _CONTROL_STEP / max(float(np.linalg.norm(turn)), 1e-6))
        gap -= np.cross(turn, _TIP * rotation[:, 2])  # the target is for the tip
        limit, weight = (_MAX_CHANGE, 0.03) if phase.transit else (_MAX_DRIFT, 0.25)
        drift = np.clip(0.2 * (self._posture - data.qpos[:7]), -limit, limit)
        change = self._ik.step(
            gap, turn, damping=0.03, rotation_weight=weight, secondary=drift, margin=0.01
        )
        return change * min(1.0, _MAX_CHANGE / max(float(np.abs(change).max()), 1e-9))

    def _advance(self, scene: Scene) -> None:
        """Go to the next phase, attempt or element when it is time."""
        self._steps += 1
        while not self.done:
            phase = self._phases[self._phase]
            patience = _TRANSIT_PATIENCE if phase.transit else _PATIENCE
            if phase.over(scene):
                self._phase += 1
                self._steps = 0
                if self._phase == len(self._phases):
                    self._finish_try(scene)
            elif phase.lost(scene) or self._steps > patience:
                self._finish_try(scene)
                self._phases.insert(0, _draw_back(scene.tip))
                return
            else:
                return

    def _finish_try(self, scene: Scene) -> None:
        """Start the next attempt, at the same element if it is not well done, or at the next."""
        first = self._index
        self._skip_finished(scene.data.qpos)
        self.tries = self.tries + 1 if self._index == first else 1
        self._begin_try(scene)

    def _skip_finished(self, qpos: Array) -> None:
        while not self.done and goal_distance(self.sequence[self._index], qpos) < _GOOD:
            self._index += 1

    def _begin_try(self, scene: Scene) -> None:
        """Draw a manner, plan the posture of the approach, and start the first phase."""
        self._phase = self._steps = 0
        self._pace = 0.0
        manner = self.style.manner(self._rng)
        if self.done:
            self._phases = []
            return
        self._phases = PLANS[self.sequence[self._index]](manner, scene)
        first = self._phases[0]
        pose = hand_rotation(first.pitch, first.yaw, first.roll(scene))
        start = np.concatenate((_POSTURE, scene.data.qpos[7:]))
        site = first.target(scene) - _TIP * pose[:, 2]
        self._posture, _ = self._planner.solve(start, site, pose, iterations=40, tolerance=2e-3)


def _draw_back(tip: Array) -> Phase:
    """Opens the hand and moves it away from the furniture."""
    goal = tip + np.array([0.0, -0.12, 0.0])
    return Phase(
        name="draw back",
        target=lambda s: goal,
        over=lambda s: s.tip[1] < goal[1] + 0.04,
        opening=OPEN,
        speed=0.3,
        pitch=-0.3,
        yaw=0.0,
    )


def goal_distance(element: str, qpos: Array) -> float:
    """Distance of an element's slots from its goal, as in the task's score."""
    slots, goal = ELEMENTS[element].slots, ELEMENTS[element].goal
    return float(np.linalg.norm(qpos[list(slots)] - np.array(goal)))
