"""Dataclasses and spaces as JSON, and back."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box, Discrete
from numpy.typing import NDArray

from skillgym.errors import UnknownField, UnsupportedSpace

ConfigT = TypeVar("ConfigT")


def config_from_json(config_class: type[ConfigT], content: dict[str, Any]) -> ConfigT:
    """Build a flat dataclass; fields that are absent take their defaults.

    Raises:
        UnknownField: If `content` has a field that the dataclass lacks.
        InvalidConfig: If a value is invalid (raised by the dataclass).
    """
    known = [field.name for field in dataclasses.fields(config_class)]  # type: ignore[arg-type]
    for name in content:
        if name not in known:
            raise UnknownField(name, config_class.__name__, known)
    return config_class(**content)


def space_to_json(space: gym.Space[Any]) -> dict[str, Any]:
    """Describe a Box or a Discrete space.

    Raises:
        UnsupportedSpace: For any other space.
    """
    if isinstance(space, Discrete):
        return {"type": "Discrete", "n": int(space.n), "start": int(space.start)}
    if isinstance(space, Box):
        return {
            "type": "Box",
            "shape": list(space.shape),
            "dtype": str(space.dtype),
            "low": _bound_to_json(space.low),
            "high": _bound_to_json(space.high),
        }
    raise UnsupportedSpace("skill", space)


def space_from_json(content: dict[str, Any]) -> gym.Space[Any]:
    """Inverse of `space_to_json`.

    Raises:
        KeyError, TypeError, ValueError: If the content does not describe a space.
    """
    if content["type"] == "Discrete":
        return Discrete(content["n"], start=content["start"])
    shape, dtype = tuple(content["shape"]), np.dtype(content["dtype"])
    low, high = (
        np.broadcast_to(np.asarray(content[key], dtype=float), shape) for key in ("low", "high")
    )
    return Box(low.astype(dtype), high.astype(dtype), shape, dtype.type)


def _bound_to_json(bound: NDArray[Any]) -> Any:
    """One number if all are equal, otherwise a list; infinities as text, as JSON has none."""
    values = [value if np.isfinite(value) else str(value) for value in bound.flatten().tolist()]
    return values[0] if len(set(values)) == 1 else np.reshape(values, bound.shape).tolist()
