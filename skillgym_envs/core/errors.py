"""Exceptions of the worlds: each composes a sentence of what was given and what was expected."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from typing import Any

_LISTED, _CLOSE = 10, 0.6


def nearest(name: str, known: Iterable[str], command: str = "") -> str:
    """Phrase for an unknown name that lists known names, at most ten.

    Args:
        name: The unknown name.
        known: The known names; if one of them is similar, the nearest come first.
        command: Command that lists all known names.
    """
    options = sorted(known)
    ranked = sorted(options, key=lambda option: _likeness(name, option), reverse=True)
    hint = "known"
    if ranked and _likeness(name, ranked[0]) >= _CLOSE:
        hint, options = f"did you mean {ranked[0]!r}? Known", ranked
    listed, more = ", ".join(map(repr, options[:_LISTED])) or "none", len(options) - _LISTED
    if more > 0:
        listed += f" and {more} more" + (f", which `{command}` lists" if command else "")
    return f"{hint}: {listed}."


def _likeness(name: str, option: str) -> float:
    """Similarity from 0 to 1, or more if only the namespace of the option is missing."""
    if option.rpartition("/")[2] == name:
        return 2.0
    return SequenceMatcher(None, option, name).ratio()


class SkillgymError(Exception):
    """Base of every error that skillgym raises for a user's mistake or a broken file."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Constructors take facts, not the message; errors are pickled in worker processes.
        return _restore, (type(self), self.args)


def _restore(kind: type[SkillgymError], args: tuple[Any, ...]) -> SkillgymError:
    """Rebuild an error from its message."""
    error = kind.__new__(kind, *args)
    error.args = args
    return error


class InvalidConfig(SkillgymError, ValueError):
    """A setting has an invalid value."""

    def __init__(self, field: str, given: object, expected: str) -> None:
        super().__init__(f"Got {field}={given!r}, expected {expected}; change this value.")


class UnknownChoice(InvalidConfig):
    """A setting is none of the known names."""

    def __init__(self, field: str, given: object, known: Iterable[str]) -> None:
        SkillgymError.__init__(self, f"Got {field}={given!r}; {nearest(str(given), known)}")


class InvalidAction(SkillgymError, ValueError):
    """An action has the wrong shape or is not finite."""

    def __init__(self, problem: str, expected_shape: Sequence[int]) -> None:
        super().__init__(
            f"Got an action {problem}, expected finite numbers of shape {tuple(expected_shape)}; "
            "check the policy that produced it."
        )


class UnknownTask(SkillgymError, ValueError):
    """A task set or a subtask has an unknown name."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"Got the unknown task {name!r}; {nearest(name, known)}")


class InvalidTask(SkillgymError, ValueError):
    """A list of subtasks is not a valid task."""

    def __init__(self, given: object, problem: str) -> None:
        super().__init__(f"Got the task {given!r}, which {problem}; give each subtask once.")


class SimulationDiverged(UserWarning):
    """MuJoCo found a state that is not finite or too large."""

    def __init__(self, world: str, rows: Sequence[int], reward: float) -> None:
        super().__init__(
            f"The simulation of the {world} became unstable in environment {list(rows)}, so the "
            f"episode ended there with reward {reward:g}; look at the states or actions that led "
            "to it."
        )


class ResetNeeded(SkillgymError, RuntimeError):
    """An environment was stepped before its first reset."""

    def __init__(self) -> None:
        super().__init__("Got a call of step before the first reset; call reset() first.")


class UnknownResetOption(UserWarning):
    """An option of `reset` is none of the world's and has no effect."""

    def __init__(self, name: str, world: str, known: Iterable[str]) -> None:
        super().__init__(
            f"Got the option {name!r} of reset, which has no effect in the {world}; "
            f"{nearest(name, known)}"
        )


class InvalidResetMask(SkillgymError, ValueError):
    """A partial reset has a mask of the wrong shape or type."""

    def __init__(self, given: object, num_envs: int) -> None:
        super().__init__(
            f"Got the reset mask {given!r}, expected a boolean array of shape ({num_envs},) "
            "with at least one True; pass it as options={'reset_mask': mask}."
        )


class EnvironmentClosed(SkillgymError, RuntimeError):
    """An environment was used after `close`."""

    def __init__(self) -> None:
        super().__init__("Got a call on a closed environment; create a new one.")


class WrongSeedCount(SkillgymError, ValueError):
    """The seeds of a vector environment are neither one integer nor one for each environment."""

    def __init__(self, given: object, num_envs: int) -> None:
        super().__init__(
            f"Got the seed {given!r} for {num_envs} environments, expected one integer or a list "
            "with one for each environment."
        )


class UnknownKeyword(SkillgymError, ValueError):
    """An object was given a keyword that it does not have.

    Not a `TypeError`, because Gymnasium re-raises those as new errors.
    """

    def __init__(self, owner: str, name: str, known: Iterable[str]) -> None:
        self.facts = owner, name, tuple(known)
        super().__init__(f"Got the unknown keyword {name!r} for {owner}; {nearest(name, known)}")

    def with_known(self, names: Iterable[str]) -> UnknownKeyword:
        """The same error for an object with more known keywords."""
        owner, name, known = self.facts
        return UnknownKeyword(owner, name, [*known, *names])
