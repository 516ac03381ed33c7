"""Checks of settings that several classes share."""

from __future__ import annotations

import operator
from collections.abc import Collection, Mapping, Sequence

import numpy as np
from gymnasium.vector import AutoresetMode

from skillgym_envs.core.errors import InvalidConfig, InvalidTask, UnknownChoice, UnknownTask


def check_count(name: str, given: int | None) -> None:
    """Check that a setting, if it is given, is a positive integer.

    Raises:
        InvalidConfig: If it is not.
    """
    if given is not None:
        check_integer(name, given, 1)


def check_integer(name: str, given: int, low: int, high: float = float("inf")) -> None:
    """Check that a setting is an integer from `low` to `high`; NumPy's integers count, too.

    Raises:
        InvalidConfig: If it is not.
    """
    try:
        if low <= operator.index(given) <= high and not isinstance(given, bool):
            return
    except TypeError:
        pass
    expected = f"of at least {low}" if high == float("inf") else f"from {low} to {high}"
    raise InvalidConfig(name, given, f"an integer {expected}")


def check_seed(given: int) -> None:
    """Check that a seed is one that NumPy's global generator takes, as SB3 seeds that, too.

    Raises:
        InvalidConfig: If it is not.
    """
    check_integer("seed", given, 0, 2**32 - 1)


def check_flag(name: str, given: bool) -> None:
    """Check that a setting is True or False.

    Raises:
        InvalidConfig: If it is not.
    """
    if not isinstance(given, bool | np.bool_):
        raise InvalidConfig(name, given, "True or False")


def check_range(name: str, given: float, low: float, high: float = float("inf")) -> None:
    """Check that a setting is a finite number from `low` to `high`.

    Raises:
        InvalidConfig: If it is not.
    """
    try:
        if low <= given <= high and abs(given) < float("inf"):
            return
    except (TypeError, ValueError):  # ValueError: arrays
        pass
    expected = "a finite number"
    if high < float("inf"):
        expected = f"a number from {low:g} to {high:g}"
    elif low > -float("inf"):
        expected += f" of at least {low:g}"
    raise InvalidConfig(name, given, expected)


def check_choice(name: str, given: object, known: Collection[str]) -> None:
    """Check that a setting is one of the known names.

    Raises:
        UnknownChoice: If it is not; the message names the nearest one.
    """
    if not _is_known(given, known):
        raise UnknownChoice(name, given, known)


def resolve_names(
    given: str | Sequence[str], sets: Mapping[str, tuple[str, ...]], known: Collection[str]
) -> tuple[str, ...]:
    """Names of the subtasks of a task.

    Args:
        given: Name of a set, one known name, or known names in order.
        sets: Names of each set.
        known: All names.

    Returns:
        The names, in order.

    Raises:
        UnknownTask: If a name is neither a set nor known; the message names the nearest one.
        InvalidTask: If it is not a list, is empty or has a name twice.
    """
    if isinstance(given, str):
        if given in sets:
            return sets[given]
        if given not in known:
            raise UnknownTask(given, [*sets, *known])
        return (given,)
    try:
        names = tuple(given)
    except TypeError:
        raise InvalidTask(given, "is not a list of names") from None
    for name in names:
        if not _is_known(name, known):
            raise UnknownTask(str(name), known)
    if not names:
        raise InvalidTask(given, "has no subtask")
    if len(set(names)) != len(names):
        raise InvalidTask(given, "names a subtask twice")
    return names


def _is_known(given: object, known: Collection[str]) -> bool:
    """Whether an object is a string with a known name."""
    return isinstance(given, str) and given in known


def checked_mode(
    mode: AutoresetMode | str, known: Sequence[AutoresetMode] = tuple(AutoresetMode)
) -> AutoresetMode:
    """Return an autoreset mode if it is one of the known ones.

    Raises:
        InvalidConfig: If it is not.
    """
    for one in known:
        if mode in (one, one.value):
            return one
    raise InvalidConfig("autoreset_mode", mode, f"one of {', '.join(map(str, known))}")
