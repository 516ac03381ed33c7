"""Provenance of runs."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from skillgym.errors import CheckpointNotWritten, CorruptFile
from skillgym.runs import record
from skillgym.runs.lock import FolderInUse, locked
from skillgym.runs.record import git_commit, origin, start_run


def git(root: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    subprocess.run(["git", "-C", str(root), *identity, *arguments], check=True, capture_output=True)


def test_a_folder_is_locked_while_somebody_works_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    for _ in range(2):  # it is free again afterwards
        with locked(folder):
            with pytest.raises(FolderInUse, match="run, in which another process trains"):
                with locked(folder):
                    pass
            with locked(tmp_path):  # another one
                pass
    assert list(folder.iterdir()) == []


def test_every_session_of_a_run_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for commit in ("a", "a", "b", "c"):
        one = {"versions": {"python": "3.11"}, "git_commit": commit, "machine": "this"}
        monkeypatch.setattr(record, "environment_record", lambda one=one: dict(one))
        start_run(tmp_path, {})
    found = json.loads((tmp_path / "environment.json").read_text())
    assert found["git_commit"] == "c"  # the last one, as in every run of one session
    assert [one["git_commit"] for one in found["earlier"]] == ["a", "b"]
    assert origin(found) == {"machine": "this", "commit": "a / b / c", "python": "3.11"}
    assert origin(one) == {"machine": "this", "commit": "c", "python": "3.11"}


def test_a_session_as_before_is_not_an_earlier_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for commit in "aba":
        one = {"versions": {}, "git_commit": commit, "machine": "this"}
        monkeypatch.setattr(record, "environment_record", lambda one=one: dict(one))
        start_run(tmp_path, {})
    found = json.loads((tmp_path / "environment.json").read_text())
    assert [one["git_commit"] for one in (*found["earlier"], found)] == ["b", "a"]


def test_the_machine_names_its_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: f"H{index}")
    assert record.environment_record()["machine"].endswith(", H0, H1")


@pytest.mark.parametrize("name", ["config.json", "environment.json", "command.txt"])
def test_a_run_that_cannot_be_described_is_one_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / name / "in the way").mkdir(parents=True)
    with pytest.raises((CheckpointNotWritten, CorruptFile), match=r"Is a directory"):
        start_run(tmp_path, {})


def test_results_of_an_earlier_run_are_not_changes_of_the_source(tmp_path: Path) -> None:
    assert git_commit(tmp_path) is None
    source, results = tmp_path / "source.py", tmp_path / "benchmarks" / "results" / "table.csv"
    results.parent.mkdir(parents=True)
    for path in (source, results):
        path.write_text("1\n")
    git(tmp_path, "init")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-m", "first")
    clean = git_commit(tmp_path)
    assert clean is not None and len(clean) == 12
    results.write_text("2\n")
    assert git_commit(tmp_path) == clean
    source.write_text("2\n")
    assert git_commit(tmp_path) == f"{clean}-dirty"
