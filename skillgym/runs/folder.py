"""Paths and content of the parts of a training run, and its progress. Imports no torch."""

from __future__ import annotations

from pathlib import Path
from types import NoneType
from typing import Any, Literal

from skillgym.errors import SkillgymError
from skillgym.files import read_json

NUMBER = (int, float)
CONFIG = {
    "method": str, "world": str, "options": dict, "skill_model": (str, NoneType), "seed": int,
    "steps": int, "num_envs": int, "agent": dict, "preset": (dict, NoneType),
}  # fmt: skip
STATE = {"control_steps": int, "reached": int, "seconds": NUMBER}
RESULT = {
    "subtasks": NUMBER, "return": NUMBER, "episodes": int, "rates": dict, "steps": int,
    "seconds": NUMBER, "subtasks_deterministic": (*NUMBER, NoneType),
    "return_deterministic": (*NUMBER, NoneType),
}  # fmt: skip
"""Types of the fields that are read again."""

EARLIER_CONFIG: dict[str, Any] = {
    "options": {}, "skill_model": None, "num_envs": 1, "agent": {}, "preset": None,
}  # fmt: skip
EARLIER_RESULT = {"subtasks_deterministic": None, "return_deterministic": None}
"""Values of fields that earlier versions did not write."""


def checkpoint_path(folder: Path, name: Literal["last", "best"] = "last") -> Path:
    """Folder of a run's last checkpoint, or of a skill model's best one."""
    return folder / "checkpoints" / name


def state_path(checkpoint: Path) -> Path:
    """File with the counters of an agent's checkpoint."""
    return checkpoint / "state.json"


def result_path(folder: Path) -> Path:
    """File with the final evaluation of a run's agent."""
    return folder / "result.json"


def read_config(folder: Path) -> dict[str, Any] | None:
    """Configuration of a training run; None if the folder holds none.

    Raises:
        CorruptFile: If it cannot be read.
    """
    path = folder / "config.json"
    if not path.exists() or "method" not in read_json(path):  # that of a skill model
        return None
    return read_json(path, CONFIG, EARLIER_CONFIG)


def read_state(checkpoint: Path) -> dict[str, Any]:
    """Counters of an agent's checkpoint; earlier versions did not write `reached`.

    Raises:
        MissingFile, CorruptFile: If they cannot be read.
    """
    path = state_path(checkpoint)
    return read_json(path, STATE, {"reached": read_json(path).get("control_steps")})


def read_result(folder: Path) -> dict[str, Any] | None:
    """Final evaluation of a run's agent; None if the run is not complete.

    Without `deterministic` scores, None, it is of an earlier version.

    Raises:
        CorruptFile: If it cannot be read.
    """
    path = result_path(folder)
    return read_json(path, RESULT, EARLIER_RESULT) if path.exists() else None


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
    config, checkpoint = read_config(folder), checkpoint_path(folder)
    if config is None or config["steps"] <= steps or not state_path(checkpoint).exists():
        return False
    return bool(read_state(checkpoint)["reached"] >= steps)
