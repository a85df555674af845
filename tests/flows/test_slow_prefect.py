"""A Prefect server that answers late, or never: no source waits for it, and its record is all that is at stake."""

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from singanimation.flows.job.job import Job, open_job
from singanimation.flows.job.plan import plan_run
from singanimation.flows.job.progress import Reporter
from singanimation.flows.job.recording import Recording
from singanimation.flows.prefect_server.server import Server, connected
from singanimation.pipeline.settings import make_settings


class LateDoor:
    """Stands before a server's port and hands each of its answers over ``late`` seconds later; None: never."""

    def __init__(self, port: int, late: float | None) -> None:
        self._port, self._late = port, late
        self._door = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = [self._door]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._door.getsockname()[1]}/api"

    def close(self) -> None:
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                asked, _ = self._door.accept()
                self._open.append(asked)
                if self._late is None:
                    continue
                served = socket.create_connection(("127.0.0.1", self._port))
                self._open.append(served)
                threading.Thread(target=self._carry, args=(asked, served, 0.0), daemon=True).start()
                threading.Thread(target=self._carry, args=(served, asked, self._late), daemon=True).start()

    @staticmethod
    def _carry(here: socket.socket, there: socket.socket, late: float) -> None:
        with suppress(OSError):
            while data := here.recv(65536):
                time.sleep(late)
                there.sendall(data)
            there.shutdown(socket.SHUT_WR)


@contextmanager
def worked_off(faces, output) -> Iterator[tuple[Job, Recording]]:
    """A job whose sources were all worked on while Prefect was waited for."""
    settings = make_settings(input=str(faces), output=output, per_image=2, workers=2)
    with open_job(plan_run(settings), Reporter(), "fake_models:load") as job:
        assert len(job.chunks()) == 4  # a task each
        recording = Recording(job)
        job.queue.start()
        recording.start()
        assert job.queue.wait(60)
        yield job, recording


def test_a_server_that_never_answers_costs_its_record_alone(faces, tmp_path, monkeypatch, rows_of):
    door = LateDoor(0, None)
    monkeypatch.setenv("PREFECT_API_URL", door.address)
    try:
        with worked_off(faces, tmp_path / "out") as (job, recording):
            assert not recording.finish(1.0)
            assert job.totals.done == 4 and job.exit_code() == 0
            (note,) = job.notes
            assert "does not answer: no work is lost, but its record is." in note and door.address in note
            job.interrupt()
    finally:
        door.close()
    assert len({row["source_id"] for row in rows_of(tmp_path / "out")}) == 4


@pytest.mark.slow
def test_a_server_that_answers_late_has_its_record_and_nothing_waits(faces, tmp_path, monkeypatch, environment):
    from prefect.client.orchestration import get_client

    monkeypatch.setenv("PREFECT_HOME", environment["PREFECT_HOME"])
    server = Server()
    server.start()
    door = LateDoor(int(server.wait().rsplit(":", 1)[1].split("/")[0]), late=0.2)
    address = {"PREFECT_API_URL": door.address, "PREFECT_API_AUTH_STRING": server.auth_string}
    command = [sys.executable, str(Path(__file__).parent / "fake_augment.py"), "--input", str(faces), "--json"]
    command += ["--output", str(tmp_path / "out"), "--per-image", "2", "--workers", "2"]
    try:
        done = subprocess.run(command, env=environment | address, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        summary = json.loads(done.stdout)
        assert summary["notes"] == [] and summary["sources"]["worked_on"] == 4
        with connected(server), get_client(sync_client=True) as client:
            run = next(run for run in client.read_flow_runs() if run.name == summary["run_id"])
            tasks = [task.state_name for task in client.read_task_runs() if task.flow_run_id == run.id]
        assert run.state_name == "Completed" and tasks == ["Completed"] * 4
    finally:
        door.close()
        server.stop()
