"""What a run shows while it works: a live line on a terminal, now and then a plain one elsewhere, or nothing."""

import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Column

from singanimation.flows.source.outcome import Outcome

PLAIN_SECONDS = 60.0
"""Without a terminal, at most one line in this time."""


@dataclass
class Totals:
    """Counts of one run. ``rejected`` and ``failed`` are by reason; ``lost`` maps a source to why; ``rows`` are new."""

    sources: int = 0
    done: int = 0
    accepted: int = 0
    edits: int = 0
    rows: int = 0
    edits_rejected: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    lost: dict[str, str] = field(default_factory=dict)
    short: dict[str, int] = field(default_factory=dict)
    seconds_working: float = 0.0

    def add(self, outcome: Outcome) -> None:
        """Count one source."""
        self.done += 1
        self.accepted += outcome.accepted
        self.edits += outcome.edits
        self.rows += outcome.rows
        self.edits_rejected += outcome.edits_rejected
        self.rejected.update(outcome.rejected)
        self.seconds_working += outcome.seconds
        if outcome.lost is not None:
            self.lost[outcome.source_id] = outcome.lost
        elif outcome.failed is not None:
            self.failed[outcome.failed] += 1
        elif outcome.missing:
            self.short[outcome.source_id] = outcome.missing

    def line(self) -> str:
        """Return ``12/40 images, 96 variants (90 accepted, 6 rejected)``."""
        rejected = sum(self.rejected.values())
        return (
            f"{self.done}/{self.sources} images, {self.accepted + rejected} variants "
            f"({self.accepted} accepted, {rejected} rejected)"
        )


class Reporter:
    """Shows nothing; the other two show something."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def say(self, text: str) -> None:
        """Show one line."""

    def update(self, totals: Totals) -> None:
        """Show how far the run is."""


class PlainReporter(Reporter):
    """Lines of text, for logs and pipes."""

    def __init__(self, stream: TextIO | None = None, every: float = PLAIN_SECONDS) -> None:
        self._stream, self._every = stream or sys.stderr, every
        self._began = self._last = time.monotonic()

    def say(self, text: str) -> None:
        print(text, file=self._stream, flush=True)

    def update(self, totals: Totals) -> None:
        now = time.monotonic()
        if now - self._last < self._every or totals.done == 0:
            return
        self._last = now
        self.say(f"{totals.line()}, about {time_left(now - self._began, totals)}")


class RichReporter(Reporter):
    """A live line of at most 80 columns: a bar, images of all, variants accepted and rejected, the time left.

    The bar is what shrinks where the numbers are long.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._progress = Progress(
            BarColumn(bar_width=None, table_column=Column(ratio=1, min_width=3)),
            TextColumn("{task.completed:,.0f}/{task.total:,.0f} images", table_column=_whole()),
            TextColumn("{task.fields[counts]}", table_column=_whole()),
            TextColumn("{task.fields[left]}", table_column=_whole()),
            console=self._console,
            transient=True,
            expand=True,
        )
        self._began = time.monotonic()
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def say(self, text: str) -> None:
        self._progress.console.print(text, highlight=False, markup=False, emoji=False)

    def update(self, totals: Totals) -> None:
        counts = f"[green]{totals.accepted:,} kept[/] {sum(totals.rejected.values()):,} rejected"
        left = time_left(time.monotonic() - self._began, totals)
        if self._task is None:
            self._task = self._progress.add_task("augmenting", total=totals.sources, counts=counts, left=left)
        self._progress.update(self._task, completed=totals.done, total=totals.sources, counts=counts, left=left)


def time_left(elapsed: float, totals: Totals) -> str:
    """Return ``12 min left`` at the pace of the ``elapsed`` seconds so far; nothing before the first image."""
    if totals.done == 0:
        return ""
    return f"{readable_seconds(elapsed / totals.done * (totals.sources - totals.done))} left"


def _whole() -> Column:
    return Column(no_wrap=True, overflow="crop")


def make_reporter(quiet: bool) -> Reporter:
    """Return the reporter that suits where stderr goes."""
    if quiet:
        return Reporter()
    return RichReporter() if sys.stderr.isatty() else PlainReporter()


def readable_seconds(seconds: float) -> str:
    """Return ``45 s``, ``12 min``, ``3.5 h`` or ``12 days``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.0f} days"
