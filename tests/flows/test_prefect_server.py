"""The server that a run starts: it answers those who know its password, on loopback alone, and keeps its files."""

import json
import os
import stat
import subprocess
import urllib.error
import urllib.request
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from uuid import UUID

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from singanimation.flows.prefect_server import server as servers
from singanimation.flows.prefect_server.server import Server, connected, prepare_environment


@pytest.fixture(scope="module")
def running(prefect_home):
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PREFECT_HOME", str(prefect_home))
        server = Server()
        server.start()
        server.wait()
        yield server
        server.stop()


def ask(url: str, body: dict | None = None, **headers: str) -> tuple[int, dict]:
    """Ask as a stranger would; return status and headers."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **headers})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, dict(answer.headers)
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers)


def flow_runs() -> int:
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        return len(client.read_flow_runs())


def test_a_stranger_gets_401_and_nothing_runs(running):
    run = {"name": "x", "flow_id": "00000000-0000-0000-0000-000000000001"}
    with connected(running):
        before = flow_runs()
    for path in ("flow_runs/", "deployments/", "deployments/filter", "flows/filter", "admin/database/clear"):
        for headers in ({}, {"Authorization": "Basic c3RyYW5nZXI6"}, {"Authorization": "Bearer x"}):
            assert ask(f"{running.api_url}/{path}", run, **headers)[0] == 401
    with connected(running):
        assert flow_runs() == before
    assert ask(f"{running.api_url}/health")[0] == 200


def test_no_page_of_another_origin_is_answered(running):
    for origin in ("http://evil.example", "http://localhost:3000", "null"):
        _, headers = ask(f"{running.api_url}/health", Origin=origin)
        assert "access-control-allow-origin" not in {name.lower() for name in headers}


def test_each_server_has_a_password_of_its_own():
    assert Server().auth_string != Server().auth_string and len(Server().auth_string) > 40


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="looks sockets up in /proc")
def test_it_listens_on_loopback_alone_and_its_files_are_its_owners(running, prefect_home):
    port = f"{int(running.api_url.split(':')[2].split('/')[0]):04X}"
    listening = [line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines()[1:] if " 0A " in line]
    assert [place for place in listening if place.endswith(f":{port}")] == [f"0100007F:{port}"]
    made = [path for path in prefect_home.iterdir() if path.is_file()]
    assert made and all(stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 for path in made)


def test_the_folder_of_the_server_is_closed_to_others(tmp_path, monkeypatch):
    monkeypatch.delenv("PREFECT_HOME", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cache = tmp_path / "singanimation" / f"prefect-{version('prefect')}"  # a later release's data base suits no other
    cache.mkdir(parents=True, mode=0o755)
    prepare_environment()
    home = Path(os.environ["PREFECT_HOME"])
    assert home == cache and stat.S_IMODE(home.stat().st_mode) == 0o700
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "own" / "place"))
    prepare_environment()
    assert stat.S_IMODE((tmp_path / "own" / "place").stat().st_mode) == 0o700


def test_a_server_that_ends_at_once_is_one_sentence(monkeypatch, tmp_path):
    from singanimation.pipeline.errors import SinganimationError

    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    monkeypatch.setattr(servers.sys, "executable", "/bin/true")
    server = Server()
    server.start()
    with pytest.raises(SinganimationError, match="did not start"):
        server.wait()
    server.stop()


def test_the_runs_of_processes_that_are_gone_are_told_from_those_at_work():
    from singanimation.flows.prefect_server.crashed_runs import is_gone, process_tag

    with subprocess.Popen(["/bin/true"]) as ended:
        ended.wait()
    here, number, began = process_tag().rsplit(":", 2)
    assert not is_gone([process_tag(), "other"])
    assert is_gone([f"{here}:{ended.pid}:{began}"])
    assert is_gone([f"{here}:{number}:{float(began) - 3600:.0f}"])  # the number was given again
    assert not is_gone([f"process:elsewhere:{ended.pid}:{began}"]) and not is_gone([])


def test_a_services_deployment_records_runs_hears_requests_and_keeps_its_name(running, monkeypatch):
    from prefect.client.orchestration import get_client

    from singanimation.flows.serving.deployment import Deployment
    from singanimation.pipeline.errors import UsageError

    said: list[str] = []
    due = datetime(2026, 11, 28, 2, 0, tzinfo=UTC)
    with connected(running):
        deployment = Deployment("nightly", "aaaa", {"input": "x"}, "cron", said.append)
        first = deployment.begin(due)
        assert first is not None and deployment.asked() is None
        with get_client(sync_client=True) as client:
            run = client.read_flow_run(UUID(first))
            assert run.name == "due 2026-11-28 02:00:00+0000" and run.state is not None and run.state.is_pending()
            assert run.deployment_id is not None
            asked = client.create_flow_run_from_deployment(run.deployment_id, parameters={"options": {"input": "/etc"}})
        assert deployment.asked() == str(asked.id)
        Deployment("nightly", "aaaa", {"input": "x"}, "cron", said.append)  # the same service, started again
        with pytest.raises(UsageError, match="--name nightly"):
            Deployment("nightly", "bbbb", {"input": "y"}, "cron", said.append)
    assert said == []
    with temporary_settings(updates={PREFECT_API_URL: "http://127.0.0.1:1/api"}):
        assert deployment.begin(due) is None and deployment.asked() is None
    assert len(said) == 1 and "Prefect does not answer" in said[0]
