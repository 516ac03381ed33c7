"""Errors of data collection."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from skillgym_envs.core.errors import SkillgymError, nearest


class UnknownDataset(SkillgymError, ValueError):
    """No shipped dataset has this name."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"Got the unknown dataset {name!r}; {nearest(name, known)}")


class DatasetExists(SkillgymError, FileExistsError):
    """The dataset already exists, made with other settings."""

    def __init__(self, path: Path, differing: Sequence[str]) -> None:
        super().__init__(
            f"Got {path}, which holds a dataset that differs in {', '.join(differing)}; keep it, "
            "or replace it with overwrite=True (--overwrite)."
        )


class StaleEpisodes(SkillgymError, ValueError):
    """The episodes of an unfinished run belong to another dataset."""

    def __init__(self, path: Path, differing: Sequence[str]) -> None:
        super().__init__(
            f"Got {path}, whose episodes were collected with a different {', '.join(differing)}; "
            "repeat the old settings, or discard them with resume=False (--no-resume)."
        )


class DiskFull(SkillgymError, OSError):
    """There is no space for the next episode or the final file."""

    def __init__(self, path: Path, finished: int, total: int) -> None:
        super().__init__(
            f"Got no space left on the disk of {path}, where {finished} of {total} episodes are "
            "safe; free some space and repeat the command to continue."
        )


class ExpertFailed(SkillgymError, RuntimeError):
    """The expert could not complete the plan of an episode."""

    def __init__(
        self, episode: int, plan: Sequence[str], attempts: int, last: Sequence[str]
    ) -> None:
        super().__init__(
            f"Got no success in {attempts} attempts of episode {episode}, expected "
            f"{' -> '.join(plan)} but the last one did {' -> '.join(last) or 'nothing'}; check "
            "the expert."
        )


class WorkerDied(SkillgymError, RuntimeError):
    """The system ended a worker process."""

    def __init__(self, workers: int) -> None:
        super().__init__(
            f"Got a worker process that the system ended, of {workers} workers (too little "
            "memory, or a crash of MuJoCo); repeat the same command with fewer workers to continue."
        )
