"""Ctrl-C while something is in hand that should be finished first."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def hold_interrupt() -> Iterator[Callable[[], bool]]:
    """Hold back the first Ctrl-C and yield a function that says whether it came; a second one interrupts at once.

    The caller asks between two steps, saves, and raises KeyboardInterrupt itself. Outside the main thread, and where
    Ctrl-C is ignored, nothing changes.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield lambda: False
        return
    came = False

    def note(number: int, frame: Any) -> None:
        nonlocal came
        came = True
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, note)
    try:
        yield lambda: came
    finally:
        signal.signal(signal.SIGINT, before)
