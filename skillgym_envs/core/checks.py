"""Checks of settings that several classes share."""

from __future__ import annotations

from collections.abc import Sequence

from gymnasium.vector import AutoresetMode

from skillgym_envs.core.errors import InvalidConfig


def check_count(name: str, given: int | None) -> None:
    """Check that a setting, if it is given, is a positive integer.

    Raises:
        InvalidConfig: If it is not.
    """
    if given is None:
        return
    try:
        if range(given) and not isinstance(given, bool):  # takes NumPy's integers, too
            return
    except TypeError:
        pass
    raise InvalidConfig(name, given, "an integer of at least 1")


def check_range(name: str, given: float, low: float, high: float = float("inf")) -> None:
    """Check that a setting is a number from `low` to `high`.

    Raises:
        InvalidConfig: If it is not.
    """
    try:
        if low <= given <= high:
            return
    except TypeError:
        pass
    expected = f"at least {low:g}" if high == float("inf") else f"from {low:g} to {high:g}"
    raise InvalidConfig(name, given, f"a number {expected}")


def checked_mode(
    mode: AutoresetMode | str, known: Sequence[AutoresetMode] = tuple(AutoresetMode)
) -> AutoresetMode:
    """The autoreset mode itself, if it is one of the known ones.

    Raises:
        InvalidConfig: If it is not.
    """
    for one in known:
        if mode in (one, one.value):
            return one
    raise InvalidConfig("autoreset_mode", mode, f"one of {', '.join(map(str, known))}")
