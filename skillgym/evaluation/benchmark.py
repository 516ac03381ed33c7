"""Runs the cells of a results table in processes, and gathers what is complete."""

from __future__ import annotations

import csv
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from skillgym.evaluation.statistics import stratified_bootstrap
from skillgym.evaluation.tables import Cell
from skillgym.files import write_csv
from skillgym.pretraining.run_folder import STEP_KEY
from skillgym.runs import PACKAGES, origin


def run_cells(
    cells: Sequence[Cell], folder: Path, workers: int, minutes: float | None = None
) -> list[Cell]:
    """Run the cells that are not complete; a stopped one goes on from its checkpoint.

    Args:
        cells: The cells.
        folder: Parent of the run folders.
        workers: Cells at the same time, with one thread each.
        minutes: Time after which running cells write a checkpoint and stop; no limit if None.

    Returns:
        Cells whose process failed; their `log.txt` tells why.

    Raises:
        KeyboardInterrupt: After Ctrl-C, when the running cells have written their checkpoints.
    """
    deadline = None if minutes is None else time.monotonic() + 60.0 * minutes
    pending = [cell for cell in cells if result_of(folder / cell.name) is None]
    running: dict[Cell, subprocess.Popen[bytes]] = {}
    failed: list[Cell] = []
    complete = len(cells) - len(pending)
    with tqdm(total=len(cells), initial=complete, unit="cell") as bar:
        try:
            while pending or running:
                late = deadline is not None and time.monotonic() > deadline
                if late:
                    break
                while pending and len(running) < workers:
                    cell = pending.pop(0)
                    running[cell] = start_training(cell.command(), folder / cell.name)
                for cell in [
                    cell for cell, process in running.items() if process.poll() is not None
                ]:
                    ok = running.pop(cell).returncode == 0
                    bar.update(ok)
                    failed += [] if ok else [cell]
                bar.set_postfix_str(", ".join(cell.name for cell in running))
                time.sleep(0.2)
        finally:
            stop_trainings(running.values())
    return failed


def start_training(arguments: Sequence[str], folder: Path) -> subprocess.Popen[bytes]:
    """Start a training in a process of its own session, so that Ctrl-C reaches it through us only.

    Args:
        arguments: Arguments of `skillgym`, without the run folder.
        folder: The run folder; what the process prints goes to its `log.txt`.
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
        processes: What `start_training` gave.
    """
    processes = list(processes)
    for process in processes:
        process.send_signal(signal.SIGINT)
    for process in processes:
        process.wait()


def result_of(folder: Path) -> dict[str, Any] | None:
    """The result of a complete run, or None."""
    path = folder / "result.json"
    return json.loads(path.read_text(encoding="utf8")) if path.exists() else None


def rows(cells: Iterable[Cell], folder: Path) -> list[dict[str, Any]]:
    """A row for each complete cell: result, command, versions and machine.

    Args:
        cells: The cells.
        folder: Parent of the run folders.
    """
    table = []
    for cell in cells:
        result = result_of(folder / cell.name)
        if result is None:
            continue
        environment = json.loads((folder / cell.name / "environment.json").read_text("utf8"))
        table.append(
            {
                "task": cell.task,
                "method": cell.method,
                "seed": cell.seed,
                "steps": result["steps"],
                "subtasks": round(result["subtasks"], 4),
                "return": round(result["return"], 4),
                "episodes": result["episodes"],
                "minutes": round(result["seconds"] / 60.0, 1),
                "rates": "; ".join(f"{name} {rate:.2f}" for name, rate in result["rates"].items()),
                **origin(environment),
                "command": shlex.join(["skillgym", *cell.command()]),
            }
        )
    return table


def curves(cells: Iterable[Cell], folder: Path) -> list[dict[str, Any]]:
    """Evaluations during training of each complete cell, one row each.

    Args:
        cells: The cells.
        folder: Parent of the run folders.
    """
    return [
        {
            "task": cell.task,
            "method": cell.method,
            "seed": cell.seed,
            "step": step,
            cell.score: value,
        }
        for cell in cells
        if result_of(folder / cell.name) is not None
        for step, value in zip(*learning_curve(folder / cell.name, cell.score), strict=True)
    ]


def learning_curve(folder: Path, score: str = "subtasks") -> tuple[list[float], list[float]]:
    """Control steps and mean scores of the evaluations in a run's `metrics.csv`.

    Args:
        folder: The run folder.
        score: `"subtasks"` or `"return"`.
    """
    key = f"eval/{score}"
    with (folder / "metrics.csv").open(newline="", encoding="utf8") as file:
        found = [row for row in csv.DictReader(file) if row.get(key)]
    return [float(row[STEP_KEY]) for row in found], [float(row[key]) for row in found]


def markdown(table: Sequence[Mapping[str, Any]], score: str = "subtasks") -> str:
    """The table for people: mean over seeds with a bootstrap interval, best first within a task.

    Args:
        table: Rows as `rows` gives them.
        score: Column that is compared, `"subtasks"` or `"return"`.
    """
    groups: dict[tuple[str, str], list[float]] = {}
    for row in table:
        groups.setdefault((row["task"], row["method"]), []).append(float(row[score]))
    lines = [
        f"| task | method | {score} | 95 % interval | seeds |",
        "| --- | --- | --- | --- | --- |",
    ]
    tasks = list(dict.fromkeys(task for task, _ in groups))
    for (task, method), scores in sorted(
        groups.items(), key=lambda item: (tasks.index(item[0][0]), -np.mean(item[1]))
    ):
        interval = stratified_bootstrap(scores, np.random.default_rng(0), np.mean)
        # A single run says nothing about others.
        ends = f"{interval.low:.2f} to {interval.high:.2f}" if len(scores) > 1 else ""
        lines.append(f"| {task} | {method} | {interval.estimate:.2f} | {ends} | {len(scores)} |")
    return "\n".join([*lines, "", *provenance(table)]) + "\n"


def provenance(table: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the rows were measured with, as a Markdown list; differing values are all named."""
    values = {
        name: list(dict.fromkeys(str(row[name]) for row in table if row.get(name)))
        for name in ("steps", "episodes", "machine", "commit", "python", *PACKAGES)
    }
    names = {"steps": "control steps of training", "episodes": "episodes of the final evaluation"}
    return [
        f"* {names.get(name, name)}: {', '.join(found)}" for name, found in values.items() if found
    ]


def merge_csv(
    path: Path, table: Sequence[Mapping[str, Any]], cells: Iterable[Cell]
) -> list[dict[str, Any]]:
    """Replace the rows of some cells in a results file, so that machines and sittings share it.

    Args:
        path: The file, written completely or not at all; need not exist.
        table: New rows, with `task`, `method` and `seed`. Old rows of the same cells go, those of
            other cells stay.
        cells: All cells of the table: their order is that of the rows, and rows of others go.

    Returns:
        The rows of the file.
    """
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in table:
        groups.setdefault(_cell_key(row), []).append(dict(row))
    if path.exists():
        old: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
        with path.open(newline="", encoding="utf8") as file:
            for row in csv.DictReader(file):
                old.setdefault(_cell_key(row), []).append(row)
        groups = old | groups
    order = [(cell.task, cell.method, str(cell.seed)) for cell in cells]
    merged = [row for key in order for row in groups.get(key, [])]
    names = list(dict.fromkeys(name for row in merged for name in row))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_csv(path, merged, names)
    return merged


def _cell_key(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return row["task"], row["method"], str(row["seed"])
