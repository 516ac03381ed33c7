"""`skillgym collect`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

from skillgym_envs.collect import collect


def main(
    dataset: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="DATASET")],
    *,
    directory: Path | None = None,
    seed: int = 0,
    workers: int | None = None,
    no_resume: bool = False,
    overwrite: bool = False,
) -> None:
    """Make a Minari dataset with a scripted expert. The same command continues a stopped run.

    Args:
        dataset: Name of the dataset, for example kitchen-play; `skillgym worlds` lists all.
        directory: Minari's dataset folder; that of MINARI_DATASETS_PATH by default.
        seed: Seed of the dataset; the content depends on nothing else.
        workers: Processes; one per core by default.
        no_resume: Discard the episodes of an unfinished run instead of continuing it.
        overwrite: Replace a dataset that was made with other settings.
    """
    path = collect(dataset, directory, seed, workers, not no_resume, overwrite, progress=True)
    print(path)
