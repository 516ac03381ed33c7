"""Skills as actions of a single environment."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from typing import Any, Literal

import gymnasium as gym
import numpy as np

from skillgym.types import SkillModel
from skillgym.wrappers.common import (
    SkillWrapper,
    checked_actions,
    checked_ends,
    checked_skills,
    reward_weights,
)
from skillgym_envs.core.errors import ResetNeeded


class SkillActions(SkillWrapper):
    """Makes the skills of a skill model the actions of an environment.

    One `step` runs one skill: up to H control steps, until the skill or the episode ends.
    `terminated` and `truncated` pass through unchanged. A time limit that counts control steps
    belongs inside this wrapper. `info` is that of the last control step, with

    * `skill_steps`: number of control steps that were run,
    * `skill_rewards`: their rewards, a tuple,
    * `skill_first_observation`: the observation after the first of them,
    * `subtasks_completed_step`: for worlds that report it, the subtasks completed during the whole
      skill.

    A transition is that of a semi-Markov decision process: (s_t, z, sum of the rewards of
    t..t+k-1, s_{t+k}).

    Deviation: the reference code of SPiRL shifts transitions by one control step, drops the reward
    of the last step before a time limit, and stores time limits as terminal states.
    `skillgym.rl.ShiftedReplayBuffer` restores all three.

    Args:
        env: Environment with the primitive actions that the skill model produces.
        skill_model: Name of a bundled skill model, path of a checkpoint directory, or a live model.
            With a live model the environment cannot be rebuilt from its `spec`, which is then None.
        reward: `"sum"` gives the undiscounted sum of the control steps' rewards (the papers),
            `"discounted"` the sum of gamma^t r_t. For the latter, discount the next value by
            gamma^skill_steps (`skillgym.rl.SkillReplayBuffer`).
        gamma: Discount per control step; used by `"discounted"` only.

    Attributes:
        skill_model: The skill model.
        skill_name: Its name or path; None for a live model.
        frame_callback: If not None, called with `env.render()` after every control step, so that a
            recorder sees more than the last frame of each skill.

    Example:
        >>> env = SkillActions(gym.make("skillgym/Kitchen-v0"), "spirl-kitchen")  # doctest: +SKIP
        >>> env.action_space  # doctest: +SKIP
        Box(-3.0, 3.0, (10,), float32)
    """

    def __init__(
        self,
        env: gym.Env[Any, Any],
        skill_model: str | PathLike[str] | SkillModel,
        reward: Literal["sum", "discounted"] = "sum",
        gamma: float = 0.99,
    ) -> None:
        super().__init__(env, skill_model, reward=reward, gamma=gamma)
        self.action_space = self.skill_model.skill_space
        self.frame_callback: Callable[[Any], None] | None = None
        self._weights = reward_weights(reward, gamma, self.skill_model.max_steps).tolist()
        shape = env.action_space.shape
        self._action_shape = None if shape is None else (1, *shape)
        self._observation: Any = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start an episode, as the wrapped environment does."""
        observation, info = self.env.reset(seed=seed, options=options)
        self._observation = np.array(observation)
        return observation, info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Run one skill.

        Args:
            action: The skill, an element of the action space.

        Returns:
            Observation after the skill, aggregated reward, terminated, truncated, info.

        Raises:
            InvalidSkill: If the skill has the wrong shape or is not finite.
            UnusableActions: If the skill model gives such an action.
            UnusableEnds: If its `finished` does not return one boolean.
        """
        if self._observation is None:
            raise ResetNeeded
        model, observation = self.skill_model, self._observation
        skill = checked_skills(action, self.action_space.shape or ())
        state = model.begin(observation[None], skill[None])
        rewards: list[float] = []
        subtasks: tuple[str, ...] = ()
        for t in range(model.max_steps):
            actions = model.act(observation[None], state, t)
            primitive = checked_actions(model, actions, self._action_shape)[0]
            observation, reward, terminated, truncated, info = self.env.step(primitive)
            if t == 0:
                first = np.array(observation)
            rewards.append(float(reward))
            subtasks += info.get("subtasks_completed_step", ())
            if self.frame_callback is not None:
                self.frame_callback(self.env.render())
            ends = checked_ends(model, model.finished(observation[None], state, t), 1)
            if terminated or truncated or ends[0]:
                break
        self._observation = np.array(observation)  # a copy, as the caller may change the original
        info = {**info, "skill_steps": len(rewards), "skill_rewards": tuple(rewards)}
        info["skill_first_observation"] = first
        if "subtasks_completed_step" in info:
            info["subtasks_completed_step"] = subtasks
        # There may be more weights than the skill had steps.
        total = sum(w * r for w, r in zip(self._weights, rewards, strict=False))
        return observation, float(total), terminated, truncated, info
