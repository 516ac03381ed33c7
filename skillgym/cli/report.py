"""`skillgym report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import tyro

from skillgym.errors import InvalidConfig

Runs = Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="[RUN ...]")]


def main(
    runs: Runs = (),
    *,
    score: Literal["subtasks", "return"] | None = None,
    suite: str = "papers",
    results: Path = Path("benchmarks/results"),
    output: Path | None = None,
) -> None:
    """Show results: a page with tables, intervals and curves, and a CSV file beside it.

    If run folders are given, it shows these; runs that differ only in their seed share a row.
    Otherwise it shows all results of a suite that `skillgym bench` has written so far.

    Args:
        runs: Run folders of `skillgym train`, for example runs/*; incomplete runs and anything else
            are left out.
        score: What is compared in run folders; by default subtasks in the worlds of skillgym, the
            return elsewhere.
        suite: Name of the suite: papers.
        results: Folder with the results of `skillgym bench`.
        output: The .html page; runs/report.html, or SUITE.html in the folder of the results by
            default.
    """
    if score is not None and not runs:
        raise InvalidConfig("score", score, "None, as a suite has its own score for each task")
    output = output or (Path("runs/report.html") if runs else results / f"{suite}.html")
    if output.suffix != ".html":
        raise InvalidConfig("output", str(output), "a file whose name ends with .html")
    table = output.with_suffix(".csv")
    if table.is_file() and not table.read_bytes().startswith(b"table,"):
        expected = f"a page that has no other {table.name} beside it, which would be replaced"
        raise InvalidConfig("output", str(output), expected)
    from skillgym.cli.report_page import write_report, write_runs_report

    print(write_runs_report(runs, score, output) if runs else write_report(suite, results, output))
    print(f"Written: {output} and {table}")
