"""The staging folder: one file per finished episode, so that a killed run can continue."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np

from skillgym_envs.collect.episodes import Episode
from skillgym_envs.collect.errors import StaleEpisodes
from skillgym_envs.core.files import atomic_file

_IDENTITY = "identity.json"


class Staging:
    """A hidden folder beside the dataset that holds its finished episodes.

    Every file in it is complete: it is written under another name, then renamed.

    Args:
        path: The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def beside(cls, dataset: Path) -> Staging:
        """The staging folder of a dataset."""
        return cls(dataset.parent / f".{dataset.name}.collecting")

    def open(self, identity: dict[str, Any], resume: bool) -> None:
        """Create the folder, or continue with the episodes of an earlier run.

        Args:
            identity: Facts that earlier episodes must share.
            resume: Whether to keep earlier episodes.

        Raises:
            StaleEpisodes: If earlier episodes were collected with other settings.
        """
        if not resume:
            self.remove()
        self.path.mkdir(parents=True, exist_ok=True)
        file = self.path / _IDENTITY
        if not file.exists():
            with _written(file) as partial:
                partial.write_text(json.dumps(identity, indent=1))
        earlier = json.loads(file.read_text())
        if differing := differences(earlier, identity):
            raise StaleEpisodes(self.path, differing)
        for left_over in self.path.glob(".*.partial"):
            left_over.unlink(missing_ok=True)

    def remove(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.path, ignore_errors=True)

    def finished(self, total: int) -> list[int]:
        """Indices below `total` of the finished episodes."""
        return [index for index in range(total) if self._file(index).exists()]

    def write(self, episode: Episode) -> None:
        """Save an episode."""
        arrays: dict[str, Any] = {
            "observations": episode.observations,
            "actions": episode.actions,
            "rewards": episode.rewards,
            "terminated": np.array(episode.terminated),
            "facts": np.array(json.dumps(episode.facts)),
        }
        file = self._file(episode.facts["index"])
        with _written(file) as partial, partial.open("wb") as stream:
            np.savez(stream, **arrays)

    def read(self, index: int) -> Episode | None:
        """Load an episode; for a damaged file, delete it and return None."""
        try:
            with np.load(self._file(index), allow_pickle=False) as arrays:
                return Episode(
                    arrays["observations"],
                    arrays["actions"],
                    arrays["rewards"],
                    bool(arrays["terminated"]),
                    json.loads(str(arrays["facts"])),
                )
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            self._file(index).unlink(missing_ok=True)
            return None

    def _file(self, index: int) -> Path:
        return self.path / f"episode_{index:05d}.npz"


def _written(path: Path) -> AbstractContextManager[Path]:
    """A file that becomes `path` when it is complete, with a name that no other process uses."""
    return atomic_file(path, f"{os.getpid()}.partial")


def differences(earlier: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Facts of `now` that are different or missing in `earlier`, with both values."""
    return [
        f"{key} ({earlier.get(key)!r} there, {value!r} now)"
        for key, value in now.items()
        if earlier.get(key) != value
    ]
