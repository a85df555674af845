"""The service with a clock of its own: what it runs when, what it says, and what it remembers."""

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from singanimation.flows.serving.report import RunReport, Teller, error_of, line_of, run_command
from singanimation.flows.serving.schedule import Every, read_cron
from singanimation.flows.serving.service import Clock, Service

BERLIN = ZoneInfo("Europe/Berlin")
BEGIN = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)  # a Friday, 13:00 in Berlin


class FastClock(Clock):
    """Waiting takes no time; the clock stops the service at ``end``. ``sleeps``: the machine sleeps that long, once."""

    def __init__(self, begin: datetime = BEGIN, days: float = 3, sleeps: timedelta = timedelta(0)) -> None:
        super().__init__()
        self.moment, self.end, self.sleeps = begin, begin + timedelta(days=days), sleeps

    def now(self) -> datetime:
        return self.moment

    def wait(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds) + self.sleeps
        self.sleeps = timedelta(0)
        if self.moment >= self.end:
            self.stop()


def summary(new: int = 0, failed: dict | None = None, lost: dict | None = None, code: int = 0) -> dict:
    sources = {"worked_on": new, "failed": failed or {}, "lost": lost or {}}
    variants = {"accepted": 8 * new, "rejected": {"sifid": new}}
    return {"run_id": "R1", "exit_code": code, "stopped": None, "sources": sources, "variants": variants}


class FakeRuns:
    """Each run takes so many seconds and ends as told; the last ending counts for all further runs."""

    def __init__(self, clock: FastClock, *ends: tuple[int, dict | None, str], seconds: float = 60) -> None:
        self.clock, self.ends, self.seconds = clock, list(ends) or [(0, summary(), "")], seconds
        self.made: list[tuple[datetime, str | None]] = []

    def run(self, due: datetime, flow_run: str | None = None) -> RunReport:
        self.made.append((due, flow_run))
        code, found, said = self.ends.pop(0) if len(self.ends) > 1 else self.ends[0]
        began = self.clock.now()
        self.clock.moment += timedelta(seconds=self.seconds)
        return RunReport(due, began, self.seconds, code, found, error_of(code, found, said))


@pytest.fixture
def serve(tmp_path, capsys, monkeypatch):
    """Return a function: run a service until its clock's end, and return what it said, without the dates."""

    monkeypatch.setattr("singanimation.flows.serving.service.LOOK_SECONDS", 600.0)

    def run(runs: FakeRuns, schedule=None, **options) -> list[str]:
        schedule = schedule or read_cron("0 2 * * *", BERLIN)
        teller = Teller(tmp_path / "out" / "serve.log", BERLIN)
        Service(schedule, runs, teller, tmp_path / "out" / "serve.json", runs.clock, **options).serve()
        said = capsys.readouterr().err.splitlines()
        assert said == (tmp_path / "out" / "serve.log").read_text().splitlines()
        (tmp_path / "out" / "serve.log").unlink()
        return [line.split(" ", 2)[2] for line in said]

    return run


def test_each_night_has_its_run_and_its_line(serve):
    runs = FakeRuns(FastClock(), (0, summary(3), ""), (0, summary(0, {"no_face": 2}), ""))
    assert serve(runs) == [
        'cron "0 2 * * *" Europe/Berlin; next: Sat 28 Nov 02:00 Europe/Berlin',
        "due Sat 28 Nov 02:00 Europe/Berlin: run R1: 3 new sources, 24 accepted, 3 rejected, 0 failed, 60 s",
        "next: Sun 29 Nov 02:00 Europe/Berlin",
        "due Sun 29 Nov 02:00 Europe/Berlin: run R1: 0 new sources, 0 accepted, 0 rejected, 2 failed (no_face 2), 60 s",
        "next: Mon 30 Nov 02:00 Europe/Berlin",
        "due Mon 30 Nov 02:00 Europe/Berlin: run R1: 0 new sources, 0 accepted, 0 rejected, 2 failed (no_face 2), 60 s",
        "next: Tue 01 Dec 02:00 Europe/Berlin",
    ]
    assert [due.hour for due, _ in runs.made] == [2, 2, 2]


def test_runs_missed_while_the_service_was_away_become_one(serve):
    serve(FakeRuns(FastClock(days=0.1)))
    runs = FakeRuns(FastClock(BEGIN + timedelta(days=5), days=0.1))
    said = serve(runs)
    assert len(runs.made) == 1 and runs.made[0][0].day == 28
    assert said[0] == "a run was missed while the service was away (due Sat 28 Nov 02:00 Europe/Berlin)"
    assert said[2] == "5 runs were due since Sat 28 Nov 02:00 Europe/Berlin: one is made for all"
    assert said[-1] == "next: Thu 03 Dec 02:00 Europe/Berlin"
    assert len(serve(FakeRuns(FastClock(BEGIN + timedelta(days=5.1), days=0.1)))) == 1  # nothing is missing now


def test_another_schedule_has_missed_nothing(serve):
    serve(FakeRuns(FastClock(days=0.1)))
    runs = FakeRuns(FastClock(BEGIN + timedelta(days=5), days=0.1))
    serve(runs, schedule=read_cron("0 3 * * *", BERLIN))
    assert runs.made == []


def test_a_machine_that_slept_makes_one_run_for_all(serve):
    runs = FakeRuns(FastClock(days=3.5, sleeps=timedelta(days=3)))
    said = serve(runs)
    assert len(runs.made) == 1
    assert "3 runs were due since Sat 28 Nov 02:00 Europe/Berlin: one is made for all" in said


def test_what_falls_due_while_a_run_is_at_work_is_skipped_and_said(serve):
    runs = FakeRuns(FastClock(days=2.6), seconds=30 * 3600)
    said = serve(runs)
    assert [due.day for due, _ in runs.made] == [28, 30]
    assert "1 due while that run was at work: skipped" in said


def test_an_interval_begins_at_once(serve):
    clock = FastClock(days=0.01)
    runs = FakeRuns(clock, seconds=1)
    serve(runs, schedule=Every(300, BEGIN, BERLIN))
    assert [due for due, _ in runs.made] == [BEGIN + timedelta(minutes=m) for m in (0, 5, 10)]


def test_a_clock_that_is_set_back_makes_no_run_twice(serve):
    clock = FastClock(days=1.8)
    runs = FakeRuns(clock, seconds=-3600)
    serve(runs)
    assert [due.day for due, _ in runs.made] == [28, 29]


@pytest.mark.parametrize(
    ("code", "found", "said", "words"),
    [
        (2, None, "augment: --splits dev: the input has no such pictures.\n", "--splits dev: the input has no such"),
        (3, summary(4, lost={"a.png": "disk"}), "", "1 sources are not done: a.png (disk)."),
        (3, summary() | {"stopped": "The disk is full."}, "", "The disk is full."),
        (1, summary(1, {"no_face": 1}, code=1), "", "nothing was accepted (no_face 1)."),
        (-9, None, "", "killed by signal 9"),
        (1, None, "Traceback (most recent call last):\nValueError: 7\n", "ValueError: 7"),
    ],
)
def test_a_failed_run_is_said_and_its_command_is_given_the_json(serve, code, found, said, words):
    given: list[RunReport] = []

    def command(line: str, report: RunReport) -> None:
        assert line == "tell me"
        given.append(report)

    runs = FakeRuns(FastClock(days=2), (code, found, said), (0, summary(), ""))
    lines = serve(runs, on_failure="tell me", command=command)
    assert f"FAILED (exit code {code}): " in lines[1] and words in lines[1]
    assert len(given) == 1 and len(runs.made) == 2
    told = json.loads(given[0].as_json())
    assert (told["exit_code"], told["due"]) == (code, "2026-11-28T02:00:00+01:00") and words in told["error"]


def test_what_is_interrupted_or_held_by_another_run_has_not_failed():
    stopped = RunReport(BEGIN, BEGIN, 1.0, 130, summary(1), error_of(130, summary(1), ""))
    assert not stopped.failed and line_of(stopped).endswith("; interrupted")
    held = RunReport(BEGIN, BEGIN, 1.0, 2, skipped="out is in use by process 7.")
    assert not held.failed and line_of(held) == "due Fri 27 Nov 12:00 UTC: skipped: out is in use by process 7."


def test_a_command_gets_the_json_on_stdin_and_its_own_failure_is_said(tmp_path):
    report = RunReport(BEGIN, BEGIN, 1.0, 3, None, "the reason; $(touch hacked)")
    kept = tmp_path / "report.json"
    assert run_command(f"cat > {kept}", report) is None
    assert json.loads(kept.read_text())["error"] == "the reason; $(touch hacked)"
    assert "ended with exit code 7" in (run_command("exit 7", report) or "")


class FakeRequests:
    """A Prefect server that asks for one run, and records those that are due."""

    def __init__(self) -> None:
        self.waiting = ["asked-1"]

    def begin(self, due: datetime) -> str:
        return f"flow run of {due:%d}"

    def asked(self) -> str | None:
        return self.waiting.pop() if self.waiting else None


def test_a_run_that_is_asked_for_in_prefect_is_made_beside_the_schedule(serve):
    runs = FakeRuns(FastClock(days=1))
    said = serve(runs, requests=FakeRequests())
    assert [flow_run for _, flow_run in runs.made] == ["asked-1", "flow run of 28"]
    assert "a run was asked for in Prefect; it does what this service was started with" in said


def test_a_log_that_cannot_be_written_is_said_and_ends_nothing(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    Teller(tmp_path / "file" / "serve.log", BERLIN).say("hello", now=BEGIN)
    assert "2026-11-27 13:00:00+0100 hello" in (said := capsys.readouterr().err) and "cannot be written" in said
