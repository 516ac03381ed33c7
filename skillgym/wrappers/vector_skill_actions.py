"""Skills as actions of a vector environment, decoded in one forward pass for all environments."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from typing import Any, Literal

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from skillgym.types import BoolArray, SkillModel
from skillgym.wrappers.common import (
    checked_actions,
    checked_ends,
    checked_skills,
    reset_mask,
    resolve_skill_model,
    reward_weights,
)
from skillgym.wrappers.errors import UnevenSkills, WrongAutoresetMode
from skillgym.wrappers.vector_infos import merge_rows, object_rows
from skillgym.wrappers.vector_skill_step import VectorSkillStep
from skillgym_envs.core.checks import checked_mode
from skillgym_envs.core.errors import ResetNeeded
from skillgym_envs.core.vector_env import WorldVectorEnv

MODES = (AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP)


class VectorSkillActions(VectorWrapper):
    """Makes skills the actions of a vector environment: the vector version of `SkillActions`.

    Every control step decodes the skills of all N environments in one forward pass. An environment
    whose episode ends during a skill waits, with its results kept, until the skill step of the
    others is over. With a `WorldVectorEnv`, environment i then equals a single `SkillActions`
    environment with the same seed (up to the float round-off of a batched forward pass). Other
    vector environments cannot wait: they meanwhile step through an episode that is discarded, so
    episodes are correct, but draw other random numbers than in a single environment.

    Infos are those of `SkillActions` in Gymnasium's vector form.

    Args:
        env: Vector environment with `autoreset_mode` DISABLED; resetting is done here, between
            skills.
        skill_model: Name of a bundled skill model, path of a checkpoint directory, or a live model.
        reward: `"sum"` or `"discounted"`, as in `SkillActions`.
        gamma: Discount per control step; used by `"discounted"` only.
        autoreset_mode: `NEXT_STEP`: the skill step after the end of an episode ignores that
            environment's skill and resets it. `SAME_STEP`: reset at once; the last observation and
            info are in `final_obs` and `final_info`.

    Attributes:
        skill_model: The skill model.
        skill_name: Its name or path; None for a live model.
        frame_callback: If not None, called with `env.render()` after every control step.

    Raises:
        WrongAutoresetMode: If `env` resets environments by itself.
        InvalidConfig: If `autoreset_mode` is neither `NEXT_STEP` nor `SAME_STEP`.
    """

    def __init__(
        self,
        env: VectorEnv[Any, Any, Any],
        skill_model: str | PathLike[str] | SkillModel,
        reward: Literal["sum", "discounted"] = "sum",
        gamma: float = 0.99,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
    ) -> None:
        super().__init__(env)
        if (inner := env.metadata.get("autoreset_mode")) is not AutoresetMode.DISABLED:
            raise WrongAutoresetMode(type(self).__name__, inner, AutoresetMode.DISABLED.name)
        self.autoreset_mode = checked_mode(autoreset_mode, MODES)
        self.metadata = {**env.metadata, "autoreset_mode": self.autoreset_mode}
        self.skill_model, self.skill_name = resolve_skill_model(skill_model, env)
        self.single_action_space = self.skill_model.skill_space
        self.action_space = batch_space(self.single_action_space, env.num_envs)
        self.frame_callback: Callable[[Any], None] | None = None
        self._weights = reward_weights(reward, gamma, self.skill_model.max_steps)
        self._waits = isinstance(env.unwrapped, WorldVectorEnv)
        self._observation: NDArray[Any] | None = None
        self._over = np.zeros(env.num_envs, bool)  # episode is over; the next step starts a new one
        self._ended = np.zeros(env.num_envs, bool)  # flags of the last control step

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[Any], dict[str, Any]]:
        """Start episodes in all environments, or in those of `options["reset_mask"]`."""
        mask = reset_mask(options, self.num_envs)
        observation, infos = self.env.reset(seed=seed, options=options)
        self._observation = np.array(observation)
        self._over, self._ended = self._over & ~mask, self._ended & ~mask
        return observation, infos

    def step(
        self, actions: Any
    ) -> tuple[NDArray[Any], NDArray[Any], BoolArray, BoolArray, dict[str, Any]]:
        """Run one skill in every environment.

        Args:
            actions: Skills, shape (N, *skill).

        Returns:
            Observations (N, O), aggregated rewards (N,), terminated (N,), truncated (N,) and infos.

        Raises:
            InvalidSkill: If skills have the wrong shape or are not finite.
            UnusableActions: If the skill model gives such actions.
            UnevenSkills: If skills end at different control steps although their episodes continue.
        """
        if self._observation is None:
            raise ResetNeeded
        idle = self._over
        skills = checked_skills(actions, self.action_space.shape or (), ~idle)
        skill_step = self._run(self._observation, skills, ~idle)
        observation, infos = skill_step.observation, skill_step.infos()
        over = skill_step.terminated | skill_step.truncated
        if self.autoreset_mode is AutoresetMode.SAME_STEP and over.any():
            final = {
                "final_obs": object_rows(observation.copy(), over),
                "_final_obs": over.copy(),
                "final_info": merge_rows({}, infos, over),
                "_final_info": over.copy(),
            }
            observation, infos = self._restart(over, observation, merge_rows({}, infos, ~over))
            infos |= final
            over = np.zeros_like(over)
        elif idle.any():  # only in NEXT_STEP
            observation, infos = self._restart(idle, observation, infos)
        self._observation, self._over = observation, over
        flags = skill_step.terminated, skill_step.truncated
        return observation.copy(), skill_step.reward, *flags, infos

    def _run(
        self, observation: NDArray[Any], skills: NDArray[Any], running: BoolArray
    ) -> VectorSkillStep:
        """Run the skills of the running environments until they end."""
        model, shape = self.skill_model, self.env.action_space.shape
        result = VectorSkillStep(observation, self._weights)
        state = model.begin(observation, skills)
        for t in range(model.max_steps):
            if not running.any():
                break
            if self._ended.any() and not self._waits:
                self.env.reset(options={"reset_mask": self._ended})
            actions = checked_actions(model, model.act(observation, state, t), shape, running)
            observation, reward, terminated, truncated, infos = self.env.step(actions)
            if self.frame_callback is not None:
                self.frame_callback(self.env.render())
            self._ended = terminated | truncated
            ends = checked_ends(model, model.finished(observation, state, t), self.num_envs)
            stopped = running & (self._ended | ends)
            result.add(t, running, observation, reward, infos)
            result.stop(stopped, terminated, truncated, infos)
            running = running & ~stopped
            if running.any() and (stopped & ~self._ended).any():
                raise UnevenSkills
        return result

    def _restart(
        self, mask: BoolArray, observation: NDArray[Any], infos: dict[str, Any]
    ) -> tuple[NDArray[Any], dict[str, Any]]:
        started, reset_infos = self.env.reset(options={"reset_mask": mask.copy()})
        self._ended = self._ended & ~mask
        chosen = mask.reshape(-1, *[1] * (observation.ndim - 1))
        return np.where(chosen, started, observation), merge_rows(infos, reset_infos, mask)
