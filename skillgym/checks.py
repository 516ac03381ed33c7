"""Checks of settings, in addition to `skillgym_envs.core.checks`. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from gymnasium import Space

from skillgym.errors import InvalidConfig, UnsupportedSpace


def check_positive(name: str, given: float, below: float | None = None) -> None:
    """Check that a setting is a number above 0, and below a limit if there is one.

    Raises:
        InvalidConfig: If it is not.
    """
    try:
        if given > 0 and (below is None or given < below):
            return
    except (TypeError, ValueError):  # ValueError: arrays
        pass
    limit = "" if below is None else f" below {below:g}"
    raise InvalidConfig(name, given, f"a positive number{limit}")


def check_arrays(observation_space: Space[Any]) -> tuple[int, ...]:
    """Shape of observations that are arrays, not dictionaries.

    Raises:
        UnsupportedSpace: If they are not.
    """
    if observation_space.shape is None:
        raise UnsupportedSpace("observation", observation_space)
    return observation_space.shape


def make_tuple(config: object, field: str) -> tuple[Any, ...]:
    """Convert a field of a frozen configuration to a tuple, for which JSON has a list.

    Raises:
        InvalidConfig: If it is a single value.
    """
    given = getattr(config, field)
    require(config, field, isinstance(given, Iterable), "several values in a tuple")
    object.__setattr__(config, field, tuple(given))
    return tuple(given)


def require(config: object, field: str, valid: bool, expected: str) -> None:
    """Check a rule for which there is no other function, such as one about several fields.

    Raises:
        InvalidConfig: Unless `valid`.
    """
    if not valid:
        raise InvalidConfig(field, getattr(config, field), expected)


@contextmanager
def keywords_of(world: str, options: Mapping[str, Any]) -> Iterator[None]:
    """Context in which another package's environment is made, to explain unknown keywords.

    Args:
        world: Id of the environment.
        options: Keywords of the environment.

    Raises:
        InvalidConfig: Instead of the TypeError for a keyword that the environment does not take.
    """
    try:
        yield
    except TypeError as error:
        if not options:
            raise
        raise InvalidConfig("env", options, f"keywords that {world} takes ({error})") from error
