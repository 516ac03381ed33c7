"""Files that are either completely written or not there at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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


def sync(path: Path) -> None:
    """Wait until a file is on the disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def sibling(target: Path, suffix: str) -> Path:
    """A hidden path beside another one."""
    target = target.absolute()  # the path `.` has no name, nor has `/`
    return target.parent / f".{target.name}.{suffix}"
