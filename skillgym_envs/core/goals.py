"""Goal-conditioned environments: dictionary observations and a reward that can be recomputed.

The flat observation of a world with goals ends with the blocks `achieved_goal` and `desired_goal`;
the wrappers here split it into the dictionary that is the convention of Gymnasium-Robotics and that
Stable-Baselines3's `HerReplayBuffer` expects.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import VectorWrapper
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from skillgym_envs.core.env import WorldEnv
from skillgym_envs.core.errors import SkillgymError
from skillgym_envs.core.observations import ObservationLayout
from skillgym_envs.core.vector_env import WorldVectorEnv

Floats = NDArray[np.floating[Any]]
GoalObs = dict[str, NDArray[np.float32]]


class InvalidGoal(SkillgymError, ValueError):
    """Goals do not have the size of the world's, or their numbers differ."""

    def __init__(self, achieved: Sequence[int], desired: Sequence[int], size: int) -> None:
        super().__init__(
            f"Got achieved goals of shape {tuple(achieved)} and desired goals of shape "
            f"{tuple(desired)}, expected ({size},) or (B, {size}) of both; pass the entries "
            "achieved_goal and desired_goal of observations."
        )


class GoalWorld(Protocol):
    """Additional members of a world with goals.

    Attributes:
        layout: Its last two blocks are `achieved_goal` and `desired_goal`.
        failure: Reward of a step in which the goal is not reached.
    """

    layout: ObservationLayout
    failure: float

    def reward(self, achieved: Any, desired: Any) -> Any:
        """Reward (...,) of achieved goals (..., G) and desired goals (..., G)."""


class _Goals:
    """Splits flat observations into dictionaries, and computes rewards, for one world."""

    def __init__(self, world: GoalWorld) -> None:
        achieved, desired = (world.layout.slices[f"{n}_goal"] for n in ("achieved", "desired"))
        self._world = world
        self.size = achieved.stop - achieved.start
        self._parts = {
            "observation": slice(0, achieved.start),
            "achieved_goal": achieved,
            "desired_goal": desired,
        }
        self.space = spaces.Dict(
            {
                name: spaces.Box(-np.inf, np.inf, (part.stop - part.start,), np.float32)
                for name, part in self._parts.items()
            }
        )

    def cut(self, flat: NDArray[np.float32]) -> GoalObs:
        """Dictionary (..., O), (..., G), (..., G) of flat observations (..., O + 2 G)."""
        return {name: flat[..., part].copy() for name, part in self._parts.items()}

    def reward(self, achieved: Floats, desired: Floats) -> Any:
        """Rewards (...,) as an array, or as a float for one goal.

        Raises:
            InvalidGoal: If the goals do not have the world's size, or are not equally many.
        """
        # In the precision of observations, to reproduce a step's reward exactly.
        goals = [np.asarray(goal, np.float32) for goal in (achieved, desired)]
        shapes = goals[0].shape, goals[1].shape
        if shapes[0][-1:] != (self.size,) or shapes[0] != shapes[1]:
            raise InvalidGoal(*shapes, self.size)
        reward = self._world.reward(*goals)
        return reward if np.ndim(reward) else float(reward)

    def success(self, flat: NDArray[np.float32]) -> Any:
        """Whether the goal is reached in flat observations (..., O + 2 G): flags (...,)."""
        # Not from a step's reward, which is meaningless while an environment waits or was reset.
        achieved, desired = (flat[..., self._parts[f"{n}_goal"]] for n in ("achieved", "desired"))
        return self._world.reward(achieved, desired) > self._world.failure


class GoalObservation(gym.Wrapper[Any, Any, Any, Any]):
    """An environment of a world with goals, with dictionary observations.

    `info["is_success"]` says whether the goal is reached in the observation.

    Args:
        env: The environment.
    """

    # A wrapper: if `env.unwrapped` had `compute_reward`, SB3's checker would look for it in the
    # outermost wrapper, which Gymnasium makes. If a wrapper showed it there
    # (`additional_wrappers`), the id could not have a vector entry point.

    def __init__(self, env: WorldEnv) -> None:
        super().__init__(env)
        self._goals = _Goals(env.world)  # type: ignore[arg-type]
        self.observation_space = self._goals.space

    @property
    def spec(self) -> EnvSpec | None:  # type: ignore[override]
        """Specification of the id, whose keywords already describe this wrapper."""
        return self.unwrapped.spec

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[GoalObs, dict[str, Any]]:
        """Start an episode (see `WorldEnv.reset`)."""
        flat, info = self.env.reset(seed=seed, options=options)
        return self._goals.cut(flat), info

    def step(self, action: NDArray[Any]) -> tuple[GoalObs, float, bool, bool, dict[str, Any]]:
        """Run one control step (see `WorldEnv.step`)."""
        flat, reward, terminated, truncated, info = self.env.step(action)
        info["is_success"] = bool(self._goals.success(flat))
        return self._goals.cut(flat), float(reward), terminated, truncated, info

    def compute_reward(self, achieved_goal: Floats, desired_goal: Floats, info: Any) -> Any:
        """Reward of achieved goals for desired goals; pure, for one goal or many.

        Args:
            achieved_goal: Shape (G,) or (B, G).
            desired_goal: Shape (G,) or (B, G).
            info: Not used; part of the convention.

        Returns:
            A float, or an array (B,).

        Raises:
            InvalidGoal: If the goals do not have the world's size, or are not equally many.
        """
        return self._goals.reward(achieved_goal, desired_goal)


class VectorGoalObservation(VectorWrapper):
    """The vector version of `GoalObservation`.

    Args:
        env: The vector environment.
    """

    def __init__(self, env: WorldVectorEnv) -> None:
        super().__init__(env)
        self._goals = _Goals(env.world)  # type: ignore[arg-type]
        self.single_observation_space = self._goals.space
        self.observation_space = batch_space(self._goals.space, self.num_envs)

    @property
    def layout(self) -> ObservationLayout:
        """Meaning of each dimension of the flat observation."""
        layout: ObservationLayout = self.env.unwrapped.layout  # type: ignore[attr-defined]
        return layout

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[GoalObs, dict[str, Any]]:
        """Start episodes (see `WorldVectorEnv.reset`)."""
        flat, infos = self.env.reset(seed=seed, options=options)  # type: ignore[arg-type]
        return self._goals.cut(flat), infos

    def step(
        self, actions: NDArray[Any]
    ) -> tuple[GoalObs, NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Run one control step (see `WorldVectorEnv.step`)."""
        flat, rewards, terminated, truncated, infos = self.env.step(actions)
        success = self._goals.success(flat)
        if "final_obs" in infos:
            ended = infos["_final_obs"]
            for row in np.flatnonzero(ended).tolist():
                success[row] = self._goals.success(infos["final_obs"][row])
                infos["final_obs"][row] = self._goals.cut(infos["final_obs"][row])
            infos["final_info"] |= {"is_success": success.copy(), "_is_success": ended.copy()}
        infos |= {"is_success": success, "_is_success": np.ones(self.num_envs, bool)}
        return self._goals.cut(flat), rewards, terminated, truncated, infos

    def compute_reward(self, achieved_goal: Floats, desired_goal: Floats, info: Any) -> Any:
        """Reward of achieved goals for desired goals (see `GoalObservation.compute_reward`)."""
        return self._goals.reward(achieved_goal, desired_goal)
