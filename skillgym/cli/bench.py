"""`skillgym bench`."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from skillgym.cli.errors import CellsFailed, NoCells, UnknownName
from skillgym_envs.core.checks import check_count, check_integer, check_range

if TYPE_CHECKING:
    from skillgym.evaluation.tables import Cell, Pretrained

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

    Complete cells are skipped and interrupted ones continue, so the command can be repeated until a
    table is complete. A missing skill model is trained first, in a run folder beside those of the
    cells. `skillgym report` shows all results.

    Args:
        tables: Names of tables: kitchen, skild, reskill, worlds. All of the suite by default.
        suite: Name of the suite: papers.
        seeds: Seeds of each cell.
        only: Run only cells whose name contains one of these, for example mixed-spirl-cl.
        steps: Training budget of each cell in control steps; that of its task by default. With a
            larger one, complete cells continue.
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
    every.sort(key=lambda cell: seeds.index(cell.seed))  # all cells with one seed first
    cells = [cell for cell in every if not only or any(part in cell.name for part in only)]
    if not cells:
        raise NoCells(only, seeds, names)
    if dry_run:
        cells, models = with_models(cells, folder)
        pretrained = dict.fromkeys(models.values())
        commands = [[*one.command(), "--folder", str(folder / one.name)] for one in pretrained]
        commands += [cell.command() for cell in cells]
        print("\n".join(shlex.join(["skillgym", *command]) for command in commands))
        return
    failed: list[Cell | Pretrained] = []
    try:
        if minutes != 0:
            with locked(results, wait=True):
                for name in names:  # a cell that continues with a larger budget deletes its result
                    merge_results(name, seeds, folder, results)
            cells, models = with_models(cells, folder)
            failed = run_cells(cells, folder, workers, minutes, models)
    finally:
        with locked(results, wait=True):
            for name in names:
                write_results(name, seeds, folder, results)
    if failed:
        logs = [folder / job.name / "log.txt" for job in failed]
        raise CellsFailed(logs, last_word(logs[0]))


def last_word(log: Path) -> str:
    """The last sentence of a log of `skillgym`."""
    lines = log.read_text(encoding="utf8", errors="replace").strip().splitlines()
    return lines[-1].removeprefix("skillgym: ").rstrip(".") if lines else "no word"


def check_tables(tables: Sequence[str], suite: str) -> Sequence[str]:
    """The given tables, or those of the suite if none are given.

    Raises:
        UnknownName: If there is no such table or suite.
    """
    from skillgym.evaluation.tables import SUITES, TABLES

    for kind, given, known in (("suite", (suite,), SUITES), ("table", tables, TABLES)):
        for name in given:
            if name not in known:
                raise UnknownName(kind, name, known)
    return tables or SUITES[suite]


def with_models(cells: Sequence[Cell], folder: Path) -> tuple[list[Cell], dict[Cell, Pretrained]]:
    """The cells, with the paths of their skill models, and the models to be trained first.

    A model that is not bundled comes from an earlier `skillgym bench` in the same folder, or else
    from `skillgym pretrain`; otherwise it is trained in this folder.

    Args:
        cells: The cells.
        folder: Parent of the run folders.
    """
    from skillgym.cli.options import is_pretrained, is_trained
    from skillgym.evaluation.benchmark import is_complete
    from skillgym.evaluation.tables import Cell, Pretrained
    from skillgym.rl.presets import find_preset

    found, missing = [], dict[Cell, Pretrained]()
    for cell in cells:
        name = find_preset(cell.preset).skill_model
        if name is not None and not is_complete(cell, folder):
            model = Pretrained(name)
            run = folder / model.name
            if (run / "checkpoints").exists() or not is_pretrained(name):
                cell = replace(cell, skill_model=str(run))
                if not is_trained(run):
                    missing[cell] = model
        found.append(cell)
    return found, missing


def merge_results(
    name: str, seeds: Sequence[int], folder: Path, results: Path
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Write the complete cells to CSV files; rows of other cells in these files are kept.

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
