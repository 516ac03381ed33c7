"""Run folders of any trainings become a results table, like the cells of a benchmark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from skillgym.cli.errors import NoRun, NothingComplete, SameRun
from skillgym.evaluation.benchmark import SCORES, evaluations, measured
from skillgym.evaluation.tables import Table, Task
from skillgym.files import read_json

SETTINGS = ("skill_model", "num_envs")
"""Fields of a configuration that make another method of it, beside the agent's keywords."""


def read_runs(
    folders: Sequence[Path], score: Literal["subtasks", "return"] | None = None
) -> tuple[Table, list[dict[str, Any]], list[dict[str, Any]]]:
    """The complete runs among some folders.

    A task is a world with its keywords. A method is a preset; where runs of one preset differ in
    their settings, these are part of its name.

    Args:
        folders: Run folders of `skillgym train`.
        score: What counts; subtasks in the worlds of skillgym and the return elsewhere if None.

    Returns:
        The table, its runs, and their evaluations during training.

    Raises:
        NoRun: If a folder is none of a training.
        SameRun: If two of them differ in nothing.
        NothingComplete: If none is complete.
    """
    configs = {folder: _config(folder) for folder in folders}
    complete = {folder: row for folder in configs if (row := measured(folder)) is not None}
    if not complete:
        raise NothingComplete(folders)
    names = _methods({folder: configs[folder] for folder in complete})
    seen: dict[tuple[Any, ...], Path] = {}
    rows, points, tasks = [], [], dict[str, dict[str, Any]]()
    for folder, row in complete.items():
        config = configs[folder]
        task = _task(config)
        tasks.setdefault(task, config)
        name = {"task": task, "method": names[folder], "seed": config["seed"]}
        budget = min(row["budget"], row["steps"])  # the time may have been over before
        if (other := seen.setdefault((*name.values(), budget), folder)) != folder:
            raise SameRun(other, folder)
        command = (folder / "command.txt").read_text(encoding="utf8").splitlines()[-1]
        rows.append({**name, **row, "budget": budget, "command": command})
        points += [
            {**name, "step": step, **dict(zip(SCORES, scores, strict=True))}
            for step, *scores in evaluations(folder)
        ]
    table = Table(
        title="Runs",
        tasks=tuple(
            Task(
                name=task,
                methods=tuple(dict.fromkeys(row["method"] for row in rows if row["task"] == task)),
                world=config["world"],
                options=_pairs(config["options"]),
                score=score or _score(config["world"]),
                best=None,
            )
            for task, config in tasks.items()
        ),
    )
    return table, rows, points


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    config: dict[str, Any] = read_json(path) if path.exists() else {}
    if "method" not in config:
        raise NoRun(folder, "the config.json of an agent's training")
    return config


def _task(config: Mapping[str, Any]) -> str:
    return " ".join((config["world"].removeprefix("skillgym/"), *_pairs(config["options"])))


def _pairs(options: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(f"{name}={value}" for name, value in options.items())


def _score(world: str) -> Literal["subtasks", "return"]:
    return "subtasks" if world.startswith("skillgym/") else "return"


def _methods(configs: Mapping[Path, Mapping[str, Any]]) -> dict[Path, str]:
    """Name of each run's method, with the settings in which runs of the preset differ."""
    settings = {
        folder: {**{name: config[name] for name in SETTINGS}, **config["agent"]}
        for folder, config in configs.items()
    }
    names = {}
    for folder, config in configs.items():
        others = [settings[o] for o, c in configs.items() if c["method"] == config["method"]]
        every = dict.fromkeys(name for each in others for name in each)
        differ = [name for name in every if len({repr(each.get(name)) for each in others}) > 1]
        own = {name: settings[folder].get(name) for name in differ}
        told = ", ".join(f"{name}={value}" for name, value in own.items() if value is not None)
        names[folder] = config["method"] + (f" ({told})" if told else "")
    return names
