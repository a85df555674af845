"""Downloads, against a server of the tests' own: whole, resumed, refused, pinned, and by two at the same time."""

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save
from weights_server import FileServer, serve

from singanimation.pipeline import weights
from singanimation.pipeline.errors import MachineError, UsageError, WeightsError
from singanimation.pipeline.weights import download
from singanimation.pipeline.weights.checks import record_path
from singanimation.pipeline.weights.entries import Entry

CONTENT = os.urandom(300_000)
SHA = hashlib.sha256(CONTENT).hexdigest()
FILE = "small.bin"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SINGANIMATION_WEIGHTS", str(tmp_path / "cache"))
    monkeypatch.setattr(download, "PAUSE_SECONDS", 0.01)
    return tmp_path / "cache"


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serve(CONTENT) as running:
        yield running


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch):
    """Return a function: address, hash -> the only entry there is."""

    def put(url: str, **known: Any) -> Entry:
        made = Entry("small", "tests", "none", "unknown", FILE, url, **known)
        monkeypatch.setattr("singanimation.pipeline.weights.entries.ENTRIES", {"small": made})
        return made

    return put


def test_a_file_is_fetched_whole_and_reported(server, register, cache: Path) -> None:
    register(server.url, sha256=SHA)
    told: list[tuple[int, int | None]] = []
    path = weights.fetch("small", report=lambda done, total: told.append((done, total)))
    assert path == cache / FILE and path.read_bytes() == CONTENT
    assert told[0] == (0, len(CONTENT)) and told[-1] == (len(CONTENT), len(CONTENT))
    left = sorted(entry.name for entry in cache.iterdir() if not entry.name.endswith(".lock"))
    assert left == [FILE, FILE + ".pin.json"]
    assert weights.fetch("small") == path and len(server.ranges) == 1  # the second time nothing is fetched


def test_a_broken_connection_is_resumed_where_it_broke(server, register) -> None:
    register(server.url, sha256=SHA)
    server.break_after = [100_000, 50_000]
    assert weights.fetch("small").read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=100000-", "bytes=150000-"]


def test_what_came_is_kept_when_the_line_keeps_breaking_and_the_next_call_goes_on(
    server, register, cache: Path
) -> None:
    register(server.url, sha256=SHA)
    server.break_after = [10_000] * download.ATTEMPTS
    with pytest.raises(WeightsError, match=r"broke 4 times .*40 kB are kept, and the same command goes on"):
        weights.fetch("small")
    assert not (cache / FILE).exists()
    assert weights.fetch("small").read_bytes() == CONTENT
    assert server.ranges[-1] == "bytes=40000-"


def test_a_server_that_ignores_range_starts_over(server, register) -> None:
    register(server.url, sha256=SHA)
    server.knows_range = False
    server.break_after = [100_000]
    assert weights.fetch("small").read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=100000-"]


def test_without_an_entity_tag_two_versions_are_never_joined(server, register) -> None:
    register(server.url, sha256=SHA)
    server.tag = ""
    server.break_after = [100_000]
    assert weights.fetch("small").read_bytes() == CONTENT
    assert server.ranges == [None, None]


def test_a_file_that_changed_between_two_attempts_comes_from_its_beginning(server, register) -> None:
    register(server.url)
    server.break_after = [100_000] * download.ATTEMPTS
    server.knows_range = False
    with pytest.raises(WeightsError, match="broke 4 times"):
        weights.fetch("small")
    server.knows_range, server.content, server.tag = True, CONTENT[::-1], '"two"'
    assert weights.fetch("small").read_bytes() == CONTENT[::-1]


def test_a_wrong_hash_removes_the_file_and_says_both(server, register, cache: Path) -> None:
    register(server.url, sha256="0" * 64)
    with pytest.raises(WeightsError, match=f"was removed: expected sha256 {'0' * 64}, found {SHA}"):
        weights.fetch("small")
    assert [entry.name for entry in cache.iterdir() if not entry.name.endswith(".lock")] == []


def test_the_prefix_in_the_file_name_is_checked(server, register, cache: Path) -> None:
    register(server.url, prefix=SHA[:8], prefix_from="its official file name")
    assert weights.fetch("small").read_bytes() == CONTENT
    register(server.url, prefix="12345678", prefix_from="its official file name")
    with pytest.raises(WeightsError, match=f"expected a sha256 that begins with 12345678 .*, found {SHA}"):
        weights.fetch("small", force=True)
    assert (cache / FILE).read_bytes() == CONTENT  # what was there before stays


def test_a_file_without_a_published_hash_is_pinned_and_a_later_change_is_refused(server, register, cache: Path) -> None:
    register(server.url)
    path = weights.fetch("small")
    pin = json.loads(record_path(path).read_text())
    assert pin["sha256"] == SHA and pin["from"] == server.url and pin["size"] == len(CONTENT)
    server.content, server.tag = CONTENT[::-1], '"two"'
    with pytest.raises(WeightsError, match=rf"expected sha256 {SHA} \(pinned .*delete .*pin.json if you trust"):
        weights.fetch("small", force=True)
    path.unlink()
    with pytest.raises(WeightsError, match="pinned when it was first used"):
        weights.fetch("small")
    record_path(path).unlink()
    assert weights.fetch("small").read_bytes() == CONTENT[::-1]


def test_without_a_hash_at_least_the_form_is_checked(server, cache: Path) -> None:
    whole = save({"weight": np.zeros(100, np.float32)})
    for content in (b'{"error": "log in first"}', whole[:-8]):
        server.content = content
        with pytest.raises(WeightsError, match="was removed: expected safetensors, found something else or a part"):
            weights.fetch("pyfeat", source=server.url)
    assert [entry.name for entry in cache.iterdir() if not entry.name.endswith(".lock")] == []
    server.content = whole
    assert weights.fetch("pyfeat", source=server.url).read_bytes() == whole


def test_offline_is_one_sentence_at_once(register) -> None:
    with serve(b"") as gone:
        url = gone.url
    register(url)
    began = time.monotonic()
    with pytest.raises(WeightsError, match=r"127.0.0.1 cannot be reached .*Connection refused.*fetch http.* by --from"):
        weights.fetch("small")
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [
        (404, "text/plain", "answered 404 Not Found for http"),
        (200, "text/html; charset=utf-8", "a web page in place of the file"),
    ],
)
def test_answers_that_are_no_file_are_refused(server, register, status: int, kind: str, said: str) -> None:
    register(server.url)
    server.status, server.kind = status, kind
    with pytest.raises(WeightsError, match=said):
        weights.fetch("small")


def test_a_local_file_and_a_mirror_are_checked_alike(server, register, tmp_path: Path) -> None:
    register("https://example.invalid/small.bin", sha256=SHA)
    (tmp_path / "carried.bin").write_bytes(CONTENT)
    assert weights.fetch("small", source=str(tmp_path / "carried.bin")).read_bytes() == CONTENT
    assert weights.fetch("small", source=server.url, force=True).read_bytes() == CONTENT
    (tmp_path / "carried.bin").write_bytes(b"other")
    with pytest.raises(WeightsError, match="was removed: expected sha256"):
        weights.fetch("small", source=str(tmp_path / "carried.bin"), force=True)
    with pytest.raises(UsageError, match="no such file, and no address"):
        weights.fetch("small", source=str(tmp_path / "absent.bin"), force=True)


def test_what_ships_is_not_fetched() -> None:
    with pytest.raises(UsageError, match="ships with the package"):
        weights.fetch("generator")


def test_a_full_disk_is_said_before_anything_is_written(server, register, monkeypatch: pytest.MonkeyPatch) -> None:
    register(server.url)
    monkeypatch.setattr(download, "free_bytes", lambda _: 1000)
    with pytest.raises(MachineError, match="has 1.0 kB left and 300 kB are needed"):
        weights.fetch("small")


def test_a_cache_that_cannot_be_written_is_said(register, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SINGANIMATION_WEIGHTS", str(tmp_path / "file" / "cache"))
    register("http://127.0.0.1:1/x")
    with pytest.raises(WeightsError, match=r"cannot be written .*SINGANIMATION_WEIGHTS"):
        weights.fetch("small")


def test_a_second_process_waits_and_finds_the_file_fetched_once(server, register, cache: Path) -> None:
    register(server.url, sha256=SHA)
    server.delay = threading.Event()
    first = threading.Thread(target=weights.fetch, args=("small",))
    first.start()
    code = (
        "from unittest.mock import patch; from singanimation.pipeline import weights;"
        "from singanimation.pipeline.weights.entries import Entry;"
        f"made = Entry('small', '', '', '', {FILE!r}, {server.url!r}, sha256={SHA!r});"
        "patch('singanimation.pipeline.weights.entries.ENTRIES', {'small': made}).start();"
        "print('begins', flush=True); print(weights.fetch('small'))"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as second:
        assert second.stdout.readline() == "begins\n"
        server.delay.set()
        assert second.stdout.readline().strip() == str(cache / FILE)
    first.join(10)
    assert second.returncode == 0 and len(server.ranges) == 1
