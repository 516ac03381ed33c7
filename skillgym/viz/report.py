"""The report page of a demo: one HTML file that contains its plot and videos."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from skillgym.runs.record import origin
from skillgym.viz.pages import write_page


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of the evaluation table.

    Attributes:
        method: Description of the method.
        subtasks: Mean number of subtasks completed.
        episodes: Episodes of the evaluation.
        steps: Control steps of training.
        minutes: Wall time of training [min].
        rates: How often each subtask was completed.
    """

    method: str
    subtasks: float
    episodes: int
    steps: int
    minutes: float
    rates: str

    @classmethod
    def of(cls, method: str, result: dict[str, Any]) -> Row:
        """Row of an experiment's result."""
        rates = ", ".join(f"{name} {100 * rate:.0f} %" for name, rate in result["rates"].items())
        return cls(
            method=method,
            subtasks=result["subtasks"],
            episodes=result["episodes"],
            steps=result["steps"],
            minutes=result["seconds"] / 60.0,
            rates=rates or "none",
        )


@dataclass(frozen=True, kw_only=True)
class Video:
    """A video with its caption.

    Attributes:
        path: The `.mp4` file.
        caption: Caption.
    """

    path: Path
    caption: str

    @property
    def source(self) -> str:
        """The file as a data address."""
        content = base64.b64encode(self.path.read_bytes()).decode("ascii")
        return f"data:video/mp4;base64,{content}"


@dataclass(frozen=True, kw_only=True)
class Report:
    """Content of a report page.

    Attributes:
        title: Title.
        lead: Short description of what was done.
        rows: Evaluation table.
        num_subtasks: Subtasks of the task.
        plot: SVG element of the learning curve.
        videos: Videos.
        notes: Remarks below the table.
        commands: Commands that reproduce it.
    """

    title: str
    lead: str
    rows: Sequence[Row]
    num_subtasks: int
    plot: str = ""
    videos: Sequence[Video] = ()
    notes: Sequence[str] = ()
    commands: Sequence[str] = ()
    environment: dict[str, Any] = field(default_factory=origin)

    def write(self, path: Path) -> None:
        """Write the page.

        Args:
            path: The file.
        """
        write_page(path, "report.html", report=self)
