"""Functions and a base class that the wrappers share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from os import PathLike, fspath
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils import RecordConstructorArgs
from numpy.typing import NDArray

from skillgym.types import BoolArray, SkillModel
from skillgym.wrappers.errors import (
    InvalidSkill,
    UnusableActions,
    UnusableEnds,
    UnusableSkillModel,
)
from skillgym_envs.core.checks import check_choice, check_range

REWARDS = ("sum", "discounted")
NEEDED = ("skill_space", "max_steps", "begin", "act", "finished")
"""What wrappers use of a skill model."""


class SkillWrapper(gym.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """Base of the wrappers of a single environment: their skill model and their specification.

    Args:
        env: Environment with the primitive actions that the skill model produces.
        skill_model: Name of a bundled skill model, path of a checkpoint directory, or a live model.
        arguments: The other arguments of the wrapper's constructor.

    Attributes:
        skill_model: The skill model.
        skill_name: Its name or path; None for a live model.
    """

    def __init__(
        self,
        env: gym.Env[Any, Any],
        skill_model: str | PathLike[str] | SkillModel,
        **arguments: Any,
    ) -> None:
        gym.Wrapper.__init__(self, env)
        self.skill_model, self.skill_name = resolve_skill_model(skill_model, env)
        given = self.skill_name or self.skill_model  # a `spec` cannot hold a path
        RecordConstructorArgs.__init__(self, skill_model=given, **arguments, _disable_deepcopy=True)

    @property
    def spec(self) -> EnvSpec | None:  # type: ignore[override]
        """Specification that rebuilds this environment; None around a live skill model."""
        return None if self.skill_name is None else super().spec


def resolve_skill_model(
    skill_model: str | PathLike[str] | SkillModel, env: Any
) -> tuple[SkillModel, str | None]:
    """Load a skill model given by name or path, and check that it fits the environment.

    Args:
        skill_model: Name of a bundled model, path of a checkpoint directory, or a live model.
        env: Environment or vector environment with primitive actions.

    Returns:
        The skill model, and its name or path; None for a live model.

    Raises:
        UnusableSkillModel: If it is none of these.
        ForeignWorld: If it was made for other spaces or another world.
    """
    # Loading a model imports torch, which importing the wrappers must not do.
    from skillgym.hub import check_world, load_skill

    name = fspath(skill_model) if isinstance(skill_model, str | PathLike) else None
    model: Any = skill_model if name is None else load_skill(name)
    if missing := [name for name in NEEDED if not hasattr(model, name)]:
        raise UnusableSkillModel(model, missing)
    check_world(model, env)
    return model, name


def reward_weights(reward: str, gamma: float, max_steps: int) -> NDArray[np.float64]:
    """Weight of each control step's reward in the reward of a skill step, shape (H,).

    Args:
        reward: `"sum"` (weights 1) or `"discounted"` (weights gamma^t).
        gamma: Discount per control step.
        max_steps: Longest skill H [control steps].

    Raises:
        UnknownChoice: If `reward` is neither.
        InvalidConfig: If gamma is not from 0 to 1.
    """
    check_choice("reward", reward, REWARDS)
    check_range("gamma", gamma, 0.0, 1.0)
    return np.ones(max_steps) if reward == "sum" else gamma ** np.arange(max_steps, dtype=float)


def reset_mask(options: Mapping[str, Any] | None, num_envs: int) -> BoolArray:
    """The environments (N,) that a reset with these options resets."""
    mask: BoolArray | None = (options or {}).get("reset_mask")
    return np.ones(num_envs, bool) if mask is None else mask


def checked_skills(
    skills: Any, expected: Sequence[int], running: BoolArray | None = None
) -> NDArray[Any]:
    """Skills as an array.

    Args:
        skills: One skill, or one for each of N environments.
        expected: Their shape.
        running: The environments (N,) whose skills are used; all if None.

    Raises:
        InvalidSkill: If they have another shape, or one that is used is not finite.
    """
    try:
        array = np.asarray(skills)
        finite = np.isfinite(array)
    except (TypeError, ValueError):
        raise InvalidSkill("that is not numeric", expected) from None
    if array.shape != tuple(expected):
        raise InvalidSkill(f"of shape {array.shape}", expected)
    if not finite.all() and (running is None or not finite[running].all()):
        raise InvalidSkill("with NaN or infinity", expected)
    return array


def checked_actions(
    model: SkillModel,
    actions: Any,
    expected: Sequence[int] | None,
    running: BoolArray | None = None,
) -> Any:
    """Output of a skill model's `act`, as an array.

    Args:
        model: The skill model.
        actions: Actions of B environments.
        expected: Their shape (B, ...); None for dictionaries and tuples, which are not checked.
        running: The environments (B,) whose actions are used; all if None.

    Raises:
        UnusableActions: If they have another shape, or one that is used is not finite.
    """
    if expected is None:
        return actions
    try:
        array = np.asarray(actions)
        flat = array.ravel()
        with np.errstate(over="ignore"):
            finite = math.isfinite(flat.dot(flat))  # twice as fast as np.isfinite().all()
    except (TypeError, ValueError, RuntimeError) as error:  # RuntimeError comes from torch
        raise UnusableActions(model, f"that are not numeric ({error})", expected) from error
    if array.shape != tuple(expected):
        raise UnusableActions(model, f"of shape {array.shape}", expected)
    if not finite and not np.isfinite(array if running is None else array[running]).all():
        raise UnusableActions(model, "with NaN or infinity", expected)
    return array


def checked_ends(model: SkillModel, ends: Any, count: int) -> BoolArray:
    """Output of a skill model's `finished`, as an array.

    Args:
        model: The skill model.
        ends: Whether each of B skills is over.
        count: B.

    Raises:
        UnusableEnds: If they have another shape or are not booleans.
    """
    array: BoolArray = np.asarray(ends)
    if array.shape != (count,) or array.dtype != bool:
        raise UnusableEnds(model, f"{array.dtype} of shape {array.shape}", count)
    return array
