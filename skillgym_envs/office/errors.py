"""Errors of the office."""

from __future__ import annotations

from collections.abc import Iterable

from skillgym_envs.core.errors import SkillgymError, nearest


class UnknownObservation(SkillgymError, ValueError):
    """A kind of observation has an unknown name."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"Got the unknown office observation {name!r}; {nearest(name, known)}")
