"""Skills and residuals as actions of a single environment."""

from __future__ import annotations

from os import PathLike
from typing import Any

import gymnasium as gym
import numpy as np

from skillgym.types import SkillModel
from skillgym.wrappers.common import SkillWrapper
from skillgym.wrappers.residual_control import ResidualControl
from skillgym_envs.core.errors import ResetNeeded


class ResidualActions(SkillWrapper):
    """Adds a residual to the actions of skills: two levels of control in one action.

    One `step` is one control step. An action consists of a skill and a residual. The skill is used
    when one is due, at the start of an episode and whenever the last skill is over, and is ignored
    while a skill runs. The executed action is clip(decoded action + weight * residual).

    An observation is the concatenation of

    * the environment's own observation,
    * the latent of the running skill (the skill itself, if the model has no latents),
    * the action that the skill decodes to in this state, to which the residual will be added,
    * 1 if a skill is due, else 0. Latent and decoded action are then those of the last skill, or 0
      at the start of an episode: an agent knows the skill that it chooses and can decode it
      (`skillgym.wrappers.running_skills.begin_skills`), as `skillgym.rl.ReSkill` does.

    A time limit may be inside or outside of this wrapper.

    Paper: Rana et al. 2022, "Residual Skill Policies", Sec. 4.2; arXiv:2211.02231.

    Deviation: the end of an episode ends the skill. In the authors' code it would continue.

    Args:
        env: Environment with the primitive actions that the skill model produces.
        skill_model: Name of a bundled skill model, path of a checkpoint directory, or a live model.
            With a live model the environment cannot be rebuilt from its `spec`, which is then None.
        weight_midpoint: Control steps after which the weight of residuals, which follows a logistic
            curve from 0 to 1, is 1/2; None for a weight of 1 from the start. `skillgym.rl.ReSkill`
            needs None: it weights them by its own step count, which is saved with the agent.
        weight_steepness: Steepness of that curve, per control step.

    Attributes:
        skill_model: The skill model.
        skill_name: Its name or path; None for a live model.
        residual_layout: Positions of the parts of observations and actions.
    """

    def __init__(
        self,
        env: gym.Env[Any, Any],
        skill_model: str | PathLike[str] | SkillModel,
        weight_midpoint: float | None = None,
        weight_steepness: float = 1e-3 / 15,
    ) -> None:
        super().__init__(
            env, skill_model, weight_midpoint=weight_midpoint, weight_steepness=weight_steepness
        )
        self.weight_midpoint = weight_midpoint
        spaces = env.observation_space, env.action_space
        self._control = ResidualControl(
            self.skill_model, *spaces, 1, weight_midpoint, weight_steepness
        )
        self.residual_layout = self._control.layout
        self.observation_space = self._control.observation_space
        self.action_space = self._control.action_space
        self._observation: Any = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start an episode, as the wrapped environment does."""
        observation, info = self.env.reset(seed=seed, options=options)
        self._observation = np.array(observation)[None]
        self._control.running.stop(np.ones(1, bool))
        return self._control.start(self._observation)[0], info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Run one control step.

        Args:
            action: Skill and residual, an element of the action space.

        Returns:
            What the environment returns; the observation includes the skill that ran.

        Raises:
            InvalidSkill: If the action has the wrong shape or is not finite.
            UnusableActions: If the skill model gives such an action.
        """
        if self._observation is None:
            raise ResetNeeded
        primitive = self._control.act(self._observation, [action])[0]
        observation, reward, terminated, truncated, info = self.env.step(primitive)
        self._observation = np.array(observation)[None]
        ended = np.array([terminated or truncated])
        seen = self._control.advance(self._observation, ended)[0]
        return seen, float(reward), terminated, truncated, info
