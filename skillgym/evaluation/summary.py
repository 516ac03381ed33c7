"""Summaries of a results table: interquartile means over seeds, and over seeds and tasks.

Paper: Agarwal et al. 2021, arXiv:2108.13264.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skillgym.evaluation.statistics import Interval, iqm, stratified_bootstrap
from skillgym.evaluation.tables import Table, Task
from skillgym.markdown import table_lines
from skillgym.runs.record import PACKAGES, SEPARATOR

Row = Mapping[str, Any]
"""A run, as in the CSV file of a table."""

ORIGIN = ("machine", "commit", "python", "skillgym", *PACKAGES)


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Summary of several runs of a method.

    Attributes:
        tasks: The tasks.
        method: The method.
        score: Name of the score; `share of the best` for several tasks.
        best: The largest possible score; None if it is not known.
        seeds: Seeds; each was run on every task.
        budgets: Different numbers of control steps of training, in ascending order.
        episodes: Episodes of the final evaluations, likewise.
        result: Interquartile mean over all runs, with its 95 % bootstrap interval.
        deterministic: Interquartile mean of the same agents with their most likely actions, which
            most methods otherwise sample; None if it was not measured.
    """

    tasks: tuple[str, ...]
    method: str
    score: str
    best: float | None
    seeds: tuple[int, ...]
    budgets: tuple[int, ...]
    episodes: tuple[int, ...]
    result: Interval
    deterministic: float | None = None

    @property
    def interval(self) -> Interval | None:
        """The result, or None if there is only one seed, which has no interval."""
        return self.result if len(self.seeds) > 1 else None

    def cells(self) -> dict[str, str]:
        """The row of a printed table."""
        ends = self.interval
        of = "" if len(self.tasks) > 1 or self.best is None else f" of {self.best:g}"
        return {
            "task": ", ".join(self.tasks),
            "method": self.method,
            "score": f"{self.score}{of}",
            "IQM": f"{self.result.estimate:.2f}",
            "95 % interval": f"{ends.low:.2f} to {ends.high:.2f}" if ends else "one seed",
            "deterministic": "" if self.deterministic is None else f"{self.deterministic:.2f}",
            "control steps": ", ".join(f"{steps:,}" for steps in self.budgets),
            "seeds": str(len(self.seeds)),
            "episodes": ", ".join(map(str, self.episodes)),
        }

    def record(self) -> dict[str, Any]:
        """The row of a CSV file."""
        ends = self.interval
        return {
            "tasks": "; ".join(self.tasks),
            "method": self.method,
            "score": self.score,
            "best": "" if self.best is None else f"{self.best:g}",
            "iqm": f"{self.result.estimate:.4f}",
            "low": f"{ends.low:.4f}" if ends else "",
            "high": f"{ends.high:.4f}" if ends else "",
            "iqm_deterministic": "" if self.deterministic is None else f"{self.deterministic:.4f}",
            "seeds": "; ".join(map(str, self.seeds)),
            "budgets": "; ".join(map(str, self.budgets)),
            "episodes": "; ".join(map(str, self.episodes)),
        }


def by_task(table: Table, rows: Iterable[Row]) -> list[Summary]:
    """A summary of each task, method and budget: runs of different length are never mixed.

    Args:
        table: The table.
        rows: Its runs.

    Returns:
        In the order of the tasks, best first within a task.
    """
    tasks = {task.name: task for task in table.tasks}
    order = list(tasks)
    summaries = [
        summarise(method, {tasks[task]: runs})
        for (task, method, _), runs in _groups(rows).items()
        if task in tasks
    ]
    return sorted(summaries, key=lambda s: (order.index(s.tasks[0]), -s.result.estimate))


def across_tasks(table: Table, rows: Iterable[Row]) -> list[Summary]:
    """A summary of each method that was evaluated on several tasks.

    For each task, the budget with the most seeds is used, or the largest of several. Only seeds
    that were run on all of these tasks are used, so that all tasks have equal weight. Tasks whose
    best score is not known are left out.

    Args:
        table: The table.
        rows: Its runs.

    Returns:
        Methods on the most tasks first, then best first.
    """
    tasks = {task.name: task for task in table.tasks}
    chosen: dict[str, dict[Task, dict[int, Row]]] = {}
    groups = sorted(_groups(rows).items(), key=lambda item: (len(item[1]), item[0][2]))
    for (task, method, _), runs in groups:  # the last one of each task is kept
        if task in tasks and tasks[task].best is not None:
            chosen.setdefault(method, {})[tasks[task]] = runs
    found = []
    for method, runs_of in chosen.items():
        seeds = set.intersection(*(set(runs) for runs in runs_of.values()))
        if len(runs_of) > 1 and seeds:
            ordered = {task: runs_of[task] for task in table.tasks if task in runs_of}
            common = {task: {s: runs[s] for s in seeds} for task, runs in ordered.items()}
            found.append(summarise(method, common))
    return sorted(found, key=lambda s: (-len(s.tasks), s.tasks, -s.result.estimate))


def summarise(method: str, runs_of: Mapping[Task, Mapping[int, Row]]) -> Summary:
    """The summary of one method.

    Args:
        method: Name of the method.
        runs_of: Runs on each task by seed, with the same seeds for all tasks.
    """
    (first, *others), seeds = runs_of, sorted(next(iter(runs_of.values())))
    measured = all(
        row.get(f"{task.score}_deterministic") not in (None, "")
        for task, runs in runs_of.items()
        for row in runs.values()
    )
    every = [row for runs in runs_of.values() for row in runs.values()]
    return Summary(
        tasks=tuple(task.name for task in runs_of),
        method=method,
        score="share of the best" if others else first.score,
        best=1.0 if others else first.best,
        seeds=tuple(seeds),
        budgets=tuple(sorted({_budget(row) for row in every})),
        episodes=tuple(sorted({int(row["episodes"]) for row in every})),
        result=stratified_bootstrap(_scores(runs_of), np.random.default_rng(0)),
        deterministic=float(iqm(_scores(runs_of, "_deterministic"))) if measured else None,
    )


def _scores(runs_of: Mapping[Task, Mapping[int, Row]], suffix: str = "") -> NDArray[np.float64]:
    """Scores (seeds, tasks); of several tasks, shares of the best."""
    scores = [
        [float(runs[seed][task.score + suffix]) for seed in sorted(runs)]
        for task, runs in runs_of.items()
    ]
    # Tasks have different scores; shares of the best can be compared.
    best = [task.best or 1.0 if len(runs_of) > 1 else 1.0 for task in runs_of]
    return np.array(scores).T / best


def named_by_budget(points: Iterable[Row], rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Points of learning curves, with a name per budget for methods with several budgets.

    A run that continued to a larger budget is also part of the curve of the smaller one, up to its
    result there, so that the curve has the same seeds as the row of the table.

    Args:
        points: Evaluations during training.
        rows: The runs that they belong to.
    """
    runs: dict[tuple[str, str], dict[str, dict[int, int]]] = {}
    for row in rows:
        of_seed = runs.setdefault((row["task"], row["method"]), {})
        of_seed.setdefault(str(row["seed"]), {})[_budget(row)] = int(row["steps"])
    named = []
    for point in points:
        of_seed = runs.get((point["task"], point["method"]), {})
        budgets = {max(ends) for ends in of_seed.values()}
        if len(budgets) < 2:
            named.append(dict(point))
            continue
        ends = of_seed.get(str(point["seed"]), {})  # a row may have been deleted by hand
        named += [
            {**point, "method": with_budget(point["method"], budget)}
            for budget in sorted(budgets & set(ends))
            if float(point["step"]) <= ends[budget]
        ]
    return named


def with_budget(method: str, budget: int) -> str:
    """Name of a method's curve if it has several budgets."""
    return f"{method}, {budget:,} steps"


def markdown(summaries: Sequence[Summary]) -> str:
    """Summaries as a Markdown table."""
    rows = (summary.cells().values() for summary in summaries)
    return "\n".join(table_lines(list(summaries[0].cells()), rows)) + "\n"


def provenance(rows: Iterable[Row]) -> dict[str, str]:
    """Machines and versions of the runs; if they differ, all are named.

    Args:
        rows: Runs.
    """
    rows = list(rows)
    values = {
        name: dict.fromkeys(
            value for row in rows if row.get(name) for value in str(row[name]).split(SEPARATOR)
        )
        for name in ORIGIN
    }
    return {name: SEPARATOR.join(found) for name, found in values.items() if found}


def _groups(rows: Iterable[Row]) -> dict[tuple[str, str, int], dict[int, Row]]:
    """Runs of each task, method and budget by seed."""
    groups: dict[tuple[str, str, int], dict[int, Row]] = {}
    for row in rows:
        groups.setdefault((row["task"], row["method"], _budget(row)), {})[int(row["seed"])] = row
    return groups


def _budget(row: Row) -> int:
    return int(row.get("budget") or row["steps"])
