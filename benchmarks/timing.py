"""Comparison of speeds on a machine that is never quite idle, and tables of the results."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.progressive import publish
from skillgym.markdown import table_lines
from skillgym.runs.record import environment_record

COLUMNS = ("what", "ours", "reference", "against", "unit", "ratio", "target", "reached")


@dataclass(frozen=True)
class Row:
    """One measured line of the table.

    Attributes:
        what: Description of the measurement.
        ours: Our number, the median over the pieces.
        unit: Unit.
        target: Target, for example `>= 0.95`; empty if there is none.
        reference: The number with which it is compared, if any.
        against: Description of the reference.
        ratio: Median of the ratios ours / reference of pieces of work that are adjacent in time.
    """

    what: str
    ours: float
    unit: str
    target: str = ""
    reference: float | None = None
    against: str = ""
    ratio: float | None = None

    @property
    def reached(self) -> str:
        """`yes` or `no`; empty without a target."""
        if not self.target:
            return ""
        relation, bound = self.target.split()
        value = self.ours if self.ratio is None else self.ratio
        fits = value >= float(bound) if relation == ">=" else value <= float(bound)
        return "yes" if fits else "no"

    def cells(self) -> list[str]:
        """The line of the table, in the order of `COLUMNS`."""
        reference = "" if self.reference is None else f"{self.reference:.4g}"
        ratio = "" if self.ratio is None else f"{self.ratio:.3f}"
        return [
            self.what,
            f"{self.ours:.4g}",
            reference,
            self.against,
            self.unit,
            ratio,
            self.target,
            self.reached,
        ]


Program = Callable[[], Iterator[int]]
"""Prepares a run, yields 0, then does a piece of work and yields its size, again and again."""


def interleaved(programs: Mapping[str, Program], repeats: int) -> dict[str, list[float]]:
    """Speeds of several programs, which take turns piece by piece, under the same conditions.

    Args:
        programs: Programs with pieces of the same work.
        repeats: Runs that count, after one that does not.

    Returns:
        Speeds of each program [work/s], one per piece.
    """
    speeds: dict[str, list[float]] = {name: [] for name in programs}
    for repeat in range(-1, repeats):
        runs = {name: program() for name, program in programs.items()}
        for run in runs.values():
            next(run)
        going = True
        forward = True
        while going:
            for name in list(runs)[:: 1 if forward else -1]:
                begin = time.perf_counter()
                work = next(runs[name], None)
                seconds = time.perf_counter() - begin
                if work is None:
                    going = False
                elif repeat >= 0:
                    speeds[name].append(work / seconds)
            forward = not forward
    return speeds


def compare(
    what: str,
    speeds: Mapping[str, list[float]],
    ours: str,
    reference: str,
    unit: str,
    target: str = "",
) -> Row:
    """The row of one program against another of `interleaved`."""
    pairs = zip(speeds[ours], speeds[reference], strict=True)
    return Row(
        what=what,
        ours=statistics.median(speeds[ours]),
        unit=unit,
        target=target,
        reference=statistics.median(speeds[reference]),
        against=reference,
        ratio=statistics.median(one / other for one, other in pairs),
    )


def write(rows: list[Row], folder: Path, command: str) -> Path:
    """Write `throughput.csv` and `throughput.md`.

    Args:
        rows: The rows.
        folder: Folder of the results.
        command: The command that reproduces them.

    Returns:
        Path of the Markdown file.
    """
    record = environment_record()
    publish((row.cells() for row in rows), COLUMNS, folder / "throughput.csv")
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    lines = [
        "# Throughput",
        "",
        "Speeds side by side in one run, piece by piece in turns: medians over the pieces, and the "
        "median of the ratios of pieces that are neighbours in time.",
        "",
        *table_lines(COLUMNS, (row.cells() for row in rows)),
        "",
        f"* Command: `{command}`",
        f"* Machine: {record['machine']}",
        f"* Versions: {versions}",
        f"* Commit: {record['git_commit']}",
        "",
    ]
    path = folder / "throughput.md"
    path.write_text("\n".join(lines))
    return path
