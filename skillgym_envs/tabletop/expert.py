"""Scripted tabletop expert: any sequence of possible tasks, with human-like variation."""

from __future__ import annotations

from collections.abc import Sequence

import mujoco
import numpy as np
from numpy.typing import NDArray

from skillgym_envs.core.errors import UnknownTask
from skillgym_envs.tabletop.block_plans import BLOCK_PLANS
from skillgym_envs.tabletop.control import MAX_MOVE, MAX_TURN
from skillgym_envs.tabletop.furniture_plans import FURNITURE_PLANS, Plan
from skillgym_envs.tabletop.phases import OPEN, Manner, Phase, Place, View, fixed
from skillgym_envs.tabletop.robot import TCP_SITE
from skillgym_envs.tabletop.rotations import euler_of_quat
from skillgym_envs.tabletop.scenes import SCENES, Scene

Array = NDArray[np.float64]

PLANS: dict[str, Plan] = {**FURNITURE_PLANS, **BLOCK_PLANS}
"""Phases of an attempt at each task."""

_SAFE_HEIGHT, _SAFE_Y = 0.56, -0.13  # where the hand may move sideways [m]
_GAIN = 0.6  # share of the way that an action covers
_MAX_TRIES = 4


class TabletopExpert:
    """Works through a sequence of tasks by moving the environment's target pose.

    Each task is a list of phases; a phase defines a pose of the hand as a function of the state.
    An attempt that takes too long is repeated, up to three times. The expert adds up its own
    actions, as the environment does, and so knows the environment's target pose.

    Attributes:
        sequence: Names of tasks, in order.
        failed: Whether a task was given up.
    """

    def __init__(
        self,
        sequence: Sequence[str],
        rng: np.random.Generator,
        scene: Scene | None = None,
        tremor: float = 0.05,
    ) -> None:
        """Prepare an expert.

        Args:
            sequence: Names of tasks, in the order in which they should be completed.
            rng: Source of all variation.
            scene: The scene; D if None.
            tremor: Standard deviation of the smooth noise on actions.

        Raises:
            UnknownTask: If there is no such task, or the expert cannot do it.
        """
        for name in sequence:
            if name not in PLANS:
                raise UnknownTask(name, PLANS)
        self.sequence = tuple(sequence)
        self.scene = scene or SCENES["D"]
        self._rng = rng
        self._tremor_size = tremor

    def reset(self, data: mujoco.MjData) -> None:
        """Start an episode.

        Args:
            data: State of the environment; only read, here and in `act`.
        """
        quat = np.empty(4)
        mujoco.mju_mat2Quat(quat, data.site(TCP_SITE).xmat)
        self._target = data.site(TCP_SITE).xpos.copy()
        self._euler: Array = euler_of_quat(quat)
        self._site = mujoco.MjData(data.model)  # scratch for the forward kinematics
        self._tremor, self._grip = np.zeros(6), OPEN
        self._index, self._tries, self._phase, self._steps = 0, 0, 0, 0
        self._phases: list[Phase] = []
        self.failed = False
        self._begin_try(self._look(data))

    @property
    def done(self) -> bool:
        """Whether the sequence is finished."""
        return self.failed or self._index >= len(self.sequence)

    @property
    def current(self) -> str | None:
        """Current task; None when done."""
        return None if self.done else self.sequence[self._index]

    @property
    def phase(self) -> str | None:
        """Name of the current phase; None when done."""
        return None if self.done else self._phases[self._phase].name

    def act(self, data: mujoco.MjData) -> Array:
        """Choose the action (7,) of this control step, for a state of the environment."""
        self._steps += 1
        view = self._look(data)
        self._advance(view)
        action = np.zeros(7)
        if not self.done:
            view = self._look(data)
            phase = self._phases[self._phase]
            action[:6] = self._towards(phase, view) + self._shake()
            self._grip = phase.grip
        action[6] = self._grip
        action = np.clip(action, -1.0, 1.0).astype(np.float32).astype(np.float64)
        self._target = self._target + MAX_MOVE * action[:3]
        self._euler = self._euler + MAX_TURN * action[3:6]
        return action

    def _towards(self, phase: Phase, view: View) -> Array:
        """Action (6,) towards the pose of a phase: straight, and slower near its end."""
        gap = _GAIN * (phase.place(view) - self._target) / MAX_MOVE
        turn = _GAIN * self._turn_to(phase.euler) / MAX_TURN
        move = np.concatenate((gap, turn))
        move[:3] *= min(1.0, phase.speed / max(float(np.linalg.norm(gap)), 1e-9))
        move[3:] *= min(1.0, 0.9 / max(float(np.abs(turn).max()), 1e-9))
        return move

    def _turn_to(self, euler: Array) -> Array:
        """Change of the target's Euler angles (3,) [rad], in the shorter direction."""
        gap = euler - self._euler
        shortest: Array = gap - 2.0 * np.pi * np.round(gap / (2.0 * np.pi))
        return shortest

    def _shake(self) -> Array:
        noise = self._rng.normal(0.0, 0.6 * self._tremor_size, 6)
        self._tremor = 0.8 * self._tremor + noise
        return self._tremor

    def _look(self, data: mujoco.MjData) -> View:
        self._site.qpos[:] = data.qpos
        mujoco.mj_kinematics(data.model, self._site)
        turned = 0.0
        if self._phases and not self.done:
            turned = float(np.abs(self._turn_to(self._phases[self._phase].euler)).max())
        return View(
            data=data,
            tcp=self._site.site(TCP_SITE).xpos.copy(),
            target=self._target,
            turned=turned,
            steps=self._steps,
        )

    def next_task(self, view: View) -> str | None:
        """The next task; None when the sequence is finished."""
        return None if self.done else self.sequence[self._index]

    def _advance(self, view: View) -> None:
        """Go to the next phase, attempt or task when it is time."""
        if self.done:
            return
        phase = self._phases[self._phase]
        if phase.over(view):
            self._phase, self._steps = self._phase + 1, 0
            if self._phase == len(self._phases):
                self._index, self._tries = self._index + 1, 0
                self._begin_try(view)
        elif self._steps > phase.patience:
            self._tries += 1
            self.failed = self._tries == _MAX_TRIES
            self._begin_try(view)

    def _begin_try(self, view: View) -> None:
        """Draw a manner; first move the hand to where it may move sideways."""
        task = self.next_task(view)
        if task is None:
            return
        self._phase = self._steps = 0
        if self._tries == _MAX_TRIES:
            self._tries = 0
        plan = PLANS[task](Manner.draw(self._rng), self.scene, view)
        self._phases = [*_clear(view, plan[0]), *plan]


def _clear(view: View, first: Phase) -> list[Phase]:
    """Phases that move the hand out of the furniture and to the start of a plan."""
    x, y, z = view.target
    goal = first.place(view)
    phases = []
    if z < _SAFE_HEIGHT - 0.04 or y > _SAFE_Y + 0.03:
        away = fixed(x, min(y, _SAFE_Y), max(z, _SAFE_HEIGHT))
        phases.append(_free("draw back", away, first))
    if abs(goal[0] - x) > 0.10:
        across = fixed(goal[0], min(goal[1], _SAFE_Y), _SAFE_HEIGHT)
        phases.append(_free("go across", across, first))
    return phases


def _free(name: str, place: Place, first: Phase) -> Phase:
    return Phase(
        name=name,
        place=place,
        euler=first.euler,
        grip=first.grip,
        over=lambda v: float(np.linalg.norm(v.tcp - place(v))) < 0.04,
        patience=90,
    )
