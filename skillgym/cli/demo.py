"""`skillgym demo`."""

from __future__ import annotations

import shutil
from pathlib import Path

from skillgym.cli.errors import NoDemo
from skillgym.files import write_json
from skillgym_envs.core.checks import check_count, check_range, check_seed

MARK = "demo.json"
"""Only written into an empty folder, so that everything in a marked folder belongs to the demo."""

MADE = ("datasets", "skills", "sac", "spirl-cl", "videos", "report.html", MARK)
"""What a demo makes in its folder; the mark is deleted last, in case deletion is interrupted."""


def main(
    *,
    from_scratch: bool = False,
    steps: int = 40_000,
    minutes: float = 6.5,
    seed: int = 0,
    folder: Path = Path("runs/demo"),
    restart: bool = False,
) -> None:
    """Skills, training and comparison in ten minutes on two cores, offline; writes report.html.

    Shows what the bundled skills do by themselves, trains an agent that chooses skills and, at the
    same time, one that chooses single actions, and compares them.

    Args:
        from_scratch: Also collect the data and train the skill model (an hour on two cores).
        steps: Training budget of each agent in control steps.
        minutes: Time budget of each training.
        seed: Seed of everything.
        folder: Folder of the demo; a stopped demo continues.
        restart: Delete what an earlier demo left in the folder; refused if it holds anything else.
    """
    check_count("steps", steps)
    check_range("minutes", minutes, 0)
    check_seed(seed)
    if restart:
        clear(folder)
    mark(folder, {"steps": steps, "minutes": minutes, "seed": seed})
    from skillgym.cli.demo_steps import Demo

    demo = Demo(folder, steps, minutes, seed)
    if from_scratch:
        demo.make_skills()
    print(demo.run())


def mark(folder: Path, settings: dict[str, float]) -> None:
    """Mark a folder as a demo's, if there is nothing in it yet.

    Args:
        folder: The folder; made if there is none.
        settings: The demo's arguments.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if all(_is_left_of(path.name, (MARK,)) for path in folder.iterdir()):
        write_json(folder / MARK, settings)


def clear(folder: Path) -> None:
    """Delete what an earlier demo left.

    Args:
        folder: Its folder, which is kept.

    Raises:
        NoDemo: If the folder is not marked, or holds anything that a demo does not make.
    """
    found = {path.name for path in folder.iterdir()} if folder.exists() else set()
    if others := sorted(name for name in found if name not in MADE and not _is_left_of(name)):
        raise NoDemo(folder, f"with {others[0]!r}")
    if found and MARK not in found:
        raise NoDemo(folder, f"without {MARK!r}")
    for name in sorted(found, key=MARK.__eq__):
        path = folder / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _is_left_of(name: str, made: tuple[str, ...] = MADE) -> bool:
    """Whether a killed demo may have left a half-written file or folder of this name."""
    return name.startswith(tuple(f".{each}." for each in made))
