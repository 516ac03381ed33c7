"""Runs the cells of a results table in processes, and collects the complete ones."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from skillgym.errors import CorruptFile
from skillgym.evaluation.tables import Cell, Pretrained, Task
from skillgym.files import read_csv, read_json, write_csv
from skillgym.runs.folder import is_past, read_config, read_result
from skillgym.runs.log import STEP_KEY
from skillgym.runs.record import origin
from skillgym_envs.core.progress import progress_bar

SCORES = ("subtasks", "return")
"""Results of an evaluation that a task may use as its score."""

KEY = ("task", "method", "seed")
"""Columns that every row of the results has."""

_Key = tuple[str, str, int, int]
"""Task, method, seed and budget."""


def run_cells(
    cells: Sequence[Cell],
    folder: Path,
    workers: int,
    minutes: float | None = None,
    models: Mapping[Cell, Pretrained] | None = None,
) -> list[Cell | Pretrained]:
    """Run the cells that are not complete; stopped ones, and those of smaller budgets, continue.

    A cell whose run was stopped beyond its budget, on the way to a larger one, is skipped.

    Args:
        cells: The cells.
        folder: Parent of the run folders.
        workers: Cells that run at the same time, with one thread each.
        minutes: Time after which running cells write a checkpoint and stop; no limit if None.
        models: Skill models that are trained before the cells that need them.

    Returns:
        Cells and skill models whose process failed; their `log.txt` says why. Cells that need such
        a model are not run.

    Raises:
        KeyboardInterrupt: After Ctrl-C, when the running cells have written their checkpoints.
    """
    deadline = None if minutes is None else time.monotonic() + 60.0 * minutes
    waiting = [
        cell
        for cell in cells
        if not is_complete(cell, folder) and not is_past(folder / cell.name, cell.steps)
    ]
    models = models or {}
    # A model comes before the first cell that needs it.
    jobs = (job for cell in waiting for job in (models.get(cell), cell) if job is not None)
    pending: list[Cell | Pretrained] = list(dict.fromkeys(jobs))
    running: dict[Cell | Pretrained, subprocess.Popen[bytes]] = {}
    failed: list[Cell | Pretrained] = []
    complete = len(cells) - len(waiting)
    with progress_bar(total=len(cells), initial=complete, unit="cell") as bar:
        try:
            while pending or running:
                late = deadline is not None and time.monotonic() > deadline
                if late:
                    break
                unmade = {*pending, *running, *failed}
                ready = [
                    job
                    for job in pending
                    if isinstance(job, Pretrained) or models.get(job) not in unmade
                ]
                for job in ready[: workers - len(running)]:
                    pending.remove(job)
                    running[job] = start_training(job.command(), folder / job.name)
                if not running:  # the rest needs models that failed
                    break
                for job in [job for job, process in running.items() if process.poll() is not None]:
                    ok = running.pop(job).returncode == 0
                    bar.update(ok and isinstance(job, Cell))
                    failed += [] if ok else [job]
                bar.set_postfix_str(", ".join(job.name for job in running), refresh=False)
                bar.update(0)
                time.sleep(0.2)
        finally:
            stop_trainings(running.values())
    return failed


def start_training(arguments: Sequence[str], folder: Path) -> subprocess.Popen[bytes]:
    """Start a training in a separate session, so that Ctrl-C only reaches it through us.

    Args:
        arguments: Arguments of `skillgym`, without the run folder.
        folder: The run folder; the output of the process goes to its `log.txt`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "skillgym.cli.main", *arguments, "--folder", str(folder)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with (folder / "log.txt").open("ab") as log:
        return subprocess.Popen(
            command, stdout=log, stderr=log, env=environment, start_new_session=True
        )


def stop_trainings(processes: Iterable[subprocess.Popen[bytes]]) -> None:
    """Let processes write a checkpoint and end.

    Args:
        processes: Processes from `start_training`.
    """
    processes = list(processes)
    for process in processes:
        process.terminate()  # Ctrl-C may be ignored in a background job
    for process in processes:
        process.wait()


def is_complete(cell: Cell, folder: Path) -> bool:
    """Whether a cell has a result with at least its budget.

    Args:
        cell: The cell.
        folder: Parent of the run folders.
    """
    result = read_result(folder / cell.name)
    return result is not None and result["steps"] >= cell.steps


def rows(cells: Iterable[Cell], folder: Path) -> list[dict[str, Any]]:
    """A row for each cell with a result, whose budget, which may differ, is part of the row.

    Args:
        cells: The cells.
        folder: Parent of the run folders.
    """
    table = []
    for cell in cells:
        if (found := measured(folder / cell.name)) is not None:
            ran = replace(cell, steps=found["budget"])
            command = shlex.join(["skillgym", *ran.command()])
            table.append({**_names(cell), **found, "command": command})
    return table


def measured(folder: Path) -> dict[str, Any] | None:
    """The columns of a run besides its names and command; None if it is not complete.

    Args:
        folder: The run folder.
    """
    config, result = read_config(folder), read_result(folder)
    if config is None or result is None:
        return None
    return {
        "budget": config["steps"],
        "steps": result["steps"],
        **{
            name: round(result[name], 4)
            for score in SCORES
            for name in (score, f"{score}_deterministic")
            if result[name] is not None  # of an earlier version
        },
        "episodes": result["episodes"],
        "minutes": round(result["seconds"] / 60.0, 1),
        "rates": "; ".join(f"{name} {rate:.2f}" for name, rate in result["rates"].items()),
        **origin(read_json(folder / "environment.json", {"versions": dict})),
    }


def curves(
    cells: Iterable[Cell], folder: Path, runs: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Evaluations during training of each cell with a result, one row each.

    Args:
        cells: The cells.
        folder: Parent of the run folders.
        runs: Rows of the results file. A cell with a longer run there, made elsewhere, is left out,
            so that the curve of the longer run is kept.
    """
    longest: dict[tuple[str, str, int], int] = {}
    for row in runs:
        key = _key(row)[:3]
        longest[key] = max(int(row["steps"]), longest.get(key, 0))
    return [
        {**_names(cell), "step": step, **dict(zip(SCORES, scores, strict=True))}
        for cell in cells
        if (result := read_result(folder / cell.name)) is not None
        and result["steps"] >= longest.get(_key(_names(cell))[:3], 0)
        for step, *scores in evaluations(folder / cell.name)
    ]


def evaluations(folder: Path) -> list[tuple[float, ...]]:
    """Control steps and mean scores (`SCORES`) of the evaluations in a run's `metrics.csv`.

    Args:
        folder: The run folder.

    Raises:
        CorruptFile: If a row has something else.
    """
    path, keys = folder / "metrics.csv", [STEP_KEY, *(f"eval/{name}" for name in SCORES)]
    found = [row for row in read_csv(path) if row.get(keys[-1])]
    try:
        return [tuple(float(row[key]) for key in keys) for row in found]
    except (KeyError, TypeError, ValueError) as error:
        raise CorruptFile(path, error) from error


def merge_csv(
    path: Path, table: Sequence[Mapping[str, Any]], tasks: Iterable[Task]
) -> list[dict[str, Any]]:
    """Replace the rows of some runs in a results file, which several machines may share.

    Args:
        path: The file, written completely or not at all; need not exist.
        table: New rows, with `task`, `method`, `seed` and perhaps `budget`. Old rows with the same
            values are replaced, others are kept.
        tasks: Tasks of the table, in the order of the rows; rows of other tasks are deleted.

    Returns:
        The rows of the file.

    Raises:
        CorruptFile: If the file lacks one of these columns.
    """
    groups: dict[_Key, list[dict[str, Any]]] = {}
    for row in table:
        groups.setdefault(_key(row), []).append(dict(row))
    old: dict[_Key, list[dict[str, Any]]] = {}
    for row in read_csv(path, KEY):
        old.setdefault(_key(row), []).append(row)
    groups = old | groups
    order = [(task.name, method) for task in tasks for method in task.methods]
    keys = sorted(
        (key for key in groups if key[:2] in order), key=lambda key: (order.index(key[:2]), key[2:])
    )
    merged = [row for key in keys for row in groups[key]]
    names = list(dict.fromkeys(name for row in merged for name in row))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_csv(path, merged, names)
    return merged


def _names(cell: Cell) -> dict[str, Any]:
    return {"task": cell.task.name, "method": cell.method, "seed": cell.seed}


def _key(row: Mapping[str, Any]) -> _Key:
    return row["task"], row["method"], int(row["seed"]), int(row.get("budget") or 0)
