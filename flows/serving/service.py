"""The service: waits until a run is due, has it run, tells what came of it, until it is stopped.

Its own clock decides, not Prefect's scheduler (which starts all missed runs at once, misses the days of the clock
change, and stops with its server). One run at a time: what was missed while the service or the machine was away
becomes one run, what falls due while a run is at work is skipped; both are said.
"""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from singanimation.flows.serving.report import RunReport, Teller, line_of, moment, run_command
from singanimation.flows.serving.schedule import Cron, Schedule, count_due
from singanimation.pipeline.errors import MachineError
from singanimation.pipeline.files.atomic import atomic_file

LOOK_SECONDS = 15.0
"""How often the wall clock is looked at (it may be set, the machine may sleep), and Prefect asked for requests."""


class Clock:
    """The machine's time, and waiting that ``stop`` ends."""

    def __init__(self) -> None:
        self._stopped = threading.Event()

    def now(self) -> datetime:
        """Return the moment, in UTC."""
        return datetime.now(UTC)

    def wait(self, seconds: float) -> None:
        """Wait so long, or until ``stop``."""
        self._stopped.wait(seconds)

    def stop(self) -> None:
        """End the waiting for good."""
        self._stopped.set()

    @property
    def stopped(self) -> bool:
        """Say whether ``stop`` was called."""
        return self._stopped.is_set()


class Runs(Protocol):
    """What runs the job: ``RunProcess``."""

    def run(self, due: datetime, flow_run: str | None = None) -> RunReport:
        """Run the job and report."""
        ...


class Requests(Protocol):
    """What a Prefect server of the user's adds: runs are recorded there, and may be asked for there."""

    def begin(self, due: datetime) -> str | None:
        """Return the id of a new flow run for a due run, None where it cannot be recorded."""
        ...

    def asked(self) -> str | None:
        """Return the id of a flow run that somebody asked for, None where there is none."""
        ...


@dataclass
class Service:
    """A schedule and what it runs. ``memory`` is the file that remembers what is due next over restarts."""

    schedule: Schedule
    runs: Runs
    teller: Teller
    memory: Path
    clock: Clock
    on_failure: str | None = None
    requests: Requests | None = None
    command: Callable[[str, RunReport], str | None] = run_command

    def serve(self) -> None:
        """Run what is due until the clock is stopped."""
        due = self._first_due()
        while not self.clock.stopped:
            self._remember(due)
            asked = self._wait_until(due)
            if self.clock.stopped:
                break
            if asked is not None:
                self._say("a run was asked for in Prefect; it does what this service was started with")
                self._run(self.clock.now().astimezone(self.schedule.zone), asked)
                continue
            late = count_due(self.schedule, due, self.clock.now())
            if late:
                self._say(f"{late + 1:,} runs were due since {moment(due)}: one is made for all")
            began = self.clock.now()
            self._run(due, self.requests.begin(due) if self.requests else None)
            now = self.clock.now()
            passed = count_due(self.schedule, max(began, due), now)
            if passed and not self.clock.stopped:
                self._say(f"{passed:,} due while that run was at work: skipped")
            due = self.schedule.next_after(max(now, due))
            if not self.clock.stopped:
                self._say(f"next: {moment(due)}")

    def _first_due(self) -> datetime:
        now = self.clock.now()
        missed = self._missed(now)
        due = missed or (self.schedule.next_after(now) if isinstance(self.schedule, Cron) else now)
        due = due.astimezone(self.schedule.zone)
        first = "now" if due <= now else moment(due)
        if missed is not None:
            self._say(f"a run was missed while the service was away (due {moment(due)})")
        self._say(f"{self.schedule.describe()}; next: {first}")
        return due

    def _missed(self, now: datetime) -> datetime | None:
        """Return when a run of this schedule was due before ``now`` and not made, None where none was."""
        try:
            kept = json.loads(self.memory.read_text(encoding="utf-8"))
            due = datetime.fromisoformat(kept["next"])
            same = kept["schedule"] == self.schedule.describe() and isinstance(self.schedule, Cron)
            return due if same and due <= now else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _remember(self, due: datetime) -> None:
        content = {"schedule": self.schedule.describe(), "next": due.isoformat()}
        try:
            with atomic_file(self.memory) as file:
                file.write((json.dumps(content) + "\n").encode())
        except MachineError as error:
            self._say(str(error))

    def _wait_until(self, due: datetime) -> str | None:
        """Wait until ``due`` and return None, or the id of a run that is asked for meanwhile."""
        while not self.clock.stopped and (left := due - self.clock.now()) > timedelta(0):
            if self.requests is not None and (asked := self.requests.asked()) is not None:
                return asked
            self.clock.wait(min(left.total_seconds(), LOOK_SECONDS))
        return None

    def _run(self, due: datetime, flow_run: str | None) -> None:
        report = self.runs.run(due, flow_run)
        self._say(line_of(report), details=report.details)
        if report.failed and self.on_failure is not None:
            trouble = self.command(self.on_failure, report)
            if trouble is not None:
                self._say(trouble)

    def _say(self, text: str, details: str = "") -> None:
        self.teller.say(text, now=self.clock.now(), details=details)
