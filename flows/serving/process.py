"""One served run as a process of its own: started, ended with its service, and what became of it."""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from singanimation.flows.job.pool import LOADER
from singanimation.flows.serving.report import RunReport, error_of
from singanimation.pipeline.errors import ExitCode
from singanimation.pipeline.settings import Settings
from singanimation.pipeline.system import own_group_flags

STOPPING_SECONDS = 75.0
"""How long a run that is told to stop may take before it is killed: below systemd's 90 seconds."""

_DETAILS = 20_000


@dataclass(frozen=True)
class ServedJob:
    """What a service runs: fixed at its start, whatever anybody asks Prefect for. ``loader`` is not the users'."""

    settings: Settings
    loader: str = LOADER

    def as_json(self, flow_run: str | None) -> str:
        """Return what the run's process is told on its stdin, in one line."""
        options = self.settings.model_dump(mode="json", exclude_none=True)
        options["output"] = str(self.settings.output_folder.absolute())
        return json.dumps({"options": options, "loader": self.loader, "flow_run": flow_run})


class RunProcess:
    """Runs one job at a time in a process of its own."""

    def __init__(self, job: ServedJob) -> None:
        self._job = job
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()

    def run(self, due: datetime, flow_run: str | None = None) -> RunReport:
        """Run the job to its end and return its report. It raises nothing for a run that fails."""
        began, clock = datetime.now(UTC).astimezone(due.tzinfo), time.monotonic()
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            try:
                code = self._run(out, err, flow_run)
            except OSError as error:
                why = f"its process could not be started: {error}"
                return RunReport(due, began, 0.0, ExitCode.NOTHING_ACCEPTED, error=why)
            said = _text(err)
            summary = _summary(_text(out))
        seconds = round(time.monotonic() - clock, 1)
        if summary is not None and "held" in summary:
            return RunReport(due, began, seconds, code, skipped=summary["held"])
        error = None if self._stopping.is_set() and code < 0 else error_of(code, summary, said)
        return RunReport(due, began, seconds, code, summary, error, details=said if error else "")

    def stop(self) -> None:
        """Tell the run to stop, if there is one: it drops the source in hand and writes its summary."""
        self._stopping.set()
        process = self._process
        if process is not None and process.stdin is not None:
            process.stdin.close()

    def _run(self, out: Any, err: Any, flow_run: str | None) -> int:
        command = [sys.executable, "-m", "singanimation.flows.serving.run"]
        with subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=err,
            start_new_session=True,  # Ctrl-C is for the service, which passes it on
            creationflags=own_group_flags(),
        ) as process:
            self._process = process
            if process.stdin is not None:  # left open: the run ends when it closes, whatever ends the service
                process.stdin.write(self._job.as_json(flow_run).encode() + b"\n")
                process.stdin.flush()
            if self._stopping.is_set():
                self.stop()
            try:
                return self._wait(process)
            finally:
                self._process = None

    def _wait(self, process: subprocess.Popen[bytes]) -> int:
        asked: float | None = None
        while True:
            try:
                return process.wait(0.5)
            except subprocess.TimeoutExpired:
                if self._stopping.is_set():
                    asked = asked or time.monotonic()
                    if time.monotonic() - asked > STOPPING_SECONDS:
                        process.kill()


def _text(file: Any) -> str:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(size - _DETAILS * 50, 0))
    return file.read().decode(errors="replace")


def _summary(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
