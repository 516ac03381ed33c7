"""Errors of the maze."""

from __future__ import annotations

from skillgym_envs.core.errors import SkillgymError


class InvalidLayout(SkillgymError, ValueError):
    """A layout is not a valid maze."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"Got a layout that {problem}; give rows of equal length of '#' (wall), 'O' (free) and "
            "at most one 'G' (goal), with walls all around, or a size of 5 or more."
        )


class InvalidPosition(SkillgymError, ValueError):
    """A start or goal touches a wall, or there is no path between them."""

    def __init__(self, what: str, given: object) -> None:
        super().__init__(
            f"Got the {what} {given!r}, which touches a wall or has no path to the other end; give "
            "(row, column) of a free cell."
        )
