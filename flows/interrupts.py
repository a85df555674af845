"""Ctrl-C and SIGTERM: at once while nothing is begun, orderly while something is in hand, at once the second time.

Before a command begins, Python is importing: an exception raised there may come out of a library's C code as anything.
Nothing is in hand yet, so that the process says its sentence and goes. Later both signals are a KeyboardInterrupt.
"""

import _thread
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)
INTERRUPTED = 130
SENTENCE = "interrupted; what was finished is kept, and the same command goes on from there."

_begun = False
_came = 0
_leave = False


def install() -> None:
    """Answer both signals from now on. Ctrl-C stays ignored where the shell ignores it for background jobs."""
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _answer)


def begin() -> None:
    """Say that a command begins: from now on a signal is a KeyboardInterrupt in the main thread."""
    global _begun
    _begun = True


def send() -> None:
    """Do from any thread what SIGTERM from outside does."""
    main = threading.main_thread().ident
    if main is not None and hasattr(signal, "pthread_kill"):
        signal.pthread_kill(main, signal.SIGTERM)
    else:
        _thread.interrupt_main(signal.SIGTERM)


def came() -> bool:
    """Say whether one of the signals came."""
    return _came > 0


def run(command: Callable[[], int]) -> int:
    """Return the exit code of ``command``; whatever it ends by after a signal is an interruption."""
    try:
        code = command()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException as error:
        if not came() and not isinstance(error, KeyboardInterrupt):
            raise
        print(f"augment: {SENTENCE}", file=sys.stderr, flush=True)
        code = INTERRUPTED
    for number in SIGNALS:  # the rest is Python's own tidying up
        signal.signal(number, signal.SIG_IGN)
    if _leave:
        from multiprocessing import util

        # gives the workers' semaphores back, which their tracker would complain of
        util._run_finalizers(0)  # pyright: ignore[reportAttributeAccessIssue]
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


def leave_at_the_end() -> None:
    """Let ``run`` end the process without waiting for others' threads: one of them does not end."""
    global _leave
    _leave = True


@contextmanager
def hold_interrupt() -> Iterator[Callable[[], bool]]:
    """Hold back the first signal and yield a function that says whether it came; a second one interrupts at once.

    The caller asks between two steps, saves, and raises KeyboardInterrupt itself. Outside the main thread, and where
    the signals are ignored or not Python's, nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    # SIGTERM is held only where it is answered: the system's own way with it is no handler of Python's
    before = {number: handler for number in SIGNALS if callable(handler := signal.getsignal(number))}
    came_now = False

    def note(number: int, frame: Any) -> None:
        nonlocal came_now
        came_now = True
        _give_back(before)

    for number in before:
        signal.signal(number, note)
    try:
        yield lambda: came_now
    finally:
        _give_back(before)


@contextmanager
def blocked() -> Iterator[None]:
    """Keep both signals from this thread and from the processes that it starts inside the block."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def unblock() -> None:
    """Let this process have the signals again that it was started without."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def _answer(number: int, frame: Any) -> None:
    global _came
    _came += 1
    if not _begun:
        os.write(2, f"augment: {SENTENCE}\n".encode())
    if not _begun or _came > 1:
        os._exit(INTERRUPTED)  # workers and server end with this process; locks are the system's to give back
    raise KeyboardInterrupt


def _give_back(handlers: dict[Any, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)
