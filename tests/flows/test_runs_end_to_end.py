"""Whole runs through Prefect in processes of their own: finished, killed, interrupted, scheduled, out of disk."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from fake_models import add_picture

HERE = Path(__file__).parent
PATIENCE = 400  # seconds; on a busy machine a new Prefect data base alone took two minutes
SLOW_FIT = ("--singan-iterations", "60")  # the fake regenerator then takes 0.6 s for a source


@pytest.fixture
def start(environment, faces, tmp_path):
    """Return a function that starts `augment` with the fake models on the faces."""
    started = []

    def run(*arguments: object, output: str | Path = "out", **options):
        command = [sys.executable, str(HERE / "fake_augment.py"), "--input", str(faces), "--per-image", "4"]
        command += ["--output", str(tmp_path / output), *map(str, arguments)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen(command, env=environment, **(pipes | options)))
        return started[-1]

    yield run
    for process in started:
        if process.poll() is None:
            process.kill()
            process.wait()


def parts(output: Path) -> list[Path]:
    return sorted((output / "manifest").glob("*.parquet"))


def wait_for(condition, seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.05)


def descendants(pid: int) -> list[int]:
    """Return the processes below ``pid`` (Linux)."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                child = int(stat.parent.name)
                found += [child, *descendants(child)]
        except OSError:
            continue
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def flow_states(home: str, output: Path) -> dict[str, int]:
    """Return how many flow runs that wrote to ``output`` Prefect has in which state."""
    try:
        with sqlite3.connect(f"file:{home}/prefect.db?mode=ro", uri=True) as database:
            rows = database.execute("select state_type, parameters from flow_run").fetchall()
    except sqlite3.OperationalError:  # not made yet
        return {}
    return dict(Counter(state for state, parameters in rows if str(output) in parameters))


def test_a_run_prints_one_json_summary_and_a_second_one_does_nothing(start, tmp_path, rows_of):
    out, err = start("--json", "--workers", "2", "--include-real").communicate(timeout=PATIENCE)
    summary = json.loads(out)
    assert summary["exit_code"] == 0 and summary["sources"]["worked_on"] == 4, err
    assert "Traceback" not in err and Path(summary["contact_sheet"]).exists()
    rows = rows_of(tmp_path / "out")
    second = start("--quiet", "--workers", "2", "--include-real")
    out, err = second.communicate(timeout=60)
    assert (second.returncode, out, err) == (0, "", "")
    assert rows_of(tmp_path / "out") == rows


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").exists(), reason="looks processes up in /proc")
def test_a_killed_run_leaves_no_process_and_goes_on_to_the_same_rows(
    start, augmented, environment, faces, tmp_path, rows_of
):
    hold = Path(environment["FAKE_HOLD"])
    hold.touch()
    first = start("--workers", "2", *SLOW_FIT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    home = environment["PREFECT_HOME"]
    wait_for(lambda: flow_states(home, tmp_path) == {"RUNNING": 1}, PATIENCE, "Prefect to have the run")
    hold.unlink()
    wait_for(lambda: len(parts(tmp_path / "out")) >= 1, PATIENCE, "the first part")
    below = descendants(first.pid)
    first.kill()
    first.wait()
    done = len(parts(tmp_path / "out"))
    assert 1 <= done < 4 and len(below) >= 3  # two workers and the server
    wait_for(lambda: not any(map(alive, below)), 15, "workers and server to end")
    again = start("--json", "--workers", "2", *SLOW_FIT)
    out, err = again.communicate(timeout=PATIENCE)
    assert again.returncode == 0, err
    assert json.loads(out)["sources"]["complete_before"] == done
    assert flow_states(home, tmp_path) == {"CRASHED": 1, "COMPLETED": 1}
    augmented(input=str(faces), output=tmp_path / "undisturbed", singan_iterations=60)
    assert rows_of(tmp_path / "out") == rows_of(tmp_path / "undisturbed")


def heed_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_keeps_what_is_finished_and_is_exit_code_130(start, tmp_path):
    # a shell that runs the tests in the background leaves SIGINT ignored for all its children
    process = start("--workers", "1", "--singan-iterations", "150", start_new_session=True, preexec_fn=heed_ctrl_c)
    wait_for(lambda: len(parts(tmp_path / "out")) >= 1, PATIENCE, "the first part")
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted" in err and "Traceback" not in err
    assert 1 <= len(parts(tmp_path / "out")) < 4
    assert not list((tmp_path / "out" / "manifest").glob(".*.tmp"))


def test_a_second_run_at_the_same_time_is_refused_and_says_by_whom(start, tmp_path):
    first = start("--workers", "1", *SLOW_FIT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: (tmp_path / "out" / "runs" / "holder.json").exists(), 60, "the lock")
    second = start()
    _, err = second.communicate(timeout=60)
    assert second.returncode == 2 and f"process {first.pid}" in err and "since" in err
    assert len(err.splitlines()) == 1


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0 or not Path("/proc/mounts").exists(), reason="mounts a small tmpfs: needs root")
def test_a_full_disk_is_exit_code_3_and_a_later_run_goes_on(start, tmp_path, rows_of):
    place = tmp_path / "small"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=700k", "tmpfs", str(place)], check=False).returncode:
        pytest.skip("this container may not mount a tmpfs")
    try:
        process = start("--workers", "1", output=place / "out")
        _, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 3 and "full" in err and "Traceback" not in err
        done = len(parts(place / "out"))
        assert done < 4 and not list((place / "out" / "manifest").glob(".*.tmp"))
        subprocess.run(["mount", "-o", "remount,size=20m", str(place)], check=True)
        process = start("--json", "--workers", "1", output=place / "out")
        out, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, err
        assert json.loads(out)["sources"]["complete_before"] == done and len(parts(place / "out")) == 4
    finally:
        subprocess.run(["umount", str(place)], check=False)


@pytest.mark.slow
def test_a_scheduled_run_really_starts_and_sigterm_ends_the_serving(environment, faces, tmp_path):
    out = tmp_path / "out"
    settings = {"input": str(faces), "output": str(out), "per_image": 2, "workers": 1}
    command = [sys.executable, str(HERE / "fake_serve.py"), json.dumps(settings), "5"]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        wait_for(lambda: len(parts(out)) == 4 or process.poll() is not None, PATIENCE, "the scheduled run's parts")
        assert process.poll() is None, process.communicate()[1]
        add_picture(faces, "train/fear/new.png", 99)
        wait_for(lambda: len(parts(out)) == 5, PATIENCE, "the new picture's part")
        wait_for(lambda: (out / "runs" / "serve.log").read_text().count(" new sources") >= 2, PATIENCE, "its line")
        below = descendants(process.pid)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=90)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0 and err.startswith("Serving ") and "Traceback" not in err
    assert "4 new sources" in err and "1 new sources" in err and "every 5 s" in err
    wait_for(lambda: not any(map(alive, below)), 15, "everything that was started to end")
