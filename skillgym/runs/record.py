"""Configuration, commands, machine and versions of a run. Imports no torch."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from skillgym.errors import CheckpointNotWritten
from skillgym.files import read_json, write_json
from skillgym_envs.core.versions import package_versions

PACKAGES = (
    "mujoco", "gymnasium", "gymnasium-robotics", "stable-baselines3", "torch", "numpy", "minari",
)  # fmt: skip

SEPARATOR = " / "
"""Separator between the values of sessions or runs that differ."""


def start_run(folder: Path, config: Mapping[str, Any]) -> None:
    """Make a run folder self-describing; a resumed run keeps its files and adds its command line.

    Args:
        folder: The run folder; created if necessary.
        config: The configuration, as plain JSON.

    Raises:
        CheckpointNotWritten: If the folder cannot be written to.
    """
    try:
        _describe(folder, config)
    except OSError as error:
        raise CheckpointNotWritten(folder, error.strerror or error) from error


def _describe(folder: Path, config: Mapping[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "config.json", config)
    record, path = environment_record(), folder / "environment.json"
    if path.exists():
        last = read_json(path)
        earlier = [*last.pop("earlier", ()), last]
        record["earlier"] = [
            one for i, one in enumerate(earlier) if one != record and one not in earlier[:i]
        ]
    write_json(path, record)
    with (folder / "command.txt").open("a", encoding="utf8") as file:
        file.write(shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]) + "\n")


def environment_record() -> dict[str, Any]:
    """Versions, git commit and machine of this process."""
    return {
        "versions": {"python": platform.python_version(), **package_versions(*PACKAGES)},
        "git_commit": git_commit(),
        "machine": ", ".join(
            [
                f"{platform.system()} {platform.machine()}",
                f"{os.cpu_count()} cores",
                processor(),
                *gpus(),
            ]
        ),
        "threads": os.environ.get("OMP_NUM_THREADS", ""),
    }


def origin(record: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Machine, commit and versions by name, which accompany every published number.

    Args:
        record: `environment.json` of the run; if its sessions differ, all values are named. That of
            this process if None.
    """
    record = record or environment_record()
    sessions = [
        {
            "machine": one.get("machine", ""),
            "commit": one.get("git_commit") or "",
            **one["versions"],
        }
        for one in [*record.get("earlier", ()), record]
    ]
    return {
        name: SEPARATOR.join(dict.fromkeys(str(one[name]) for one in sessions if one.get(name)))
        for name in dict.fromkeys(name for one in sessions for name in one)
    }


def processor() -> str:
    """Name of the processor."""
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def gpus() -> list[str]:
    """Names of the GPUs that torch can use, if the process has imported it."""
    cuda = getattr(sys.modules.get("torch"), "cuda", None)
    if cuda is None or not cuda.is_available():
        return []
    return [cuda.get_device_name(index) for index in range(cuda.device_count())]


def git_commit(root: Path = Path(__file__).parents[2]) -> str | None:
    """Commit of the source tree, with `-dirty` if it was changed; None outside a repository.

    Changes of results do not count, as one run may write them while another one runs.

    Args:
        root: Folder of the source tree.
    """
    if not (root / ".git").exists():  # installed: a repository in a parent folder is not ours
        return None
    git = ["git", "-C", str(root)]
    changes = [*git, "diff", "--name-only", "HEAD", "--", ".", ":(exclude)benchmarks/results"]
    try:
        commit = _output([*git, "rev-parse", "--short=12", "HEAD"])
        return f"{commit}-dirty" if _output(changes) else commit
    except (OSError, subprocess.SubprocessError):
        return None


def _output(command: list[str]) -> str:
    """Output of a command."""
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    return done.stdout.strip()
