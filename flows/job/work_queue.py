"""Who works on which source: Prefect's tasks, and threads of ours that work while Prefect is not there.

Prefect takes seconds to start, and may be slow, away, or killed while a run is at work. No source waits for that: our
threads begin at once, stand back while as many tasks are at work, and go on where there are none.
"""

import threading
from collections.abc import Callable


class WorkQueue:
    """The sources 0 .. ``count`` - 1 of a run, each worked on once, by at most ``threads`` threads at a time or so."""

    def __init__(self, count: int, threads: int, work: Callable[[int], None]) -> None:
        """``work(index)`` works on one source and raises nothing that is not the whole run's end."""
        self._count, self._threads, self._work = count, threads, work
        self._changed = threading.Condition()
        self._claimed, self._done = bytearray(count), bytearray(count)
        self._first_free, self._left, self._tasks = 0, count, 0
        self._ended = False
        self.fault: BaseException | None = None

    def start(self) -> None:
        """Start our threads."""
        for _ in range(min(self._threads, self._count)):
            threading.Thread(target=self._help, name="augment", daemon=True).start()

    def chunk(self, first: int, end: int) -> int:
        """Work on those of the sources ``first`` .. ``end`` - 1 that nobody has, wait for the rest; return how many."""
        with self._changed:
            self._tasks += 1
        try:
            for index in range(first, end):
                if self._claim(index):
                    self._do(index)
        finally:
            with self._changed:
                self._tasks -= 1
                self._changed.notify_all()
        with self._changed:
            self._changed.wait_for(lambda: self._ended or all(self._done[first:end]))
        return end - first

    def wait(self, seconds: float) -> bool:
        """Wait so long for the end; say whether it came: all sources done, or ``stop``."""
        with self._changed:
            return self._changed.wait_for(lambda: self._ended or not self._left, seconds)

    def stop(self) -> None:
        """Hand out nothing more, and let nobody wait."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _help(self) -> None:
        while (index := self._next()) is not None:
            self._do(index)

    def _next(self) -> int | None:
        with self._changed:
            self._changed.wait_for(lambda: self._ended or not self._unclaimed() or self._tasks < self._threads)
            if self._ended or not self._unclaimed():
                return None
            self._claimed[self._first_free] = 1
            return self._first_free

    def _unclaimed(self) -> bool:
        while self._first_free < self._count and self._claimed[self._first_free]:
            self._first_free += 1
        return self._first_free < self._count

    def _claim(self, index: int) -> bool:
        with self._changed:
            if self._ended or self._claimed[index]:
                return False
            self._claimed[index] = 1
            return True

    def _do(self, index: int) -> None:
        try:
            self._work(index)
        except BaseException as error:
            self.fault = self.fault or error
            self.stop()
            return
        with self._changed:
            self._done[index] = 1
            self._left -= 1
            self._changed.notify_all()
