"""Provenance of runs."""

from __future__ import annotations

import subprocess
from pathlib import Path

from skillgym.runs import git_commit


def git(root: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    subprocess.run(["git", "-C", str(root), *identity, *arguments], check=True, capture_output=True)


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
