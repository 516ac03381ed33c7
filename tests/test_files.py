"""Files that are completely written or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from skillgym.errors import CheckpointNotWritten
from skillgym.files import atomic_directory, write_csv


def test_a_folder_that_cannot_be_put_in_its_place_leaves_the_old_one_there(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    with atomic_directory(folder) as temporary:
        (temporary / "old").touch()
    with pytest.raises(CheckpointNotWritten), atomic_directory(folder) as temporary:
        temporary.rmdir()  # somebody deletes it
    assert [path.name for path in folder.iterdir()] == ["old"]
    assert list(tmp_path.iterdir()) == [folder]


def test_a_table_that_cannot_be_written_leaves_the_old_one_alone(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    write_csv(path, [{"a": 1, "b": 2}, {"b": 3}], ["a", "b"])
    with pytest.raises(ValueError, match="unknown"):
        write_csv(path, [{"a": 4, "unknown": 5}], ["a", "b"])
    assert path.read_text().splitlines() == ["a,b", "1,2", ",3"]
    assert list(tmp_path.iterdir()) == [path]
