"""Skills that several environments run, each started at its own time.

Shapes: `N` environments, `O` observation, `A` action, `Z` latent.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skillgym.types import BoolArray, FloatArray, SkillModel, SkillState
from skillgym.wrappers.common import checked_actions, checked_ends


def begin_skills(
    model: SkillModel, observation: NDArray[Any], skills: NDArray[Any]
) -> tuple[SkillState, NDArray[Any]]:
    """Start one skill per row, and return what a policy should observe of it.

    Args:
        model: The skill model.
        observation: Observations (N, O).
        skills: Skills (N, ...).

    Returns:
        State of the skills, and their latents (N, Z): those of the state if it has any, else the
        skills themselves.
    """
    state = model.begin(observation, skills)
    return state, state.get("latent", skills)


class RunningSkills:
    """The skills that N environments are executing.

    Args:
        model: The skill model.
        num_envs: N.
        action_size: A.

    Attributes:
        due: Which environments (N,) need a new skill before their next control step.
        latents: Latent of the last skill of each environment, (N, Z); empty before the first.
    """

    def __init__(self, model: SkillModel, num_envs: int, action_size: int) -> None:
        self._model = model
        self._action_size = action_size
        self._state: SkillState = {}
        self._steps = np.zeros(num_envs, np.int64)
        self.due = np.ones(num_envs, bool)
        self.latents: NDArray[Any] = np.zeros((num_envs, 0), np.float32)

    def begin(self, observation: NDArray[Any], skills: NDArray[Any]) -> None:
        """Start the skills of the environments where one is due; ignore all others."""
        rows = self.due
        if not rows.any():
            return
        state, latents = begin_skills(self._model, observation[rows], skills[rows])
        if not self._state:  # the first time, all are due
            self._state = {name: np.array(value) for name, value in state.items()}
            self.latents = np.array(latents, np.float32)
        for name, value in state.items():
            self._state[name][rows] = value
        self.latents[rows] = latents
        self._steps[rows] = 0
        self.due = np.zeros_like(rows)

    def actions(self, observation: NDArray[Any], running: BoolArray) -> FloatArray:
        """Actions (N, A) of the skills; for one that is over, as if it continued.

        Args:
            observation: Observations (N, O).
            running: The environments (N,) whose actions are used.

        Raises:
            UnusableActions: If the skill model gives actions of another shape, or one that is used
                is not finite.
        """
        steps = np.minimum(self._steps, self._model.max_steps - 1)
        actions = np.empty((len(steps), self._action_size), np.float32)
        for t, rows, state in self._groups(steps):
            seen, counted = observation[rows], running[rows]
            found = self._model.act(seen, state, t)
            expected = len(seen), self._action_size
            actions[rows] = checked_actions(self._model, found, expected, counted)
        return actions

    def advance(self, observation: NDArray[Any], ended: BoolArray) -> None:
        """Count a control step; skills end by themselves or because the episode ended.

        Args:
            observation: Observations (N, O) after the control step.
            ended: Environments (N,) whose episodes ended.

        Raises:
            UnusableEnds: If the skill model's `finished` does not return one boolean per skill.
        """
        over = ended.copy()
        for t, rows, state in self._groups(self._steps):
            seen = observation[rows]
            ends = self._model.finished(seen, state, t)
            over[rows] |= checked_ends(self._model, ends, len(seen))
        self._steps += 1
        self.due = over

    def stop(self, rows: BoolArray) -> None:
        """Abandon the skills of some environments (N,)."""
        self.due = self.due | rows

    def _groups(self, steps: NDArray[np.int64]) -> Iterator[tuple[int, Any, SkillState]]:
        """Environments grouped by the age of their skills: age, rows, state of the rows."""
        times = np.unique(steps).tolist()
        if len(times) == 1:
            yield times[0], slice(None), self._state
            return
        for t in times:
            rows = steps == t
            yield t, rows, {name: value[rows] for name, value in self._state.items()}
