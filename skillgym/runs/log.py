"""The log of a run: `metrics.csv`, and `tb/` for TensorBoard."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from numbers import Real
from pathlib import Path
from typing import Any

from stable_baselines3.common.logger import KVWriter, Logger, TensorBoardOutputFormat

from skillgym.errors import CheckpointNotWritten
from skillgym.files import read_csv, write_csv

STEP_KEY = "time/step"
"""Column with the gradient or control steps."""


class CsvWriter(KVWriter):
    """Writes `metrics.csv`, and continues it when a run is resumed.

    A new column rewrites the file through a temporary sibling, so a kill never damages it.

    Args:
        path: The file.
        last_step: Rows after this step are dropped, since a resumed run writes them again.
    """

    def __init__(self, path: Path, last_step: int = 0) -> None:
        self._path = path
        self._rows: list[dict[str, Any]] = []
        self._columns: list[str] = []
        if rows := [row for row in read_csv(path) if _is_before(row, last_step)]:
            self._rows, self._columns = rows, list(rows[0])
        self._rewrite()

    def write(
        self,
        key_values: dict[str, Any],
        key_excluded: dict[str, tuple[str, ...]],
        step: int = 0,
    ) -> None:
        """Append one row."""
        row = {key: value for key, value in key_values.items() if isinstance(value, Real)}
        self._rows.append(row)
        new = sorted(row.keys() - set(self._columns))
        self._columns += new
        try:
            if new:
                self._rewrite()
            else:
                with self._path.open("a", newline="", encoding="utf-8") as file:
                    csv.DictWriter(file, self._columns).writerow(row)
        except OSError as error:
            raise CheckpointNotWritten(self._path, error.strerror or error) from error

    def close(self) -> None:
        """Nothing is kept open."""

    def _rewrite(self) -> None:
        write_csv(self._path, self._rows, self._columns)


def run_logger(folder: Path, last_step: int = 0) -> Logger:
    """An SB3 logger that writes `metrics.csv` and, if tensorboard is installed, `tb/`.

    Args:
        folder: The run folder.
        last_step: Step from which the run is resumed; later rows of `metrics.csv` are dropped.
    """
    writers: list[KVWriter] = [CsvWriter(folder / "metrics.csv", last_step)]
    try:
        writers.append(TensorBoardOutputFormat(str(folder / "tb")))
    except (ImportError, AssertionError):  # SB3 asserts that tensorboard is installed
        pass
    return Logger(str(folder), writers)


def _is_before(row: Mapping[str, Any], last_step: int) -> bool:
    """Whether a row is complete and not after the step."""
    try:
        return None not in row and None not in row.values() and float(row[STEP_KEY]) <= last_step
    except (KeyError, TypeError, ValueError):
        return False
