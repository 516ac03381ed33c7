"""`skillgym demo`."""

from __future__ import annotations

import shutil
from pathlib import Path


def main(
    *,
    from_scratch: bool = False,
    steps: int = 40_000,
    minutes: float = 6.5,
    seed: int = 0,
    folder: Path = Path("runs/demo"),
    restart: bool = False,
) -> None:
    """The whole way in ten minutes on two cores, without network; leaves report.html.

    Shows what the bundled skills do by themselves, trains an agent that chooses skills and, at the
    same time, one that chooses single actions, and compares them.

    Args:
        from_scratch: Also collect the data and train the skill model (an hour on two cores).
        steps: Training budget of each agent in control steps.
        minutes: Time budget of each training.
        seed: Seed of everything.
        folder: Folder of the demo; a stopped demo goes on.
        restart: Delete what an earlier demo left in the folder.
    """
    if restart:
        shutil.rmtree(folder, ignore_errors=True)
    from skillgym.cli.demo_steps import Demo

    demo = Demo(folder, steps, minutes, seed)
    if from_scratch:
        demo.make_skills()
    print(demo.run())
