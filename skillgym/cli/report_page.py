"""What `skillgym report` writes: rows of results become summaries, and summaries become a page."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from skillgym.cli.bench import check_tables
from skillgym.cli.errors import NoResults
from skillgym.cli.run_rows import read_runs
from skillgym.evaluation.benchmark import KEY, SCORES
from skillgym.evaluation.summary import (
    ORIGIN,
    Row,
    Summary,
    across_tasks,
    by_task,
    markdown,
    named_by_budget,
)
from skillgym.evaluation.tables import TABLES, Table, Task
from skillgym.files import read_csv, write_csv
from skillgym.viz import plots
from skillgym.viz.suite_report import Block, Line, Section, SuiteReport

SEEDS = 3
"""Number of seeds in a complete table."""

NOTES = (
    "Score: mean over the episodes of the final evaluation. IQM: interquartile mean over runs, "
    "which is the mean if there are fewer than four.",
    "For the score, the agent's actions are sampled where the method's authors do so; the column "
    "deterministic is the IQM of the same agents with their most likely actions.",
    "Interval: 95 % bootstrap over seeds, stratified by task (Agarwal et al. 2021, "
    "arXiv:2108.13264). A single seed has none.",
    "Only rows with the same control steps of training can be compared; runs of different length "
    "have separate rows.",
    "Curves: mean over seeds of the evaluations during training, and a band from the lowest to the "
    "highest seed.",
)
RUN = (
    *("task", "method", "seed", "subtasks", "return", "steps", "episodes"),
    *("minutes", "commit", "command"),
)


@dataclass(frozen=True)
class Results:
    """Results of a table.

    Attributes:
        name: Name of the table.
        table: The table.
        runs: Its runs.
        points: Evaluations during training.
    """

    name: str
    table: Table
    runs: Sequence[Row]
    points: Sequence[Row]

    @classmethod
    def read(cls, name: str, folder: Path) -> Results:
        """What `skillgym bench` wrote into a folder; may be nothing.

        Raises:
            CorruptFile: If a file lacks a column.
        """
        runs = read_csv(folder / f"{name}.csv", (*KEY, *SCORES, "steps", "episodes"))
        points = read_csv(folder / f"{name}_curves.csv", (*KEY, *SCORES, "step"))
        return cls(name, TABLES[name], runs, named_by_budget(points, runs))

    @cached_property
    def together(self) -> list[Summary]:
        """Summaries across tasks; their bootstraps take a while."""
        return across_tasks(self.table, self.runs)

    @cached_property
    def separate(self) -> list[Summary]:
        """Summaries of each task."""
        return by_task(self.table, self.runs)


def write_report(suite: str, folder: Path, output: Path) -> str:
    """Write page and CSV file.

    Args:
        suite: Name of the suite.
        folder: Folder of the results.
        output: Path of the page.

    Returns:
        The results of each task as a Markdown table.

    Raises:
        UnknownName: If there is no such suite.
        NoResults: If the folder holds no results.
    """
    names = check_tables((), suite)
    results = [Results.read(name, folder) for name in names]
    if not any(result.separate for result in results):
        raise NoResults(folder, names)
    return write(page(suite, results), results, output)


def write_runs_report(
    folders: Sequence[Path], score: Literal["subtasks", "return"] | None, output: Path
) -> str:
    """Write page and CSV file of run folders.

    Args:
        folders: Run folders of `skillgym train`; anything else among them is left out.
        score: What is compared, see `read_runs`.
        output: Path of the page.

    Returns:
        Which runs they are, and their results as a Markdown table.
    """
    table, runs, points = read_runs(folders, score)
    result = Results("runs", table, runs, points)
    lead = f"Complete runs: {len(runs)}."
    if others := sorted({*folders} - {run["folder"] for run in runs}):
        lead += f" Left out, not complete runs of an agent: {', '.join(map(str, others))}."
    choice = ("--score", score) if score else ()
    content = SuiteReport(
        title="skillgym: runs compared",
        lead=lead,
        notes=NOTES,
        sections=[Section(title=table.title, text="", blocks=blocks_of(result))],
        runs=[{name: run.get(name, "") for name in RUN} for run in runs],
        origins=origins(runs),
        commands=[
            shlex.join(["skillgym", "report", *map(str, folders), *choice, "--output", str(output)])
        ],
    )
    return f"{lead}\n\n{write(content, [result], output)}"


def write(page: SuiteReport, results: Sequence[Results], output: Path) -> str:
    """Write a page, and its tables as a CSV file beside it.

    Args:
        page: The page.
        results: The tables, not all empty.
        output: Path of the page.

    Returns:
        The results of each task as a Markdown table.
    """
    records = [
        {"table": result.name, **summary.record()}
        for result in results
        for summary in (*result.together, *result.separate)
    ]
    output.parent.mkdir(parents=True, exist_ok=True)
    write_csv(output.with_suffix(".csv"), records, list(records[0]))
    page.write(output)
    return markdown([summary for result in results for summary in result.separate])


def number_of_cells(runs: Sequence[Row]) -> int:
    """Number of different cells among the runs; a cell may have results for several budgets."""
    return len({(run["task"], run["method"], run["seed"]) for run in runs})


def page(suite: str, results: Sequence[Results]) -> SuiteReport:
    """The page of a suite."""
    runs = [run for result in results for run in result.runs]
    planned = sum(len(result.table.cells(range(SEEDS))) for result in results)
    return SuiteReport(
        title=f"skillgym: results of the suite “{suite}”",
        lead=f"{number_of_cells(runs)} cells are measured; the whole suite with {SEEDS} seeds has "
        f"{planned}.",
        notes=NOTES,
        sections=[section(result) for result in results],
        runs=[{name: run.get(name, "") for name in RUN} for run in runs],
        origins=origins(runs),
        commands=[
            f"skillgym bench --suite {suite}                 # what is missing",
            f"skillgym report --suite {suite}                # this page",
            f"skillgym bench --suite {suite} --only NAME     # cells whose name has NAME in it",
        ],
    )


def section(result: Results) -> Section:
    """A results table of a suite."""
    planned = len(result.table.cells(range(SEEDS)))
    text = f"{number_of_cells(result.runs)} of {planned} cells are measured."
    return Section(title=result.table.title, text=text, blocks=blocks_of(result))


def blocks_of(result: Results) -> list[Block]:
    """Blocks of a results table: first across tasks, then one per task."""
    blocks = []
    if result.together:
        blocks.append(
            Block(
                title="Several tasks together",
                text="Scores as shares of each task's best. Only rows with the same tasks can be "
                "compared.",
                lines=[line(summary, ("score",)) for summary in result.together],
            )
        )
    for task in result.table.tasks:
        if found := [summary for summary in result.separate if summary.tasks == (task.name,)]:
            blocks.append(task_block(task, found, result.points))
    return blocks


def task_block(task: Task, summaries: Sequence[Summary], points: Sequence[Row]) -> Block:
    """Table and learning curves of a task."""
    curves = plots.group_curves(points, task.name, task.score)
    label = plots.score_label(task.score, task.best)
    figure = plots.learning_curves(curves, label, limit=task.best)
    return Block(
        title=task.name,
        text=f"{' '.join((task.world, *task.options))}; score: {label}.",
        lines=[line(summary, ("task", "score")) for summary in summaries],
        plot=plots.to_svg(figure, f"{task.name}-") if curves else "",
    )


def line(summary: Summary, without: tuple[str, ...]) -> Line:
    """A line of a table, without some of its columns."""
    ends = summary.interval
    cells = {name: text for name, text in summary.cells().items() if name not in without}
    first = {"method": cells.pop("method")}
    if (best := summary.best) is None:
        return Line(cells=first | cells)
    return Line(
        cells=first | cells,
        estimate=summary.result.estimate / best,
        low=ends.low / best if ends else None,
        high=ends.high / best if ends else None,
    )


def origins(runs: Sequence[Row]) -> list[dict[str, Any]]:
    """Machines, commits and versions, with the number of runs of each."""
    counts: dict[tuple[str, ...], int] = {}
    for run in runs:
        key = tuple(run.get(name, "") for name in ORIGIN)
        counts[key] = counts.get(key, 0) + 1
    return [{"runs": count, **dict(zip(ORIGIN, key, strict=True))} for key, count in counts.items()]
