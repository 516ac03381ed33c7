"""The script `./run`, with stand-ins for Python and pip: no test installs anything."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Answers `-c` (is it new enough? is torch there?), pretends to be pip, and reports everything else.
PYTHON = """#!/bin/sh
case "$*" in
-c*) exit 0 ;;
*--editable*) echo "$@" >>"$(dirname "$0")/../pip.log"; exit {pip_status} ;;
*"pip --version"*) exit 0 ;;
*) echo "ran: $*" ;;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in ("run", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def install_fake(checkout: Path, pip_status: int = 0) -> None:
    (checkout / ".venv/bin").mkdir(parents=True, exist_ok=True)
    for name, text in (
        ("python", PYTHON.format(pip_status=pip_status)),
        ("skillgym", '#!/bin/sh\necho "skillgym: $*"\n'),
    ):
        program = checkout / ".venv/bin" / name
        program.write_text(text)
        program.chmod(0o755)


def run(checkout: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", str(checkout / "run"), *arguments],
        capture_output=True,
        text=True,
        env=os.environ | variables,
        timeout=60,
    )


def test_without_arguments_it_tells_what_it_can_do(checkout: Path) -> None:
    done = run(checkout)
    assert done.returncode == 0 and "./run demo" in done.stdout and "./run test" in done.stdout
    assert not (checkout / ".venv").exists()


def test_the_second_call_installs_nothing(checkout: Path) -> None:
    install_fake(checkout)
    first, second = run(checkout, "worlds", "--all"), run(checkout, "worlds", "--all")
    assert first.stdout == second.stdout == "skillgym: worlds --all\n"
    assert "Installing" in first.stderr and "Installing" not in second.stderr
    assert (checkout / ".venv/pip.log").read_text().count(".[extra]") == 1


def test_the_tests_bring_what_the_demo_needs(checkout: Path) -> None:
    install_fake(checkout)
    tests = run(checkout, "test", "-k", "kitchen")
    assert "ran: -m pytest" in tests.stdout and "-k kitchen" in tests.stdout
    assert "Installing" not in run(checkout, "demo").stderr


def test_a_changed_project_file_installs_again(checkout: Path) -> None:
    install_fake(checkout)
    run(checkout, "demo")
    with (checkout / "pyproject.toml").open("a") as file:
        file.write("\n# changed\n")
    assert "Installing" in run(checkout, "demo").stderr


def test_a_failed_installation_is_one_sentence_and_tried_again(checkout: Path) -> None:
    install_fake(checkout, pip_status=1)
    done = run(checkout, "demo")
    assert done.returncode == 1 and "the installation failed" in done.stderr
    install_fake(checkout)
    assert run(checkout, "demo").stdout == "skillgym: demo\n"


def test_no_python_is_one_sentence(checkout: Path) -> None:
    done = run(checkout, "demo", PYTHON="/no/such/python")
    assert done.returncode == 1
    assert "no Python >= 3.11 was found (tried /no/such/python)" in done.stderr
