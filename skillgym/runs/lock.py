"""One process at a time in a run folder."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from skillgym.errors import CheckpointNotWritten, SkillgymError


class FolderInUse(SkillgymError, RuntimeError):
    """Another process works in a run folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"Got the folder {folder}, in which another process trains; wait for its end, or give "
            "another folder."
        )


@contextlib.contextmanager
def locked(folder: Path, wait: bool = False) -> Iterator[None]:
    """Keep other processes that ask for it, too, out of a folder, as far as its system can.

    The folder itself is locked, which needs no file in it. Windows and most network file systems
    have no such locks: nobody is kept out there.

    Args:
        folder: The folder; created if need be.
        wait: Wait until another process has left.

    Raises:
        FolderInUse: If another process is there, unless `wait`.
        CheckpointNotWritten: If it can be neither created nor opened.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = None if sys.platform == "win32" else os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise CheckpointNotWritten(folder, error.strerror or error) from error
    if descriptor is None:
        yield
        return
    import fcntl

    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise FolderInUse(folder) from None
        except OSError:  # no locks there
            pass
        yield
    finally:
        os.close(descriptor)
