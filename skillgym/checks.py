"""Checks of settings, beside those of `skillgym_envs.core.checks`. Imports no torch."""

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
    except (TypeError, ValueError):  # the latter for arrays
        pass
    limit = "" if below is None else f" below {below:g}"
    raise InvalidConfig(name, given, f"a positive number{limit}")


def check_arrays(observation_space: Space[Any]) -> tuple[int, ...]:
    """Shape of observations that are arrays, no dictionaries.

    Raises:
        UnsupportedSpace: If they are not.
    """
    if observation_space.shape is None:
        raise UnsupportedSpace("observation", observation_space)
    return observation_space.shape


def make_tuple(config: object, field: str) -> tuple[Any, ...]:
    """Make a field of a frozen configuration a tuple, in place of which JSON has a list.

    Raises:
        InvalidConfig: If it is a single value.
    """
    given = getattr(config, field)
    require(config, field, isinstance(given, Iterable), "several values in a tuple")
    object.__setattr__(config, field, tuple(given))
    return tuple(given)


def require(config: object, field: str, valid: bool, expected: str) -> None:
    """Check a rule that the other functions do not know, such as one about several fields.

    Raises:
        InvalidConfig: Unless `valid`.
    """
    if not valid:
        raise InvalidConfig(field, getattr(config, field), expected)


@contextmanager
def keywords_of(world: str, options: Mapping[str, Any]) -> Iterator[None]:
    """Where an environment is made whose package does not check its keywords as skillgym does.

    Args:
        world: Its id.
        options: Its keywords.

    Raises:
        InvalidConfig: In place of the TypeError for a keyword that it does not take.
    """
    try:
        yield
    except TypeError as error:
        if not options:
            raise
        raise InvalidConfig("env", options, f"keywords that {world} takes ({error})") from error
