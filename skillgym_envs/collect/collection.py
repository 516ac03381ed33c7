"""The function that makes a dataset."""

from __future__ import annotations

import errno
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from minari.dataset.minari_storage import MinariStorage
from minari.storage import get_dataset_path

from skillgym_envs.collect.assembly import assemble
from skillgym_envs.collect.episodes import Episode
from skillgym_envs.collect.errors import DatasetExists, DiskFull
from skillgym_envs.collect.spec import DatasetSpec, dataset_spec
from skillgym_envs.collect.staging import Staging, differences
from skillgym_envs.collect.workers import record_episodes
from skillgym_envs.core.checks import check_count
from skillgym_envs.core.files import recover
from skillgym_envs.core.progress import progress_bar
from skillgym_envs.core.simulator import usable_cores

logger = logging.getLogger(__name__)


def collect(
    spec: DatasetSpec | str,
    directory: str | os.PathLike[str] | None = None,
    seed: int = 0,
    workers: int | None = None,
    resume: bool = True,
    overwrite: bool = False,
    progress: bool = False,
) -> Path:
    """Make a Minari dataset with its scripted expert.

    The content depends only on the spec, not on the number of workers or on interruptions of the
    run. A dataset that is already complete is left unchanged.

    Args:
        spec: A dataset, or the name of a shipped one such as `"kitchen-play"`.
        directory: Minari's dataset folder; that of `MINARI_DATASETS_PATH` if None.
        seed: Seed of a shipped dataset; a `DatasetSpec` has its own.
        workers: Number of processes; one per available core if None. More than one needs the usual
            `if __name__ == "__main__":` in the calling script.
        resume: Whether to continue an unfinished run.
        overwrite: Whether to replace a dataset that was made with other settings.
        progress: Whether to show a progress bar.

    Returns:
        The dataset's folder.

    Raises:
        UnknownDataset: If no shipped dataset has the name.
        DatasetExists: If there is a dataset with this id that was made with other settings.
        StaleEpisodes: If an unfinished run had other settings.
        ExpertFailed: If the expert cannot complete an episode.
        DiskFull: If there is no space left; the finished episodes are kept.
        InvalidConfig: If the seed is negative, or `workers` is not a positive integer.
        WorkerDied: If the system ends a worker process; the finished episodes are kept.
    """
    check_count("workers", workers)
    if isinstance(spec, str):
        spec = dataset_spec(spec, seed)
    root = get_dataset_path() if directory is None else Path(directory).absolute()
    path = root / spec.dataset_id
    recover(path)
    if path.exists() and not overwrite and _is_complete(path, spec):
        logger.info("%s is already complete.", path)
        return path
    staging = Staging.beside(path)
    with _disk_full_explained(staging, len(spec.plans)):
        began = time.perf_counter()
        staging.open(spec.identity(), resume)
        episodes = _all_episodes(spec, staging, workers or usable_cores(), progress)
        wall_seconds = time.perf_counter() - began
        assemble(spec, episodes, root, staging.path / "assembly", wall_seconds)
    staging.remove()
    return path


def _all_episodes(
    spec: DatasetSpec, staging: Staging, workers: int, progress: bool
) -> list[Episode]:
    total = len(spec.plans)
    episodes = [staging.read(index) for index in range(total)]
    retries, finished = 0, total - episodes.count(None)
    with progress_bar(
        total=total,
        initial=finished,
        desc=spec.dataset_id,
        unit="episode",
        disable=not progress,
    ) as bar:
        while missing := [index for index, episode in enumerate(episodes) if episode is None]:
            for attempts in record_episodes(spec, staging, missing, min(workers, len(missing))):
                retries += attempts - 1
                bar.set_postfix(retries=retries, refresh=False)
                bar.update()
            for index in missing:
                episodes[index] = staging.read(index)
    return [episode for episode in episodes if episode is not None]


def _is_complete(path: Path, spec: DatasetSpec) -> bool:
    try:
        metadata = MinariStorage.read_raw_metadata(path / "data")
    except ValueError:
        raise DatasetExists(path, ["everything, being no Minari dataset"]) from None
    if differing := differences(metadata, spec.identity()):
        raise DatasetExists(path, differing)
    return True


@contextmanager
def _disk_full_explained(staging: Staging, total: int) -> Iterator[None]:
    try:
        yield
    except (OSError, RuntimeError) as error:  # HDF5 raises either, with the errno in the text
        full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
        if not full and os.strerror(errno.ENOSPC) not in str(error):
            raise
        raise DiskFull(staging.path, len(staging.finished(total)), total) from error
