"""Paths of the parts of a run, and its progress. Imports no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from skillgym.errors import SkillgymError
from skillgym.files import read_json


def checkpoint_path(folder: Path, name: Literal["last", "best"] = "last") -> Path:
    """Folder of a run's last checkpoint, or of a skill model's best one."""
    return folder / "checkpoints" / name


def state_path(checkpoint: Path) -> Path:
    """File with the counters of an agent's checkpoint."""
    return checkpoint / "state.json"


def result_path(folder: Path) -> Path:
    """File with the final evaluation of a run's agent."""
    return folder / "result.json"


class BudgetPassed(SkillgymError, ValueError):
    """A run has already passed its budget, on the way to a larger one."""

    def __init__(self, folder: Path, steps: int) -> None:
        super().__init__(
            f"Got steps={steps} for the run in {folder}, which was stopped beyond that on the way "
            "to a larger budget; continue with the larger one or start a new run."
        )


def is_past(folder: Path, steps: int) -> bool:
    """Whether a run's agent has been trained beyond a budget, on the way to a larger one.

    Args:
        folder: Run folder of `skillgym train`; need not exist.
        steps: The budget [control steps].
    """
    config, state = folder / "config.json", state_path(checkpoint_path(folder))
    if not config.exists() or not state.exists() or read_json(config).get("steps", 0) <= steps:
        return False
    counters = read_json(state)
    return bool(counters.get("reached", counters["control_steps"]) >= steps)
