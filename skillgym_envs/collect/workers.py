"""Processes that record episodes in parallel."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

from skillgym_envs.collect.episodes import Recorder
from skillgym_envs.collect.errors import WorkerDied
from skillgym_envs.collect.spec import DatasetSpec
from skillgym_envs.collect.staging import Staging

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

_recorder: Recorder  # of this worker process
_staging: Staging


def record_episodes(
    spec: DatasetSpec, staging: Staging, indices: Sequence[int], workers: int
) -> Iterator[int]:
    """Record and save episodes; yields the number of attempts of each when it is finished.

    A single worker records in this process, so that nothing needs to be importable by others.

    Raises:
        ExpertFailed: If the expert cannot complete an episode.
        WorkerDied: If the system ends a worker process.
        OSError: If an episode cannot be saved.
    """
    if workers == 1:
        recorder = Recorder(spec)
        try:
            for index in indices:
                yield _record(recorder, staging, index)
        finally:
            recorder.env.close()
        return
    with _one_thread_each():
        pool = ProcessPoolExecutor(
            workers, multiprocessing.get_context("spawn"), _start_worker, (spec, staging)
        )
        try:
            futures = [pool.submit(_work, index) for index in indices]
            for future in as_completed(futures):
                yield future.result()
        except BrokenProcessPool as error:
            raise WorkerDied(workers) from error
        finally:
            pool.shutdown(cancel_futures=True)


def _record(recorder: Recorder, staging: Staging, index: int) -> int:
    episode = recorder.record(index)
    staging.write(episode)
    return len(episode.facts["attempts"])


def _start_worker(spec: DatasetSpec, staging: Staging) -> None:
    global _recorder, _staging
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which stops us
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _recorder, _staging = Recorder(spec), staging


def _end_with_parent() -> None:
    """End this process when the parent is killed, as the pool would wait for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(index: int) -> int:
    return _record(_recorder, _staging, index)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Limit processes started inside to one thread each for linear algebra."""
    earlier = {name: os.environ.get(name) for name in _THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(_THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in earlier.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
