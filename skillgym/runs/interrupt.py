"""Ctrl-C that waits for the end of a training step."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class InterruptFlag:
    """True once Ctrl-C was pressed."""

    def __init__(self) -> None:
        self.raised = False

    def __bool__(self) -> bool:
        """Whether Ctrl-C was pressed."""
        return self.raised


@contextmanager
def deferred_interrupt() -> Iterator[InterruptFlag]:
    """Turn the first Ctrl-C into a flag; the second one interrupts at once.

    Outside the main thread, where Python allows no signal handlers, the flag stays false.

    Yields:
        The flag.
    """
    flag = InterruptFlag()
    if threading.current_thread() is not threading.main_thread():
        yield flag
        return
    previous = signal.getsignal(signal.SIGINT)

    def handle(number: int, frame: FrameType | None) -> None:
        flag.raised = True
        signal.signal(signal.SIGINT, previous)

    signal.signal(signal.SIGINT, handle)
    try:
        yield flag
    finally:
        signal.signal(signal.SIGINT, previous)
