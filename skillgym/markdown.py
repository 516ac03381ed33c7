"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table_lines(columns: Sequence[str], rows: Iterable[Iterable[object]]) -> list[str]:
    """Lines of a table: the names of its columns, a rule, and the rows."""
    lines = [columns, ["---"] * len(columns), *(map(str, row) for row in rows)]
    return [f"| {' | '.join(cells)} |" for cells in lines]
