"""Errors of datasets, and the warning about another simulator version."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from skillgym.errors import SkillgymError, nearest


class InvalidTrajectories(SkillgymError, ValueError):
    """Arrays cannot be read as trajectories."""

    def __init__(
        self, given: str, expected: str, advice: str = "check how the data was recorded"
    ) -> None:
        super().__init__(f"Got {given}, expected {expected}; {advice}.")


class NoWindows(SkillgymError, ValueError):
    """No episode is as long as the requested window."""

    def __init__(self, horizon: int, longest: int) -> None:
        self.horizon, self.longest = horizon, longest
        super().__init__(
            f"Got a horizon of {horizon} actions, expected 1 to {longest}, the length of the "
            "longest episode; choose a shorter horizon or another dataset."
        )


class DatasetNotFound(SkillgymError, FileNotFoundError):
    """A dataset is neither in the local Minari folder nor a file."""

    def __init__(
        self, name: str, root: Path, local: Iterable[str], source: tuple[str, str] | None = None
    ) -> None:
        local = list(local)
        hint = nearest(name, local) if local else f"{root} holds no dataset."
        if source is not None:
            hint = f"`{source[0]}` gives {source[1]!r}."
        super().__init__(
            f"Got the dataset {name!r}, which is neither a file nor in {root}; "
            f"set MINARI_DATASETS_PATH if another folder has it; {hint}"
        )


class DatasetFileNotFound(SkillgymError, FileNotFoundError):
    """A dataset file does not exist."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"Got the dataset {path}, but there is no such file, expected a D4RL kitchen file; "
            f"check its name and folder ({path.parent.resolve()})."
        )


class UnreadableDataset(SkillgymError, OSError):
    """A dataset file is damaged, half written, or of an unknown format."""

    def __init__(self, path: Path | str, problem: str, remedy: str) -> None:
        super().__init__(f"Got the dataset {path}, which cannot be read ({problem}); {remedy}.")


class SimulatorVersionWarning(UserWarning):
    """A dataset was recorded with another MuJoCo version than the installed one."""


class UntrustedPickle(SkillgymError, ValueError):
    """A file can only be read by running code that it contains."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"Got {path}, which is a pickle: reading it runs any code that its author put into it; "
            "if you trust its origin, give trust=True (--trust)."
        )


class UnknownWorld(SkillgymError, ValueError):
    """No environment has the id that was given as the world of recordings."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"Got the unknown world {name!r}; {nearest(name, known)}")


class MixedTrajectories(SkillgymError, ValueError):
    """Recordings with different shapes are in one place."""

    def __init__(self, source: Path | str, found: Iterable[tuple[object, object, object]]) -> None:
        kinds = [f"observations {o}, actions {a}, images {i}" for o, a, i in found]
        super().__init__(
            f"Got {source}, whose trajectories have several shapes ({'; '.join(kinds)}), expected "
            "the same in all of them; convert each recording separately."
        )


class ForeignTrajectories(SkillgymError, ValueError):
    """Recordings do not fit the world that was given."""

    def __init__(self, found: object, expected: object) -> None:
        super().__init__(
            f"Got trajectories whose observations and actions have the shapes {found}, expected "
            f"{expected} of the world; give the world in which they were recorded."
        )
