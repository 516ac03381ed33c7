"""What the single and the vector wrapper share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from os import PathLike, fspath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skillgym.types import SkillModel
from skillgym.wrappers.errors import (
    InvalidSkill,
    UnknownRewardOption,
    UnusableActions,
    UnusableEnds,
    UnusableSkillModel,
)
from skillgym_envs.core.checks import check_range

REWARDS = ("sum", "discounted")
NEEDED = ("skill_space", "max_steps", "begin", "act", "finished")
"""What wrappers use of a skill model."""


def named(skill_model: Any) -> Any:
    """A skill model as it was given, with a path as string, so that a `spec` can hold it."""
    return fspath(skill_model) if isinstance(skill_model, PathLike) else skill_model


def resolve_skill_model(skill_model: str | PathLike[str] | SkillModel, env: Any) -> SkillModel:
    """Load a skill model given by name or path, and check that it fits the environment.

    Args:
        skill_model: Name of a bundled model, path of a checkpoint directory, or a live model.
        env: Environment or vector environment with primitive actions.

    Returns:
        The skill model.

    Raises:
        UnusableSkillModel: If it is something else.
        ForeignWorld: If it was made for other spaces or another world.
    """
    # Loading a model imports torch, which importing the wrappers must not do.
    from skillgym.hub import check_world, load_skill

    model = named(skill_model)
    model = load_skill(model) if isinstance(model, str) else model
    if missing := [name for name in NEEDED if not hasattr(model, name)]:
        raise UnusableSkillModel(model, missing)
    check_world(model, env)
    usable: SkillModel = model
    return usable


def reward_weights(reward: str, gamma: float, max_steps: int) -> NDArray[np.float64]:
    """Weight of each control step's reward in the reward of a skill step, shape (H,).

    Args:
        reward: `"sum"` (weights 1) or `"discounted"` (weights gamma^t).
        gamma: Discount per control step.
        max_steps: Longest skill H [control steps].

    Raises:
        UnknownRewardOption: If `reward` is something else.
        InvalidConfig: If gamma is not from 0 to 1.
    """
    if reward not in REWARDS:
        raise UnknownRewardOption(reward, REWARDS)
    check_range("gamma", gamma, 0.0, 1.0)
    return np.ones(max_steps) if reward == "sum" else gamma ** np.arange(max_steps, dtype=float)


def reset_mask(options: Mapping[str, Any] | None, num_envs: int) -> NDArray[np.bool_]:
    """The environments (N,) that a reset with these options is about."""
    mask: NDArray[np.bool_] | None = (options or {}).get("reset_mask")
    return np.ones(num_envs, bool) if mask is None else mask


def checked_skills(
    skills: Any, expected: Sequence[int], running: NDArray[np.bool_] | None = None
) -> NDArray[Any]:
    """Skills as an array.

    Args:
        skills: One skill, or one for each of N environments.
        expected: Their shape.
        running: The environments (N,) whose skills count; all if None.

    Raises:
        InvalidSkill: If they have another shape, or one that counts is not finite.
    """
    try:
        array = np.asarray(skills)
        finite = np.isfinite(array)
    except (TypeError, ValueError):
        raise InvalidSkill("that is no array of numbers", expected) from None
    if array.shape != tuple(expected):
        raise InvalidSkill(f"of shape {array.shape}", expected)
    if not finite.all() and (running is None or not finite[running].all()):
        raise InvalidSkill("with NaN or infinity", expected)
    return array


def checked_actions(
    model: SkillModel,
    actions: Any,
    expected: Sequence[int] | None,
    running: NDArray[np.bool_] | None = None,
) -> Any:
    """What a skill model's `act` gave, as an array.

    Args:
        model: The skill model.
        actions: Actions of B environments.
        expected: Their shape (B, ...); None for dictionaries and tuples, which are not looked at.
        running: The environments (B,) whose actions count; all if None.

    Raises:
        UnusableActions: If they have another shape, or one that counts is not finite.
    """
    if expected is None:
        return actions
    try:
        array = np.asarray(actions)
        flat = array.ravel()
        with np.errstate(over="ignore"):
            finite = math.isfinite(flat.dot(flat))  # twice as fast as np.isfinite().all()
    except (TypeError, ValueError, RuntimeError) as error:  # the last is that of torch
        raise UnusableActions(model, f"that are no array of numbers ({error})", expected) from error
    if array.shape != tuple(expected):
        raise UnusableActions(model, f"of shape {array.shape}", expected)
    if not finite and not np.isfinite(array if running is None else array[running]).all():
        raise UnusableActions(model, "with NaN or infinity", expected)
    return array


def checked_ends(model: SkillModel, ends: Any, count: int) -> NDArray[np.bool_]:
    """What a skill model's `finished` gave, as an array.

    Args:
        model: The skill model.
        ends: Whether each of B skills is over.
        count: B.

    Raises:
        UnusableEnds: If they have another shape or are no booleans.
    """
    array: NDArray[np.bool_] = np.asarray(ends)
    if array.shape != (count,) or array.dtype != bool:
        raise UnusableEnds(model, f"{array.dtype} of shape {array.shape}", count)
    return array
