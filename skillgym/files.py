"""Directories and files that are either completely written or not there at all."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from skillgym.errors import CheckpointNotWritten, CorruptFile, MissingFile
from skillgym_envs.core.files import atomic_file, recover, replace_directory, sibling, sync


@contextmanager
def atomic_directory(target: Path) -> Iterator[Path]:
    """Fill a temporary directory beside `target`, then rename it to `target`.

    A process killed at any time leaves the old or the new directory; `recover` restores the old
    one if the process was killed between the two renames.

    Args:
        target: Directory to create or replace.

    Yields:
        The temporary directory to fill.

    Raises:
        CheckpointNotWritten: If writing failed; `target` is unchanged.
    """
    temporary = sibling(target, "new")
    try:
        recover(target)
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        yield temporary
        replace_directory(target, temporary)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise CheckpointNotWritten(target, error.strerror or error) from error
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file and wait until it is on the disk."""
    path.write_bytes(content)
    sync(path)


def write_json(path: Path, content: Any) -> None:
    """Write indented JSON, completely or not at all."""
    with atomic_file(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", "utf8")


def write_csv(path: Path, rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Write a table, completely or not at all; cells that a row lacks are empty."""
    with atomic_file(path) as temporary, temporary.open("w", newline="", encoding="utf8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


def read_csv(path: Path, needed: Iterable[str] = ()) -> list[dict[str, Any]]:
    """Rows of a table; none if there is no such file.

    Args:
        path: The file.
        needed: Columns that a table with rows must have.

    Raises:
        CorruptFile: If one of these is missing, or the file is no table.
    """
    if not path.exists():
        return []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:  # spreadsheets write a mark first
            rows = list(csv.DictReader(file))
    except (UnicodeDecodeError, csv.Error) as error:
        raise CorruptFile(path, error) from error
    for name in needed:
        if rows and name not in rows[0]:
            raise CorruptFile(path, f"without the column {name!r}")
    return rows


def read_json(
    path: Path,
    fields: Mapping[str, Any] | None = None,
    defaults: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Read a JSON object.

    Args:
        path: The file.
        fields: Types (as for `isinstance`) of fields that it must have.
        defaults: Values of fields that it may lack.

    Raises:
        MissingFile: If there is no such file.
        CorruptFile: If it is not a JSON object with these fields.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MissingFile(path) from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CorruptFile(path, error) from error
    if not isinstance(content, dict):
        raise CorruptFile(path, "not a JSON object")
    content = {**(defaults or {}), **content}
    for name, kind in (fields or {}).items():
        if name not in content:
            raise CorruptFile(path, f"without {name!r}")
        if not isinstance(content[name], kind):
            raise CorruptFile(path, f"its {name!r} is {content[name]!r}")
    return content


def as_read(content: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON object as `read_json` would return it after writing: tuples become lists."""
    return dict(json.loads(json.dumps(content)))
