"""Trains the bundled skill models, and plots losses, prior roll-outs and minutes.

    python -m benchmarks.pretraining --bundle-models

Needs the dataset (`skillgym collect kitchen-play`). Runs that are complete are only read.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tyro
from matplotlib.figure import Figure

from skillgym.files import write_csv
from skillgym.hub.registry import bundled_directory
from skillgym.runs.folder import checkpoint_path
from skillgym.runs.record import origin
from skillgym.viz import plots

MODELS = ("spirl-kitchen", "spirl-kitchen-open", "flat-kitchen")
COLUMNS = (
    "model", "step", "minutes", "validation/loss", "train/loss", "validation/prior_nll",
    "train/prior_nll", "validation/prior_best_mse", "eval/subtasks",
)  # fmt: skip


def train(name: str, folder: Path, threads: int) -> None:
    """Train a model, or continue its training."""
    command = [sys.executable, "-m", "skillgym.cli.main", "pretrain", name, "--folder", str(folder)]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    if code := subprocess.run(command, env=environment).returncode:
        sys.exit(code)  # the command has printed the reason


def validations(name: str, folder: Path) -> list[dict[str, Any]]:
    """The rows of a run's log with a validation or roll-outs, and the minutes until then."""
    rows, minutes, last = [], 0.0, 0.0
    with (folder / "metrics.csv").open(newline="", encoding="utf8") as file:
        for row in csv.DictReader(file):
            step = float(row["time/step"])
            minutes += (step - last) / float(row["time/steps_per_second"]) / 60.0
            last = step
            if row["validation/loss"] or row.get("eval/subtasks"):
                cells = {key: row[key] for key in COLUMNS if row.get(key)}
                rows.append(
                    {**cells, "model": name, "step": int(step), "minutes": f"{minutes:.1f}"}
                )
    return rows


PANELS = {
    "action error of the best of 100 skills": ("validation/prior_best_mse",),
    "negative log-likelihood of the prior [nat]": ("train/prior_nll", "validation/prior_nll"),
    "loss": ("train/loss", "validation/loss"),
    "subtasks without reinforcement learning": ("eval/subtasks",),
}


def figure(name: str, rows: Sequence[Mapping[str, Any]]) -> Figure:
    """The panels with data; for a model with skills, the others include the loss."""
    known = [key for key in COLUMNS if any(row.get(key) for row in rows)]
    panels = {title: keys for title, keys in PANELS.items() if keys[0] in known}
    if len(panels) == len(PANELS):
        del panels["loss"]
    canvas = Figure(figsize=(3.6 * len(panels), 3.4), layout="constrained")
    for axes, (title, keys) in zip(canvas.subplots(1, len(panels)), panels.items(), strict=True):
        for color, key in zip(plots.COLORS, keys, strict=False):
            points = [(row["step"], float(row[key])) for row in rows if row.get(key)]
            label = "training" if key.startswith("train") else "validation"
            axes.plot(*zip(*points, strict=True), color=color, label=label, lw=2, marker="o", ms=3)
        if len(keys) > 1:
            axes.legend(frameon=False)
        else:
            axes.set_ylim(bottom=0.0)
        axes.set_title(title, fontsize=9)
        plots.style(axes, "gradient steps")
    canvas.suptitle(f"{name}: {rows[-1]['minutes']} minutes", fontsize=11)
    return canvas


def bundle(name: str, folder: Path) -> None:
    """Make a run's last checkpoint the bundled model."""
    target = bundled_directory() / name
    target.mkdir(parents=True, exist_ok=True)
    for file in ("config.json", "model.safetensors", "metrics.json", "README.md"):
        shutil.copy2(checkpoint_path(folder) / file, target / file)


def main(
    models: tuple[str, ...] = MODELS,
    threads: int = 2,
    folder: Path = Path("runs"),
    results: Path = Path("benchmarks/results"),
    bundle_models: bool = False,
) -> None:
    """Train the models one after the other; write their curves.

    Args:
        models: Presets of `skillgym pretrain`.
        threads: Threads of torch.
        folder: Parent of the run folders.
        results: Folder of the results.
        bundle_models: Put the models into the package.
    """
    for name in models:
        run = folder / name
        train(name, run, threads)
        rows = validations(name, run)
        record = json.loads((run / "environment.json").read_text("utf8"))
        measured = {"threads": threads, **origin(record)}
        results.mkdir(parents=True, exist_ok=True)
        table = [{**row, **measured} for row in rows]
        write_csv(results / f"pretrain_{name}.csv", table, [*COLUMNS, *measured])
        plots.save(figure(name, rows), results / f"pretrain_{name}")
        if bundle_models:
            bundle(name, run)
        print(f"{name}: {rows[-1]['minutes']} minutes with {threads} threads")


if __name__ == "__main__":
    tyro.cli(main)
