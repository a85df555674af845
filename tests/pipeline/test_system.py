"""What differs between operating systems, with the platform faked: what is called there, and what is not."""

import os
import subprocess
import sys
import time
import types
from pathlib import Path

import pytest

from singanimation.pipeline import pyfeat, system
from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.files.atomic import atomic_file
from singanimation.pipeline.weights.places import cache_folder
from singanimation.stages.action_units.pyfeat import worker


@pytest.fixture
def on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what Windows lacks, and make what does harm there a failure."""

    def forbidden(*_: object) -> None:
        raise AssertionError("not on Windows")

    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(os, "kill", forbidden)
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    opened = os.open

    def open_files_only(path, *rest, **named):
        if isinstance(path, (str, Path)) and os.path.isdir(path):  # noqa: PTH112 - Path would call os.open's neighbours
            raise PermissionError(13, "Permission denied")
        return opened(path, *rest, **named)

    monkeypatch.setattr(os, "open", open_files_only)


def test_a_file_is_written_whole_where_folders_cannot_be_opened(on_windows, tmp_path):
    with atomic_file(tmp_path / "a.txt") as file:
        file.write(b"whole")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a.txt", b"whole")]


def test_on_linux_the_folder_is_synced(monkeypatch, tmp_path):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(Path(f"/proc/self/fd/{descriptor}").readlink()))
    with atomic_file(tmp_path / "a.txt"):
        pass
    assert synced[-1] == tmp_path and len(synced) == 2


def test_macos_empties_the_drives_cache_where_it_can(monkeypatch, tmp_path):
    import fcntl

    asked = []
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(fcntl, "F_FULLFSYNC", 51, raising=False)
    monkeypatch.setattr(fcntl, "fcntl", lambda descriptor, command: asked.append(command))
    with (tmp_path / "a").open("wb") as file:
        system.sync_file(file.fileno())
        assert asked == [51]

        def refused(descriptor: int, command: int) -> None:
            raise OSError(45, "Operation not supported")

        monkeypatch.setattr(fcntl, "fcntl", refused)
        system.sync_file(file.fileno())  # a network drive: what fsync gives


def test_windows_tries_again_while_another_program_reads_the_target(on_windows, monkeypatch, tmp_path):
    made, tries = tmp_path / "made", []
    made.write_text("new")
    (tmp_path / "target").write_text("old")
    replace = Path.replace

    def busy_twice(self: Path, target: Path) -> Path:
        tries.append(target)
        if len(tries) < 3:
            raise PermissionError(13, "in use")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", busy_twice)
    monkeypatch.setattr(system.time, "sleep", lambda seconds: None)
    system.replace(made, tmp_path / "target")
    assert (tmp_path / "target").read_text() == "new" and len(tries) == 3


def test_elsewhere_a_refusal_is_a_refusal_at_once(monkeypatch, tmp_path):
    def refused(self: Path, target: Path) -> Path:
        raise PermissionError(13, "no")

    monkeypatch.setattr(Path, "replace", refused)
    monkeypatch.setattr(system.time, "sleep", lambda seconds: pytest.fail("waited"))
    with pytest.raises(PermissionError):
        system.replace(tmp_path / "a", tmp_path / "b")


def test_a_process_is_there_until_it_has_ended():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert system.process_runs(child.pid) and system.process_runs(os.getpid()) and system.process_runs(1)
    child.communicate(b"\n")
    assert not system.process_runs(child.pid) and not system.process_runs(-1)


def test_no_signal_is_sent_to_ask_whether_a_process_runs(monkeypatch, on_windows):
    fake = types.ModuleType("psutil")
    fake.pid_exists = lambda pid: pid == 7  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "psutil", fake)
    assert system.process_runs(7) and not system.process_runs(8)


def test_cores_and_processes_on_windows(on_windows, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 128)
    assert system.usable_cores() == 128
    assert system.most_processes(128) == 61 and system.most_processes(4) == 4


def test_cores_and_processes_on_linux():
    assert system.usable_cores() == len(os.sched_getaffinity(0)) and system.most_processes(128) == 128
    memory = system.available_memory()
    assert memory is not None and memory > 10**6


def test_worker_processes_are_spawned_everywhere():
    assert system.process_context().get_start_method() == "spawn"


def test_a_process_is_known_by_when_it_began():
    began = system.process_began(os.getpid())
    assert began is not None and 0 <= time.time() - began < 24 * 3600
    assert system.process_began(2**22 + 1) is None


def test_ctrl_c_does_not_reach_the_server(monkeypatch):
    assert system.own_group_flags() == 0
    monkeypatch.setattr(sys, "platform", "win32")
    assert system.own_group_flags() == 0x200


@pytest.mark.parametrize(
    ("platform", "variables", "place"),
    [
        ("linux", {}, ".cache"),
        ("darwin", {}, "Library/Caches"),
        ("win32", {}, "AppData/Local"),
        ("win32", {"LOCALAPPDATA": "/c/users/me/local"}, "/c/users/me/local"),
        ("win32", {"XDG_CACHE_HOME": "/x"}, "/x"),
        ("linux", {"XDG_CACHE_HOME": "/x"}, "/x"),
    ],
)
def test_the_users_cache(monkeypatch, platform, variables, place):
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA", "SINGANIMATION_WEIGHTS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    assert system.user_cache() == Path.home() / place
    assert cache_folder() == Path.home() / place / "singanimation" / "weights"


def test_py_feat_is_refused_on_windows_in_one_sentence(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(UsageError, match="not on Windows"):
        pyfeat.check_estimator("pyfeat")
    assert "Connection" in vars(worker)  # the pipes that the sentence speaks of
