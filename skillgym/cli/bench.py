"""`skillgym bench`."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from skillgym.cli.errors import CellsFailed, UnknownName

if TYPE_CHECKING:
    from skillgym.evaluation.tables import Cell

logger = logging.getLogger(__name__)


def main(
    table: tyro.conf.Positional[str] = "kitchen",
    *,
    seeds: tuple[int, ...] = (0, 1, 2),
    only: tuple[str, ...] = (),
    steps: int = 500_000,
    workers: int = 2,
    minutes: float | None = None,
    folder: Path = Path("runs/bench"),
    results: Path = Path("benchmarks/results"),
    dry_run: bool = False,
) -> None:
    """Run the cells of a results table; write table, curves and plots of those that are complete.

    Complete cells are skipped and stopped ones go on, so a table can be made in several sittings.

    Args:
        table: Name of the table.
        seeds: Seeds of each cell.
        only: Parts of names; cells with none of them are left out, for example mixed-spirl-cl.
        steps: Training budget of each cell in control steps.
        workers: Cells that run at the same time, with one thread each.
        minutes: Stop after this time; running cells write a checkpoint. 0 only writes the results.
        folder: Parent of the run folders.
        results: Folder of the results.
        dry_run: Only print the commands.
    """
    from skillgym.evaluation.benchmark import run_cells
    from skillgym.evaluation.tables import TABLES

    if table not in TABLES:
        raise UnknownName("table", table, TABLES)
    every = TABLES[table](seeds, steps)
    cells = [cell for cell in every if not only or any(part in cell.name for part in only)]
    if dry_run:
        print("\n".join(" ".join(["skillgym", *cell.command()]) for cell in cells))
        return
    try:
        failed = run_cells(cells, folder, workers, minutes)
    finally:
        write_results(table, every, folder, results)
    if failed:
        raise CellsFailed([folder / cell.name / "log.txt" for cell in failed])


def write_results(name: str, cells: list[Cell], folder: Path, results: Path) -> None:
    """Write CSV files, the table in Markdown and one plot per task from the complete cells.

    Rows that the files hold of other cells stay.

    Args:
        name: Name of the table.
        cells: Its cells.
        folder: Parent of the run folders.
        results: Folder of the results.
    """
    from skillgym.evaluation.benchmark import curves, markdown, merge_csv, rows
    from skillgym.viz import plots

    if not (found := rows(cells, folder)):
        return
    table = merge_csv(results / f"{name}.csv", found, cells)
    points = merge_csv(results / f"{name}_curves.csv", curves(cells, folder), cells)
    score = cells[0].score
    text = markdown(table, score)
    (results / f"{name}.md").write_text(text, encoding="utf8")
    for task in dict.fromkeys(point["task"] for point in points):
        grouped = plots.group_curves(points, task, score)
        axis: dict[str, Any] = {} if score == "subtasks" else {"label": score, "limit": None}
        figure = plots.learning_curves(grouped, title=f"{name}, {task}", **axis)
        plots.save(figure, results / f"{name}_{task}")
    print(text)
