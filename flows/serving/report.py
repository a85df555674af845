"""What is said of a served run: one dated line on the terminal and in the log file, and its JSON for --on-failure."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from singanimation.flows.job.progress import readable_seconds
from singanimation.flows.job.summary import by_reason, trouble_of
from singanimation.pipeline.errors import ExitCode

COMMAND_SECONDS = 600.0
"""A --on-failure command that takes longer is ended: the next run must not wait for it for ever."""


@dataclass(frozen=True)
class RunReport:
    """What became of one run. ``due`` and ``began`` are aware moments, ``seconds`` its wall time.

    ``summary`` is the run's own (None where it did not come so far), ``error`` one sentence where it failed,
    ``skipped`` where it was not made because another run holds the output.
    """

    due: datetime
    began: datetime
    seconds: float
    exit_code: int
    summary: Mapping[str, Any] | None = None
    error: str | None = None
    skipped: str | None = None
    details: str = field(default="", repr=False)

    @property
    def failed(self) -> bool:
        """Say whether somebody should look: not for a run that was skipped, or stopped with the service."""
        return self.error is not None

    def as_json(self) -> str:
        """Return the report as one JSON object."""
        return json.dumps(asdict(self), sort_keys=True, default=lambda when: when.isoformat())


def error_of(code: int, summary: Mapping[str, Any] | None, said: str) -> str | None:
    """Return in one sentence why a run that ended with ``code`` failed, None where it did not.

    ``said`` is what its process wrote on stderr; a process that a signal ended has a negative code.
    """
    if code in (ExitCode.DONE, ExitCode.INTERRUPTED):
        return None
    if summary is not None and (trouble := trouble_of(summary)) is not None:
        return trouble
    if code < 0:
        return f"its process was killed by signal {-code} (out of memory?); the next run goes on from there."
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    ours = [line.removeprefix("augment: ") for line in lines if line.startswith("augment: ")]
    return (ours or lines or [f"its process ended with exit code {code}"])[-1]


def line_of(report: RunReport) -> str:
    """Return the line: when due, run id, new sources, accepted, rejected, failed with the reason, how long."""
    due = f"due {moment(report.due)}"
    took = readable_seconds(report.seconds)
    if report.skipped is not None:
        return f"{due}: skipped: {report.skipped}"
    parts = []
    if report.summary is not None:
        sources, variants = report.summary["sources"], report.summary["variants"]
        parts.append(f"run {report.summary['run_id']}: {sources['worked_on']:,} new sources")
        parts.append(f"{variants['accepted']:,} accepted, {sum(variants['rejected'].values()):,} rejected")
        parts.append(f"{sum(sources['failed'].values()):,} failed{by_reason(sources['failed'])}")
    parts.append(took)
    line = f"{due}: {', '.join(parts)}"
    if report.error is not None:
        return f"{line}; FAILED (exit code {report.exit_code}): {report.error}"
    return f"{line}; interrupted" if report.exit_code == ExitCode.INTERRUPTED else line


def moment(when: datetime) -> str:
    """Return ``Sat 28 Nov 02:00 Europe/Berlin`` (seconds where there are some)."""
    zone = when.tzinfo
    name = zone.key if isinstance(zone, ZoneInfo) else when.strftime("UTC%z").removesuffix("+0000")
    clock = f"{when:%a %d %b %H:%M:%S}" if when.second else f"{when:%a %d %b %H:%M}"
    return f"{clock} {name}"


class Teller:
    """Writes dated lines on stderr and into the log file. A log that cannot be written is said, and nothing ends."""

    def __init__(self, log: Path, zone: ZoneInfo) -> None:
        self._log, self._zone = log, zone

    def say(self, text: str, *, now: datetime, details: str = "") -> None:
        """Write one line, dated; ``details`` (such as a traceback) go into the log file alone."""
        line = f"{now.astimezone(self._zone):%Y-%m-%d %H:%M:%S%z} {text}"
        print(line, file=sys.stderr, flush=True)
        try:
            self._log.parent.mkdir(parents=True, exist_ok=True)
            with self._log.open("a", encoding="utf-8") as file:
                file.write("\n".join([line, *details.splitlines()]) + "\n")
        except OSError as error:
            print(f"augment: {self._log} cannot be written: {error.strerror}.", file=sys.stderr, flush=True)


def run_command(command: str, report: RunReport) -> str | None:
    """Run the user's --on-failure command with the report's JSON on its stdin; return a sentence where it failed."""
    try:
        done = subprocess.run(
            command,
            shell=True,  # the user's own line, as in a crontab; nothing of the run is put into it
            input=report.as_json().encode(),
            timeout=COMMAND_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"--on-failure {command!r} did not end well: {error}"
    return f"--on-failure {command!r} ended with exit code {done.returncode}." if done.returncode else None
