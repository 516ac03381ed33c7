"""Files and directories that are either completely written or not there at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREVIOUS = "old"
"""Suffix of the hidden directory that waits while another one takes its place."""


@contextmanager
def atomic_file(target: Path, suffix: str = "new") -> Iterator[Path]:
    """Write a temporary file beside `target`, then rename it to `target`.

    Args:
        target: File to create or replace; afterwards it is flushed to disk.
        suffix: End of the temporary file's name.

    Yields:
        The temporary file to write; it is deleted if writing fails.
    """
    temporary = sibling(target, suffix)
    try:
        yield temporary
        sync(temporary)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def replace_directory(target: Path, new: Path) -> None:
    """Move a complete directory to `target`, which may exist.

    If that fails, `target` is unchanged. If the process is killed between the two renames,
    `recover` restores it.

    Args:
        target: Where the directory goes.
        new: The directory, on the same file system.
    """
    try:
        if target.exists():
            target.replace(sibling(target, PREVIOUS))
        new.replace(target)
    finally:
        recover(target)


def recover(target: Path) -> None:
    """Finish an interrupted replacement of `target`: restore or delete the old one."""
    previous = sibling(target, PREVIOUS)
    if previous.exists():
        if target.exists():
            shutil.rmtree(previous, ignore_errors=True)
        else:
            previous.replace(target)


def sync(path: Path) -> None:
    """Wait until a file is on the disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def sibling(target: Path, suffix: str) -> Path:
    """A hidden path beside another one."""
    target = target.absolute()  # the path `.` has no name, nor has `/`
    return target.parent / f".{target.name}.{suffix}"
