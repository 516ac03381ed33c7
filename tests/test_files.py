"""Files that are completely written or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from skillgym.files import write_csv


def test_a_table_that_cannot_be_written_leaves_the_old_one_alone(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    write_csv(path, [{"a": 1, "b": 2}, {"b": 3}], ["a", "b"])
    with pytest.raises(ValueError, match="unknown"):
        write_csv(path, [{"a": 4, "unknown": 5}], ["a", "b"])
    assert path.read_text().splitlines() == ["a,b", "1,2", ",3"]
    assert list(tmp_path.iterdir()) == [path]
