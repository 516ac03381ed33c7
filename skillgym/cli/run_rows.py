"""Turns any run folders into a results table, like the cells of a benchmark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from skillgym.cli.errors import NoRun, NothingComplete, SameRun
from skillgym.evaluation.benchmark import SCORES, evaluations, measured
from skillgym.evaluation.summary import with_budget
from skillgym.evaluation.tables import Table, Task
from skillgym.runs.folder import read_config

SETTINGS = {"skill_model": None, "num_envs": 1}
"""Fields of a configuration, besides the agent's keywords, that distinguish methods, and their
defaults."""


def read_runs(
    folders: Sequence[Path], score: Literal["subtasks", "return"] | None = None
) -> tuple[Table, list[dict[str, Any]], list[dict[str, Any]]]:
    """The complete runs among some folders.

    A task is a world with its keywords. A method is a preset; if runs of one preset differ in
    their settings, these are part of the method's name.

    Args:
        folders: Run folders of `skillgym train`; anything else among them is left out.
        score: What is compared; subtasks in the worlds of skillgym and the return elsewhere if
            None.

    Returns:
        The table, its runs, and their evaluations during training. In the latter, a method whose
        runs have different budgets has a name for each budget.

    Raises:
        NoRun: If there is no such folder.
        SameRun: If two runs do not differ.
        NothingComplete: If no run is complete.
    """
    for folder in folders:
        if not folder.exists():
            raise NoRun(folder, "a result.json")
    configs = {folder: config for folder in folders if (config := read_config(folder)) is not None}
    complete = {folder: row for folder in configs if (row := measured(folder)) is not None}
    if not complete:
        raise NothingComplete(folders)
    names = _methods({folder: configs[folder] for folder in complete})
    seen: dict[tuple[Any, ...], Path] = {}
    rows, tasks = [], dict[str, dict[str, Any]]()
    for folder, row in complete.items():
        config = configs[folder]
        task = _task(config)
        tasks.setdefault(task, config)
        name = {"task": task, "method": names[folder], "seed": config["seed"]}
        budget = min(row["budget"], row["steps"])  # the time budget may have ended the run earlier
        if (other := seen.setdefault((*name.values(), budget), folder)) != folder:
            raise SameRun(other, folder)
        commands = (folder / "command.txt").read_text("utf8", errors="replace").splitlines()
        command = commands[-1] if commands else ""
        rows.append({**name, **row, "budget": budget, "command": command, "folder": folder})
    table = Table(
        title="Runs",
        tasks=tuple(
            Task(
                name=task,
                methods=tuple(dict.fromkeys(row["method"] for row in rows if row["task"] == task)),
                world=config["world"],
                options=_pairs(config),
                score=score or _score(config["world"]),
                best=None,
            )
            for task, config in tasks.items()
        ),
    )
    return table, rows, _points(rows)


def _task(config: Mapping[str, Any]) -> str:
    return " ".join((config["world"], *_pairs(config)))


def _pairs(config: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(f"{name}={value}" for name, value in sorted(config["options"].items()))


def _score(world: str) -> Literal["subtasks", "return"]:
    return "subtasks" if world.startswith("skillgym/") else "return"


def _points(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Evaluations during training, named by budget if there are several."""
    budgets: dict[tuple[str, str], set[int]] = {}
    for row in rows:
        budgets.setdefault((row["task"], row["method"]), set()).add(row["budget"])
    points = []
    for row in rows:
        several = len(budgets[row["task"], row["method"]]) > 1
        name = with_budget(row["method"], row["budget"]) if several else row["method"]
        points += [
            {"task": row["task"], "method": name, "seed": row["seed"], "step": step}
            | dict(zip(SCORES, scores, strict=True))
            for step, *scores in evaluations(row["folder"])
        ]
    return points


def _methods(configs: Mapping[Path, Mapping[str, Any]]) -> dict[Path, str]:
    """Name of each run's method, with the settings in which the preset's runs differ."""
    settings = {}
    for folder, config in configs.items():
        fields = {name: config[name] for name in SETTINGS}
        changed = {name: value for name, value in fields.items() if value != SETTINGS[name]}
        settings[folder] = changed | config["agent"]
    names = {}
    for folder, config in configs.items():
        own = settings[folder]
        others = [settings[o] for o, c in configs.items() if c["method"] == config["method"]]
        told = ", ".join(
            f"{name}={value}"
            for name, value in own.items()
            if any(name not in other or other[name] != value for other in others)
        )
        names[folder] = config["method"] + (f" ({told})" if told else "")
    return names
