"""Steps that bring an older `config.json` to the present format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from skillgym.errors import UnknownFormat

FORMAT = 1
"""Format number of the checkpoints that this version writes."""

MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}
"""From a format number to the pure function that makes the next one; empty with one format."""


def migrate(content: dict[str, Any], path: Path) -> dict[str, Any]:
    """Bring the content of a `config.json` to the present format.

    Raises:
        UnknownFormat: If the format number is missing, unknown, or newer than this version.
    """
    number = content.get("format")
    if type(number) is not int or not 1 <= number <= FORMAT:
        raise UnknownFormat(path, number, FORMAT)
    for step in range(number, FORMAT):
        content = {**MIGRATIONS[step](content), "format": step + 1}
    return content
