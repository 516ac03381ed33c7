"""`skillgym bench`."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from skillgym.cli.errors import CellsFailed, NoCells, UnknownName
from skillgym_envs.core.checks import check_count, check_integer, check_range

if TYPE_CHECKING:
    from skillgym.evaluation.tables import Cell

logger = logging.getLogger(__name__)

Tables = Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="[TABLE ...]")]


def main(
    tables: Tables = (),
    *,
    suite: str = "papers",
    seeds: tuple[int, ...] = (0, 1, 2),
    only: tuple[str, ...] = (),
    steps: int | None = None,
    workers: int = 2,
    minutes: float | None = None,
    folder: Path = Path("runs/bench"),
    results: Path = Path("benchmarks/results"),
    dry_run: bool = False,
) -> None:
    """Run cells (a method on a task with a seed); write their tables, curves and plots.

    Complete cells are skipped and stopped ones go on, so a table can be made in several sittings.
    `skillgym report` draws all results.

    Args:
        tables: Names of tables: kitchen, skild, reskill, worlds. All of the suite by default.
        suite: Name of the suite: papers.
        seeds: Seeds of each cell.
        only: Parts of names; cells with none of them are left out, for example mixed-spirl-cl.
        steps: Training budget of each cell in control steps; that of its task by default. A
            larger one lets complete cells go on.
        workers: Cells that run at the same time, with one thread each.
        minutes: Stop after this time; running cells write a checkpoint. 0 only writes the results.
        folder: Parent of the run folders.
        results: Folder of the results.
        dry_run: Only print the commands.
    """
    from skillgym.evaluation.benchmark import run_cells
    from skillgym.evaluation.tables import TABLES
    from skillgym.runs.lock import locked

    check_count("workers", workers)
    check_count("steps", steps)
    check_integer("seeds", min(seeds, default=0), 0)
    check_range("minutes", 0.0 if minutes is None else minutes, 0)
    names = tuple(dict.fromkeys(check_tables(tables, suite)))
    seeds = tuple(dict.fromkeys(seeds))
    every = [cell for name in names for cell in TABLES[name].cells(seeds, steps)]
    every.sort(key=lambda cell: seeds.index(cell.seed))  # one seed of everything comes first
    cells = [cell for cell in every if not only or any(part in cell.name for part in only)]
    if not cells:
        raise NoCells(only, seeds, names)
    if dry_run:
        print("\n".join(" ".join(["skillgym", *cell.command()]) for cell in cells))
        return
    failed: list[Cell] = []
    try:
        if minutes != 0:
            with locked(results, wait=True):
                for name in names:  # a cell that goes on to a larger budget deletes its result
                    merge_results(name, seeds, folder, results)
            failed = run_cells(with_models(cells, folder), folder, workers, minutes)
    finally:
        with locked(results, wait=True):
            for name in names:
                write_results(name, seeds, folder, results)
    if failed:
        raise CellsFailed([folder / cell.name / "log.txt" for cell in failed])


def check_tables(tables: Sequence[str], suite: str) -> Sequence[str]:
    """The tables themselves, or those of the suite if there are none.

    Raises:
        UnknownName: If there is no such table or suite.
    """
    from skillgym.evaluation.tables import SUITES, TABLES

    for kind, given, known in (("suite", (suite,), SUITES), ("table", tables, TABLES)):
        for name in given:
            if name not in known:
                raise UnknownName(kind, name, known)
    return tables or SUITES[suite]


def with_models(cells: Sequence[Cell], folder: Path) -> list[Cell]:
    """The cells that are complete or whose skill model is; tells what others wait for."""
    from skillgym.cli.options import is_pretrained
    from skillgym.evaluation.benchmark import is_complete
    from skillgym.rl.presets import find_preset

    ready, waiting = [], dict[str, int]()
    for cell in cells:
        name = find_preset(cell.preset).skill_model
        if name is None or is_complete(cell, folder) or is_pretrained(name):
            ready.append(cell)
        else:
            waiting[name] = waiting.get(name, 0) + 1
    if waiting:
        number = sum(waiting.values())
        print(f"{number} cells wait for skill models; `skillgym pretrain NAME` makes them:")
        print("\n".join(f"  {name} ({count} cells)" for name, count in waiting.items()))
    return ready


def merge_results(
    name: str, seeds: Sequence[int], folder: Path, results: Path
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Write CSV files from the complete cells; rows that they hold of other cells stay.

    Args:
        name: Name of the table.
        seeds: Seeds whose run folders are looked at.
        folder: Parent of the run folders.
        results: Folder of the results.

    Returns:
        Rows of the files: runs, and evaluations during training.
    """
    from skillgym.evaluation.benchmark import curves, merge_csv, rows
    from skillgym.evaluation.tables import TABLES

    table = TABLES[name]
    cells = table.cells(seeds)
    found = rows(cells, folder)
    if not found and not (results / f"{name}.csv").exists():
        return [], []
    runs = merge_csv(results / f"{name}.csv", found, table.tasks)
    points = merge_csv(results / f"{name}_curves.csv", curves(cells, folder, runs), table.tasks)
    return runs, points


def write_results(name: str, seeds: Sequence[int], folder: Path, results: Path) -> None:
    """Write CSV files, the table in Markdown and one plot per task; nothing if there are no runs.

    Args:
        name: Name of the table.
        seeds: Seeds whose run folders are looked at.
        folder: Parent of the run folders.
        results: Folder of the results.
    """
    from skillgym.evaluation.summary import by_task, markdown, named_by_budget, provenance
    from skillgym.evaluation.tables import TABLES
    from skillgym.viz import plots

    runs, points = merge_results(name, seeds, folder, results)
    if not runs:
        return
    table = TABLES[name]
    lines = [f"* {what}: {value}" for what, value in provenance(runs).items()]
    text = markdown(by_task(table, runs)) + "\n" + "\n".join(lines) + "\n"
    (results / f"{name}.md").write_text(text, encoding="utf8")
    points = named_by_budget(points, runs)
    for task in table.tasks:
        if grouped := plots.group_curves(points, task.name, task.score):
            figure = plots.learning_curves(
                grouped, plots.score_label(task.score, task.best), f"{name}, {task.name}", task.best
            )
            plots.save(figure, results / f"{name}_{task.name}")
    print(text)
