"""The report of a suite: all results tables with their learning curves on one page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skillgym.viz.pages import write_page


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of a table: a method.

    Attributes:
        cells: Texts by column.
        estimate: The score as a share of the best; None if the best is not known.
        low: Lower end of its interval, likewise; None if there is none.
        high: Upper end, likewise.
    """

    cells: Mapping[str, str]
    estimate: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, kw_only=True)
class Block:
    """A table of methods on one task, or across tasks, with a plot.

    Attributes:
        title: Title.
        text: Description of the comparison.
        lines: The methods.
        plot: SVG element of the learning curves.
    """

    title: str
    text: str
    lines: Sequence[Line]
    plot: str = ""


@dataclass(frozen=True, kw_only=True)
class Section:
    """A results table.

    Attributes:
        title: Title.
        text: How much of it has been evaluated.
        blocks: Blocks of the table; none without results.
    """

    title: str
    text: str
    blocks: Sequence[Block] = ()


@dataclass(frozen=True, kw_only=True)
class SuiteReport:
    """Content of the page.

    Attributes:
        title: Title.
        lead: Short description of what was done.
        notes: How to read the page.
        sections: The results tables.
        runs: Every run: texts by column.
        origins: Machines and versions of the runs: texts by column.
        commands: Commands that reproduce it.
    """

    title: str
    lead: str
    notes: Sequence[str]
    sections: Sequence[Section]
    runs: Sequence[Mapping[str, Any]]
    origins: Sequence[Mapping[str, Any]]
    commands: Sequence[str]

    def write(self, path: Path) -> None:
        """Write the page.

        Args:
            path: The file.
        """
        write_page(path, "suite.html", report=self)
