"""Checks whether a skill model fits an environment."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.spaces import Box, Dict, Tuple, flatdim
from gymnasium.wrappers import NormalizeObservation
from gymnasium.wrappers.vector import NormalizeObservation as VectorNormalizeObservation

from skillgym.errors import ForeignWorld, NormalizedObservations, UnsupportedSpace


def check_world(model: Any, env: Any) -> None:
    """Compare spaces and world of a skill model with those of an environment.

    Args:
        model: A skill model. Attributes that it lacks (`observation_space`, `action_space`,
            `world`) are not compared, but observations must always be arrays.
        env: A `gymnasium.Env`, or a `gymnasium.vector.VectorEnv`, of which the spaces of a single
            environment are compared.

    Raises:
        ForeignWorld: At the first difference.
        UnsupportedSpace: If a space has to be flattened first.
        NormalizedObservations: If the model was trained, and a wrapper normalises observations.
    """
    for role in ("observation", "action"):
        given = getattr(env, f"single_{role}_space", None) or getattr(env, f"{role}_space")
        expected = getattr(model, f"{role}_space", None)
        if expected is None:
            if role == "observation" and isinstance(given, Dict | Tuple):
                raise UnsupportedSpace(role, given, "an array, as skill models see")
            continue
        if isinstance(expected, Box) and isinstance(given, Dict | Tuple):
            fits = flatdim(given) == flatdim(expected)
            advice = "" if fits else "give the world the keywords that the model was trained for"
            raise UnsupportedSpace(role, given, f"{expected} as in the skill model", advice)
        if given.shape != expected.shape:
            raise ForeignWorld(f"{role} shape", given.shape, expected.shape)
        if role == "action" and not _same_bounds(given, expected):
            raise ForeignWorld("action space", given, expected)
    if getattr(model, "observation_space", None) is not None and _is_normalized(env):
        given = "NormalizeObservation between the environment and its skills"
        raise NormalizedObservations(given, "normalise outside of the skills, or not at all")
    world = getattr(getattr(env.unwrapped, "world", None), "name", None)
    expected_world = getattr(model, "world", None)
    if world is not None and expected_world is not None and world != expected_world:
        raise ForeignWorld("world", repr(world), repr(expected_world))


def _is_normalized(env: Any) -> bool:
    while env is not env.unwrapped:
        if isinstance(env, NormalizeObservation | VectorNormalizeObservation):
            return True
        env = env.env
    return False


def _same_bounds(given: Any, expected: Any) -> bool:
    if not isinstance(given, Box) or not isinstance(expected, Box):
        return bool(given == expected)
    return np.allclose(given.low, expected.low) and np.allclose(given.high, expected.high)
