"""`skillgym report`."""

from __future__ import annotations

from pathlib import Path

from skillgym.errors import InvalidConfig


def main(
    *,
    suite: str = "papers",
    results: Path = Path("benchmarks/results"),
    output: Path | None = None,
) -> None:
    """Draw all results of a suite: a page with tables, intervals and curves, and a CSV file.

    It reads what `skillgym bench` wrote, however much of it there is.

    Args:
        suite: Name of the suite: papers.
        results: Folder with the results of `skillgym bench`.
        output: The .html page, with the CSV file beside it; SUITE.html in the folder of the results
            by default.
    """
    output = output or results / f"{suite}.html"
    if output.suffix != ".html":
        raise InvalidConfig("output", str(output), "a file whose name ends with .html")
    from skillgym.cli.report_page import write_report

    print(write_report(suite, results, output))
    print(f"Written: {output} and {output.with_suffix('.csv')}")
