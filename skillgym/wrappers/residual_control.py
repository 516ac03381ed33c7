"""What `ResidualActions` and its vector version share: layout, and the two levels of control.

Shapes: `N` environments, `O` observation, `A` action, `Z` latent, `S` skill.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray

from skillgym.errors import UnsupportedSpace
from skillgym.types import BoolArray, FloatArray, SkillModel
from skillgym.wrappers.common import checked_skills
from skillgym.wrappers.running_skills import RunningSkills, begin_skills
from skillgym_envs.core.checks import check_range


@dataclass(frozen=True)
class ResidualLayout:
    """Positions of the parts of observations and actions.

    Attributes:
        state: The environment's own observation, O numbers.
        latent: Latent of the running skill, Z numbers.
        decoded: Action that the skill decodes to in this state, A numbers.
        inputs: All three.
        due: Index of the flag that is 1 if a skill is due; latent and decoded action are then those
            of the last skill, or zero at the start of an episode.
        skill: The skill in an action, S numbers.
        residual: The residual in an action, A numbers.
    """

    state: slice
    latent: slice
    decoded: slice
    inputs: slice
    due: int
    skill: slice
    residual: slice

    @classmethod
    def of(cls, model: SkillModel, observation_size: int, action_size: int) -> ResidualLayout:
        """The layout for a skill model.

        Args:
            model: The skill model.
            observation_size: O.
            action_size: A.

        Raises:
            UnsupportedSpace: If skills are not a one-dimensional Box.
        """
        space = model.skill_space
        if not isinstance(space, Box) or len(space.shape) != 1:
            raise UnsupportedSpace("skill", space, advice="use SkillActions for discrete skills")
        blank = np.zeros((1, observation_size), np.float32), np.zeros((1, *space.shape), np.float32)
        size = begin_skills(model, *blank)[1].shape[1]
        ends = np.cumsum([observation_size, size, action_size]).tolist()
        skill_size = space.shape[0]
        return cls(
            state=slice(0, ends[0]),
            latent=slice(ends[0], ends[1]),
            decoded=slice(ends[1], ends[2]),
            inputs=slice(0, ends[2]),
            due=ends[2],
            skill=slice(0, skill_size),
            residual=slice(skill_size, skill_size + action_size),
        )


def logistic(steps: int, midpoint: float, steepness: float) -> float:
    """Weight of the residual after a number of control steps: 1 / (1 + exp(-k (n - C))).

    Paper: Rana et al. 2022, arXiv:2211.02231, Sec. 4.2.

    Args:
        steps: n.
        midpoint: C.
        steepness: k, per control step.
    """
    return 0.5 * (1.0 + math.tanh(0.5 * steepness * (steps - midpoint)))


class ResidualControl:
    """Skills of N environments, with residuals added to their actions.

    Args:
        model: The skill model.
        observation_space: Observations of one environment, Box (O,).
        action_space: Actions of one environment, Box (A,).
        num_envs: N.
        weight_midpoint: Control steps of all environments together after which the weight of
            residuals is 1/2; always 1 if None.
        weight_steepness: Steepness of the logistic curve, per control step.

    Attributes:
        layout: Positions of the parts of observations and actions.
        observation_space: Observations of one environment with the running skill, Box.
        action_space: Skill and residual of one environment, Box. A residual can turn any action
            into any other.
    """

    def __init__(
        self,
        model: SkillModel,
        observation_space: Any,
        action_space: Any,
        num_envs: int,
        weight_midpoint: float | None,
        weight_steepness: float,
    ) -> None:
        if weight_midpoint is not None:
            check_range("weight_midpoint", weight_midpoint, -math.inf)
        check_range("weight_steepness", weight_steepness, 0.0)
        self._curve = weight_midpoint, weight_steepness
        self._steps = 0
        for role, space in (("observation", observation_space), ("action", action_space)):
            if not isinstance(space, Box) or len(space.shape) != 1:
                raise UnsupportedSpace(role, space)
        sizes = observation_space.shape[0], action_space.shape[0]
        self.layout = ResidualLayout.of(model, *sizes)
        self.running = RunningSkills(model, num_envs, sizes[1])
        self._bounds = action_space.low, action_space.high
        low, high = self._bounds
        skills: Any = model.skill_space
        self.observation_space = Box(-np.inf, np.inf, (self.layout.due + 1,), np.float32)
        self.action_space = Box(
            np.concatenate([skills.low, low - high]).astype(np.float32),
            np.concatenate([skills.high, high - low]).astype(np.float32),
        )

    def act(
        self, observation: NDArray[Any], actions: Any, running: BoolArray | None = None
    ) -> FloatArray:
        """Primitive actions (N, A) for observations (N, O) and actions (N, S + A).

        Args:
            observation: Observations.
            actions: Skills and residuals.
            running: The environments (N,) whose actions are used; all if None.

        Raises:
            InvalidSkill: If actions have the wrong shape or are not finite numbers.
            UnusableActions: If the skill model gives such actions.
        """
        running = np.ones(len(observation), bool) if running is None else running
        expected = (len(observation), *self.action_space.shape)
        actions = checked_skills(actions, expected, running).astype(np.float32)
        self.running.begin(observation, actions[:, self.layout.skill])
        residuals = self._weight() * actions[:, self.layout.residual]
        self._steps += int(running.sum())
        primitive = self.running.actions(observation, running) + residuals
        bounded: FloatArray = np.clip(primitive, *self._bounds).astype(np.float32)
        return bounded

    def _weight(self) -> float:
        """Weight of residuals in the next control step."""
        midpoint, steepness = self._curve
        return 1.0 if midpoint is None else logistic(self._steps, midpoint, steepness)

    def advance(
        self, observation: NDArray[Any], ended: BoolArray, running: BoolArray | None = None
    ) -> FloatArray:
        """Count a control step, and return the observations after it.

        Args:
            observation: Observations (N, O) after the control step.
            ended: Environments (N,) whose episodes ended.
            running: The environments (N,) whose actions were used; all if None.

        Returns:
            Observations with the skills that ran, (N, O + Z + A + 1).

        Raises:
            UnusableActions: If the skill model gives actions of the wrong shape, or one that is not
                finite although the episode continues.
        """
        going_on = ~ended if running is None else running & ~ended
        skills, layout = self.running, self.layout
        skills.advance(observation, ended)
        seen = np.empty((len(observation), layout.due + 1), np.float32)
        seen[:, layout.state] = observation
        seen[:, layout.latent] = skills.latents
        seen[:, layout.decoded] = skills.actions(observation, going_on)
        seen[:, layout.due] = skills.due
        return seen

    def start(self, observation: NDArray[Any]) -> FloatArray:
        """Observations (N, O + Z + A + 1) of episodes that start, from observations (N, O)."""
        seen = np.zeros((len(observation), self.layout.due + 1), np.float32)
        seen[:, self.layout.state] = observation
        seen[:, self.layout.due] = 1.0
        return seen
