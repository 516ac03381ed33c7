"""Skills and residuals as actions of a vector environment."""

from __future__ import annotations

from os import PathLike
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from skillgym.types import BoolArray, FloatArray, SkillModel
from skillgym.wrappers.common import reset_mask, resolve_skill_model
from skillgym.wrappers.errors import WrongAutoresetMode
from skillgym.wrappers.residual_control import ResidualControl
from skillgym.wrappers.vector_infos import object_rows
from skillgym_envs.core.errors import ResetNeeded


class VectorResidualActions(VectorWrapper):
    """Adds a residual to the actions of skills: the vector version of `ResidualActions`.

    All skills are decoded in one forward pass. Environment i equals a single `ResidualActions`
    environment with the same seed (up to the float round-off of a batched forward pass). Episodes
    are reset as in the wrapped environment.

    Args:
        env: Vector environment with `autoreset_mode` NEXT_STEP or SAME_STEP.
        skill_model: Name of a bundled skill model, path of a checkpoint directory, or a live model.
        weight_midpoint: As for `ResidualActions`; control steps of all environments together.
        weight_steepness: Steepness of that curve, per control step.

    Attributes:
        skill_model: The skill model.
        skill_name: Its name or path; None for a live model.
        residual_layout: Positions of the parts of observations and actions.

    Raises:
        WrongAutoresetMode: If `env` does not reset environments by itself.
    """

    def __init__(
        self,
        env: VectorEnv[Any, Any, Any],
        skill_model: str | PathLike[str] | SkillModel,
        weight_midpoint: float | None = None,
        weight_steepness: float = 1e-3 / 15,
    ) -> None:
        super().__init__(env)
        self.autoreset_mode = env.metadata.get("autoreset_mode")
        if self.autoreset_mode not in (AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP):
            expected = AutoresetMode.SAME_STEP.name
            raise WrongAutoresetMode(type(self).__name__, self.autoreset_mode, expected)
        self.skill_model, self.skill_name = resolve_skill_model(skill_model, env)
        spaces = env.single_observation_space, env.single_action_space
        self.weight_midpoint = weight_midpoint
        self._control = ResidualControl(
            self.skill_model, *spaces, env.num_envs, weight_midpoint, weight_steepness
        )
        self.residual_layout = self._control.layout
        self.single_observation_space = self._control.observation_space
        self.single_action_space = self._control.action_space
        self.observation_space = batch_space(self.single_observation_space, env.num_envs)
        self.action_space = batch_space(self.single_action_space, env.num_envs)
        self._observation: NDArray[Any] | None = None
        self._seen: FloatArray = np.zeros(self.observation_space.shape or (), np.float32)
        self._over = np.zeros(env.num_envs, bool)  # to be reset by the next step, in NEXT_STEP

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[Any], dict[str, Any]]:
        """Start episodes in all environments, or in those of `options["reset_mask"]`."""
        mask = reset_mask(options, self.num_envs)
        observation, infos = self.env.reset(seed=seed, options=options)
        self._observation = np.array(observation)
        self._over = self._over & ~mask
        self._start(mask)
        return self._seen.copy(), infos

    def step(
        self, actions: Any
    ) -> tuple[NDArray[Any], NDArray[Any], BoolArray, BoolArray, dict[str, Any]]:
        """Run one control step in every environment.

        Args:
            actions: Skills and residuals, shape (N, S + A).

        Returns:
            What the vector environment returns; observations, also those in `final_obs`, include
            the skills that ran.

        Raises:
            InvalidSkill: If actions have the wrong shape or are not finite.
            UnusableActions: If the skill model gives such actions.
        """
        if self._observation is None:
            raise ResetNeeded
        running = ~self._over
        primitive = self._control.act(self._observation, actions, running)
        observation, rewards, terminated, truncated, infos = self.env.step(primitive)
        self._observation, ended = np.array(observation), terminated | truncated
        reached = self._observation.copy()
        started = self._over
        if self.autoreset_mode is AutoresetMode.SAME_STEP:
            started = ended
            for row in np.flatnonzero(ended).tolist():
                reached[row] = infos["final_obs"][row]
        self._seen = self._control.advance(reached, ended, running)
        if "final_obs" in infos:
            infos["final_obs"] = object_rows(self._seen.copy(), infos["_final_obs"])
        self._over = ended if self.autoreset_mode is AutoresetMode.NEXT_STEP else self._over
        self._start(started)
        return self._seen.copy(), rewards, terminated, truncated, infos

    def _start(self, rows: BoolArray) -> None:
        """Forget the skills of environments (N,) whose episodes have just started."""
        if rows.any():
            self._control.running.stop(rows)
            self._seen[rows] = self._control.start(self._observation[rows])  # type: ignore[index]
