"""A served day in fast motion: real runs in processes of their own, a clock whose waiting takes no time."""

import json
import os
import signal
import subprocess
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from fake_models import add_picture

from singanimation.flows.serving.process import RunProcess, ServedJob
from singanimation.flows.serving.report import RunReport, Teller
from singanimation.flows.serving.schedule import read_cron
from singanimation.flows.serving.service import Clock, Service
from singanimation.manifests.care.verify import verify
from singanimation.pipeline.settings import make_settings

BERLIN = ZoneInfo("Europe/Berlin")


class DayClock(Clock):
    """Midnight to midnight; waiting takes no time, and the day's end stops the service."""

    def __init__(self) -> None:
        super().__init__()
        self.moment = datetime(2026, 11, 27, 0, 0, tzinfo=BERLIN).astimezone(UTC)
        self.end = self.moment + timedelta(days=1)

    def now(self) -> datetime:
        return self.moment

    def wait(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)
        if self.moment >= self.end:
            self.stop()


class EventfulRuns(RunProcess):
    """Does something to the world before each run; ``kill`` ends that run's process in its work."""

    def __init__(self, job: ServedJob, events: list, parts: Path) -> None:
        super().__init__(job)
        self.events, self.parts = events, parts

    def run(self, due: datetime, flow_run: str | None = None) -> RunReport:
        event = self.events.pop(0)
        if event == "kill":
            threading.Thread(target=self._kill, args=(len(list(self.parts.glob("part-*"))),), daemon=True).start()
        elif event is not None:
            event()
        return super().run(due, flow_run)

    def _kill(self, before: int) -> None:
        while len(list(self.parts.glob("part-*"))) == before:
            time.sleep(0.01)
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGKILL)


@pytest.mark.slow
def test_five_runs_of_a_day_one_failing_one_with_new_pictures_one_killed(
    faces, tmp_path, environment, monkeypatch, capsys, augmented, rows_of
):
    monkeypatch.setattr("singanimation.flows.serving.service.LOOK_SECONDS", 600.0)
    for name in ("PYTHONPATH", "PREFECT_HOME"):
        monkeypatch.setenv(name, environment[name])
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:1/api")  # Prefect is away the whole day
    out, told = tmp_path / "out", tmp_path / "told.json"
    options = {"input": str(faces), "output": out, "per_image": 2, "workers": 1, "singan_iterations": 30}
    hidden = tmp_path / "hidden"

    def more(first: int, count: int) -> None:
        for index in range(first, first + count):
            add_picture(faces, f"train/fear/new-{index}.png", 50 + index)

    events = [
        None,  # 00:00: four sources
        lambda: more(0, 2),  # 05:00: two new ones
        lambda: faces.rename(hidden),  # 10:00: the folder is away
        "kill",  # 15:00: four new ones, killed after the first
        None,  # 20:00: the rest
    ]
    runs = EventfulRuns(ServedJob(make_settings(**options), "fake_models:load"), events, out / "manifest")
    run_as_ever = runs.run

    def run(due: datetime, flow_run: str | None = None) -> RunReport:
        if due.astimezone(BERLIN).hour == 15:
            hidden.rename(faces)
            more(2, 4)
        return run_as_ever(due, flow_run)

    monkeypatch.setattr(runs, "run", run)
    log = out / "runs" / "serve.log"
    service = Service(
        read_cron("0 */5 * * *", BERLIN),
        runs,
        Teller(log, BERLIN),
        out / "runs" / "serve.json",
        clock := DayClock(),
        on_failure=f"cat >> {told}",
    )
    clock.moment -= timedelta(minutes=1)
    service.serve()
    lines = [line.split(" ", 2)[2] for line in log.read_text().splitlines() if " due " in line]
    print("\n".join(lines))
    assert [" 00:00 " in lines[0], " 05:00 " in lines[1], " 10:00 " in lines[2]] == [True] * 3
    assert "4 new sources" in lines[0] and "2 new sources" in lines[1]
    assert "FAILED (exit code 2)" in lines[2] and str(faces) in lines[2]
    assert "FAILED (exit code -9)" in lines[3] and "3 new sources" in lines[4]
    assert len(lines) == 5 and not any("FAILED" in line for line in (lines[0], lines[1], lines[4]))
    reports = [json.loads(text) for text in told.read_text().replace("}{", "}\n{").splitlines()]
    assert [report["exit_code"] for report in reports] == [2, -9]
    augmented(**(options | {"output": tmp_path / "undisturbed"}))
    assert rows_of(out) == rows_of(tmp_path / "undisturbed") and verify(out).clean
    said = capsys.readouterr()
    assert "Traceback" not in said.err


@pytest.mark.slow
def test_a_prefect_server_that_is_killed_in_mid_run_costs_its_record_alone(environment, faces, tmp_path):
    import sys

    hold, out = Path(environment["FAKE_HOLD"]), tmp_path / "out"
    hold.touch()
    command = [sys.executable, str(Path(__file__).parent / "fake_augment.py"), "--input", str(faces), "--json"]
    command += ["--output", str(out), "--per-image", "2", "--workers", "1"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        server = None
        while server is None:
            assert process.poll() is None
            server = next((pid for pid in _children(process.pid) if "prefect_server.server" in _command(pid)), None)
            time.sleep(0.05)
        time.sleep(5)  # at any time of its life
        os.kill(server, signal.SIGKILL)
        hold.unlink()
        stdout, stderr = process.communicate(timeout=400)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0 and "Traceback" not in stderr, stderr
    summary = json.loads(stdout)
    assert summary["sources"]["worked_on"] == 4 and len(list((out / "manifest").glob("part-*"))) == 4
    assert len(summary["notes"]) == 1 and "no work is lost" in summary["notes"][0] and summary["notes"][0] in stderr


def _children(pid: int) -> list[int]:
    import psutil

    return [child.pid for child in psutil.Process(pid).children()]


def _command(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
