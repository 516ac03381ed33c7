"""`skillgym collect`."""

from __future__ import annotations

from pathlib import Path

import tyro

from skillgym_envs.collect import collect


def main(
    dataset: tyro.conf.Positional[str],
    *,
    directory: Path | None = None,
    seed: int = 0,
    workers: int | None = None,
    resume: bool = True,
    overwrite: bool = False,
) -> None:
    """Make a Minari dataset with a scripted expert. A killed run goes on where it was.

    Args:
        dataset: Name of a dataset that ships, for example kitchen-play or kitchen-play-mini.
        directory: Minari's dataset folder; that of MINARI_DATASETS_PATH by default.
        seed: Seed of the dataset; the content depends on nothing else.
        workers: Processes; one per core by default.
        resume: Go on with the episodes of an unfinished run.
        overwrite: Replace a dataset that was made with other settings.
    """
    path = collect(dataset, directory, seed, workers, resume, overwrite, progress=True)
    print(path)
