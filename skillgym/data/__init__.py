"""Recorded trajectories: readers of every format, and windows for training."""

from __future__ import annotations

from skillgym.data.demonstrations import Demonstrations
from skillgym.data.errors import (
    DatasetFileNotFound,
    DatasetNotFound,
    InvalidTrajectories,
    NoWindows,
    SimulatorVersionWarning,
    UnreadableDataset,
)
from skillgym.data.loading import load_pictures, load_transitions, load_windows
from skillgym.data.pictures import PictureWindows
from skillgym.data.selection import episodes_of_task
from skillgym.data.transitions import Transitions
from skillgym.data.windows import WindowDataset

__all__ = [
    "DatasetFileNotFound",
    "DatasetNotFound",
    "Demonstrations",
    "InvalidTrajectories",
    "NoWindows",
    "PictureWindows",
    "SimulatorVersionWarning",
    "Transitions",
    "UnreadableDataset",
    "WindowDataset",
    "episodes_of_task",
    "load_pictures",
    "load_transitions",
    "load_windows",
]
