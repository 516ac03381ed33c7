"""Tables of long measurements: rows are printed and written when they are complete."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from skillgym.files import write_csv
from skillgym.runs.record import origin


def publish(
    rows: Iterable[Sequence[Any]], columns: Sequence[str], path: Path, **measured: Any
) -> None:
    """Print rows and write them, with machine and versions; a killed run leaves complete rows.

    Args:
        rows: Cells of each row, which are computed while iterating.
        columns: Names of the columns.
        path: Table to write.
        measured: More columns with one value, such as the seed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    print(*columns, sep=" | ")
    script = Path(sys.argv[0])
    command = shlex.join(["python", "-m", f"{script.parent.name}.{script.stem}", *sys.argv[1:]])
    measured |= {**origin(), "command": command}
    table = []
    for row in rows:
        print(*row, sep=" | ", flush=True)
        table.append(dict(zip(columns, row, strict=True)) | measured)
        write_csv(path, table, [*columns, *measured])
