"""Threads that help the calling one; cheaper than an executor with a future per step."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue

Task = Callable[[], None]


class Workers:
    """Runs a task in several threads at the same time, the calling one included.

    Args:
        num_helpers: Number of threads besides the calling one.
        name: Name of the threads.
    """

    def __init__(self, num_helpers: int, name: str) -> None:
        self._tasks: list[SimpleQueue[Task | None]] = [SimpleQueue() for _ in range(num_helpers)]
        self._done: SimpleQueue[BaseException | None] = SimpleQueue()
        for tasks in self._tasks:
            args = tasks, self._done
            threading.Thread(target=_work, args=args, name=name, daemon=True).start()

    def run(self, task: Task) -> None:
        """Run a task once in every thread, and wait for all.

        Raises:
            BaseException: The first error of a thread.
        """
        for tasks in self._tasks:
            tasks.put(task)
        try:
            task()
        finally:
            errors = [error for _ in self._tasks if (error := self._done.get()) is not None]
        if errors:
            raise errors[0]

    def stop(self) -> None:
        """End the threads. Stopping twice is fine."""
        for tasks in self._tasks:
            tasks.put(None)
        self._tasks = []

    def __del__(self) -> None:
        """End the threads of an owner that was not closed."""
        self.stop()


def _work(tasks: SimpleQueue[Task | None], done: SimpleQueue[BaseException | None]) -> None:
    while (task := tasks.get()) is not None:
        error = None
        try:
            task()
        except BaseException as caught:  # raised in the calling thread
            error = caught
        del task  # it references the simulator, whose deletion ends this thread
        done.put(error)
        del error
