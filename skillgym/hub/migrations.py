"""Steps that convert an older `config.json` to the current format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from skillgym.errors import UnknownFormat

FORMAT = 1
"""Format number of the checkpoints that this version writes."""

MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}
"""For each older format number, the function that converts to the next; empty so far."""


def migrate(content: dict[str, Any], path: Path) -> dict[str, Any]:
    """Convert the content of a `config.json` to the current format.

    Raises:
        UnknownFormat: If the format number is missing, unknown, or newer than this version.
    """
    number = content.get("format")
    if type(number) is not int or not 1 <= number <= FORMAT:
        raise UnknownFormat(path, number, FORMAT)
    for step in range(number, FORMAT):
        content = {**MIGRATIONS[step](content), "format": step + 1}
    return content
