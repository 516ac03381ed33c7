"""Run folders: everything that is needed to understand, resume and repeat a run. Imports no torch.

```
config.json        what was asked for
command.txt        the command line of every sitting
environment.json   versions, git commit and machine of the last sitting, and `earlier` ones
metrics.csv        the log
checkpoints/ videos/ tb/
```
"""

from __future__ import annotations

import contextlib
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from skillgym.errors import CheckpointNotWritten
from skillgym.files import read_json, write_json
from skillgym_envs.core.errors import SkillgymError
from skillgym_envs.core.versions import package_versions

PACKAGES = (
    "mujoco", "gymnasium", "gymnasium-robotics", "stable-baselines3", "torch", "numpy", "minari",
)  # fmt: skip


SEPARATOR = " / "
"""Between the values of sittings or runs that differ."""


def start_run(folder: Path, config: Mapping[str, Any]) -> None:
    """Make a run folder self-describing; a resumed run keeps its files and adds its command line.

    Args:
        folder: The run folder; created if need be.
        config: What was asked for, as plain JSON.
    """
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


class FolderInUse(SkillgymError, RuntimeError):
    """Another process works in a run folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"Got the folder {folder}, in which another process trains; wait for its end, or give "
            "another folder."
        )


@contextlib.contextmanager
def locked(folder: Path, wait: bool = False) -> Iterator[None]:
    """Keep other processes that ask for it, too, out of a folder, as far as its system can.

    The folder itself is locked, which needs no file in it. Windows and most network file systems
    have no such locks: nobody is kept out there.

    Args:
        folder: The folder; created if need be.
        wait: Wait until another process has left.

    Raises:
        FolderInUse: If another process is there, unless `wait`.
        CheckpointNotWritten: If it can be neither created nor opened.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = None if sys.platform == "win32" else os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise CheckpointNotWritten(folder, error.strerror or error) from error
    if descriptor is None:
        yield
        return
    import fcntl

    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise FolderInUse(folder) from None
        except OSError:  # no locks there
            pass
        yield
    finally:
        os.close(descriptor)


class BudgetPassed(SkillgymError, ValueError):
    """A run is to end where it has been already, on its way to a larger budget."""

    def __init__(self, folder: Path, steps: int) -> None:
        super().__init__(
            f"Got steps={steps} for the run in {folder}, which was stopped later than that on its "
            "way to a larger budget; go on with the larger one or start a new run."
        )


def is_past(folder: Path, steps: int) -> bool:
    """Whether a run's agent has been trained for longer than a budget, as it has a larger one.

    Args:
        folder: Run folder of `skillgym train`; need not exist.
        steps: The budget [control steps].
    """
    config, state = folder / "config.json", folder / "checkpoints" / "last" / "state.json"
    if not config.exists() or not state.exists() or read_json(config).get("steps", 0) <= steps:
        return False
    counters = read_json(state)
    return bool(counters.get("reached", counters["control_steps"]) >= steps)


def environment_record() -> dict[str, Any]:
    """Versions, git commit and machine of this process."""
    return {
        "versions": {"python": platform.python_version(), **package_versions(*PACKAGES)},
        "git_commit": git_commit(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
        f"{processor()}",
        "threads": os.environ.get("OMP_NUM_THREADS", ""),
    }


def origin(record: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Machine, commit and versions as name and value: what stands beside every published number.

    Args:
        record: `environment.json` of the run that measured, whose sittings may differ: all values
            are named then; that of this process if None.
    """
    record = record or environment_record()
    sittings = [
        {
            "machine": one.get("machine", ""),
            "commit": one.get("git_commit") or "",
            **one["versions"],
        }
        for one in [*record.get("earlier", ()), record]
    ]
    return {
        name: SEPARATOR.join(dict.fromkeys(str(one[name]) for one in sittings if one.get(name)))
        for name in dict.fromkeys(name for one in sittings for name in one)
    }


def processor() -> str:
    """Name of the processor."""
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def git_commit(root: Path = Path(__file__).parents[1]) -> str | None:
    """Commit of the source tree, with `-dirty` if it was changed; None outside a repository.

    Measured results do not count as changes: one run writes them while the next one measures.

    Args:
        root: Folder of the source tree.
    """
    if not (root / ".git").exists():  # installed: a repository further up would be somebody else's
        return None
    git = ["git", "-C", str(root)]
    changes = [*git, "diff", "--name-only", "HEAD", "--", ".", ":(exclude)benchmarks/results"]
    try:
        commit = _output([*git, "rev-parse", "--short=12", "HEAD"])
        return f"{commit}-dirty" if _output(changes) else commit
    except (OSError, subprocess.SubprocessError):
        return None


def _output(command: list[str]) -> str:
    """What a command prints."""
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    return done.stdout.strip()
