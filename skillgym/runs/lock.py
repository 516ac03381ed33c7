"""A lock that allows one process at a time in a run folder."""

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
    """Lock a folder against other processes that use this lock, if the file system supports it.

    The folder itself is locked, which needs no file in it. Windows and most network file systems
    have no such locks; there, it does nothing.

    Args:
        folder: The folder; created if necessary.
        wait: Whether to wait until another process has released the lock.

    Raises:
        FolderInUse: If another process holds the lock, unless `wait`.
        CheckpointNotWritten: If the folder can be neither created nor opened.
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
        except OSError:  # no locks on this file system
            pass
        yield
    finally:
        os.close(descriptor)
