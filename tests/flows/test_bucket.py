"""An output and an input in a bucket: the rows of a folder, whole or absent parts, one run at a time, clear words."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from fake_models import add_picture
from torch.utils.data import DataLoader

from singanimation.flows.job.resume import open_manifest
from singanimation.manifests.care.compact import compact
from singanimation.manifests.care.verify import verify
from singanimation.manifests.reading import part_paths, read
from singanimation.manifests.torch_dataset import ManifestDataset
from singanimation.pipeline.datasets.registry import open_input
from singanimation.pipeline.errors import DatasetError, MachineError, OutputError, OutputHeldError, UsageError
from singanimation.pipeline.files import lease
from singanimation.pipeline.files.atomic import atomic_file
from singanimation.pipeline.files.places import place, store_of
from singanimation.pipeline.runs import hold_output
from singanimation.pipeline.settings import make_settings

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def server():
    """A local S3 server of its own, in another process; its address."""
    pytest.importorskip("s3fs", reason="s3fs is not installed here: pip install 'singanimation[s3]'")
    pytest.importorskip("moto.server", reason="moto is not installed here: pip install 'singanimation[dev]'")
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        port = door.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while process.poll() is None:
        with socket.socket() as door:
            if door.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    process.kill()
    process.wait()


@pytest.fixture
def bucket(server, monkeypatch, tmp_path):
    """A bucket of this test's own, as a place."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "name")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = place(f"s3://{tmp_path.name.replace('_', '-').lower()[:50].strip('-')}")
    store, name = store_of(root)
    store.mkdir(name)
    return root


@pytest.fixture
def rows_in():
    """Return a function: output in a bucket -> its rows, as ``rows_of`` gives a folder's."""

    def rows(output: Path) -> list[dict]:
        found = []
        for part in part_paths(output):
            found += pq.read_table(part.open("rb")).to_pylist()
        for row in found:
            for name in ("run_id", "created_at", "settings_sha256"):
                row.pop(name)
        return sorted(found, key=lambda row: row["variant_id"])

    return rows


def test_a_bucket_holds_the_rows_of_a_folder_and_a_second_run_finds_them(
    bucket, augmented, faces, tmp_path, rows_of, rows_in
):
    there = bucket / "grown"
    options = {"input": str(faces), "workers": 2}
    augmented(output=tmp_path / "out", **options)
    first = augmented(output=str(there), limit=2, **options)
    assert first["output"] == str(there) and first["exit_code"] == 0
    summary = augmented(output=str(there), **options)
    assert summary["sources"]["complete_before"] == 2 and summary["sources"]["worked_on"] == 2
    assert rows_in(there) == rows_of(tmp_path / "out")
    assert augmented(output=str(there), **options)["sources"]["worked_on"] == 0
    names = {path.name for path in (there / "runs" / first["run_id"]).iterdir()}
    assert names == {"settings.json", "summary.json", "log"} and (there / "contact_sheet.png").is_file()
    assert not [path for path in (there / "runs").iterdir() if path.name.startswith(".")]  # no lock is left

    assert verify(str(there)).clean
    assert len(read(str(there), kind="variant")) == len(read(tmp_path / "out", kind="variant"))
    data = ManifestDataset(str(there), split="train")
    loader = DataLoader(data, batch_size=4, num_workers=2, multiprocessing_context="fork")
    assert sum(len(labels) for _, labels in loader) == len(data) > 0

    before = rows_in(there)
    assert compact(there).before == 4 and len(part_paths(there)) == 1
    assert rows_in(there) == before and verify(str(there)).clean
    part = part_paths(there)[0]
    part.write_bytes(part.read_bytes()[:100])
    assert len(open_manifest(there / "manifest").problems) == 1


def test_an_error_in_mid_write_publishes_nothing(bucket):
    target = bucket / "a" / "file"
    with atomic_file(target) as file:
        file.write(b"good")
    with pytest.raises(ZeroDivisionError), atomic_file(target) as file:
        file.write(b"half")
        raise ZeroDivisionError
    assert target.read_bytes() == b"good"
    store, name = store_of(bucket)
    assert store.find(name) == [f"{name}/a/file"]


@pytest.mark.slow
def test_a_run_that_is_killed_is_gone_on_with(bucket, augmented, tmp_path, rows_of, rows_in, environment):
    from fake_models import write_faces

    there, faces = bucket / "grown", write_faces(tmp_path / "faces", 8)
    options = {"input": str(faces), "per_image": 4, "workers": 2, "singan_iterations": 20}
    settings = json.dumps(options | {"output": str(there)})
    process = subprocess.Popen([sys.executable, str(HERE / "fake_job.py"), settings], env=environment | os.environ)
    while process.poll() is None and len(list((there / "manifest").glob("*.parquet"))) < 2:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    marks = [path.name for path in (there / "runs").iterdir() if path.name.startswith(".lock")]
    assert marks == [".lock-000001"] and len(part_paths(there)) < 8
    summary = augmented(output=str(there), **options)
    assert summary["exit_code"] == 0 and summary["sources"]["complete_before"] >= 2
    augmented(output=tmp_path / "out", **options)
    assert rows_in(there) == rows_of(tmp_path / "out")


def test_one_run_holds_a_place_and_an_old_mark_is_passed_over(bucket, monkeypatch):
    runs = bucket / "grown" / "runs"
    with hold_output(bucket / "grown"):
        with (
            pytest.raises(OutputHeldError, match=f"in use by process {os.getpid()} on "),
            hold_output(bucket / "grown"),
        ):
            pass
        assert [path.name for path in runs.iterdir()] == [".lock-000001"]
    far = {"pid": 1, "began": 0, "host": "elsewhere", "since": "2026-01-01T00:00:00Z", "token": "x"}
    (runs / ".lock-000007").write_bytes(json.dumps(far).encode())
    with pytest.raises(OutputHeldError, match="process 1 on elsewhere since 2026"), hold_output(bucket / "grown"):
        pass
    monkeypatch.setattr(lease, "STALE_SECONDS", -1.0)
    with hold_output(bucket / "grown"):
        assert [path.name for path in runs.iterdir()] == [".lock-000008"]


def test_a_run_whose_mark_was_passed_over_is_told(bucket, monkeypatch):
    monkeypatch.setattr(lease, "RENEW_SECONDS", 0.05)
    told = []
    runs = bucket / "grown" / "runs"
    with lease.hold_place(runs, str, lambda: told.append(True)):
        time.sleep(0.2)
        assert told == []
        (runs / ".lock-000002").write_bytes(b"{}")
        deadline = time.monotonic() + 10
        while not told and time.monotonic() < deadline:
            time.sleep(0.02)
    assert told == [True]


def test_an_overwriting_store_is_refused(bucket, monkeypatch):
    monkeypatch.setattr(lease, "_make", lambda mark: True)
    with pytest.raises(OutputError, match="If-None-Match"), hold_output(bucket / "grown"):
        pass


def test_a_data_set_in_a_bucket_is_fetched_once_and_then_what_changed(bucket, augmented, faces, tmp_path, rows_of):
    store, name = store_of(bucket / "sets" / "faces")
    store.put(str(faces), name, recursive=True)
    store.pipe_file(f"{name}/../evil.png", b"x")
    address = f"s3://{name}"
    augmented(input=address, output=tmp_path / "there")
    augmented(input=str(faces), output=tmp_path / "here")
    assert rows_of(tmp_path / "there") == rows_of(tmp_path / "here")

    def written() -> dict[str, int]:
        return {path.name: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.png")}

    first = written()
    open_input(address)
    assert written() == first and len(first) == 5
    add_picture(tmp_path, "new.png", 77)
    store.put_file(str(tmp_path / "new.png"), f"{name}/train/fear/01.png")
    store.rm_file(f"{name}/train/neutral/02.png")
    ids = [source.source_id for source in open_input(address).sources]
    changed = {path for path, time in written().items() if time != first[path]}
    assert changed == {"01.png"} and "train/neutral/02.png" not in ids and len(ids) == 4
    with pytest.raises(DatasetError, match="no such folder in the bucket"):
        open_input(f"s3://{name}/none")


def test_what_a_bucket_refuses_is_one_sentence(bucket, faces, augment, monkeypatch, tmp_path):
    code, _, errors = augment("--input", faces, "--output", "s3://nobody-has-this-one/grown", "--per-image", 1)
    assert code == 2 and "there is no bucket nobody-has-this-one" in errors and errors.count("\n") == 1
    code, _, errors = augment("--input", faces, "--output", "gs://some/where")
    assert code == 2 and "folders and s3:// are what can be written to" in errors
    code, _, errors = augment("serve", "--input", faces, "--output", bucket / "out", "--every", 60)
    assert code == 2 and "by cron or systemd" in errors
    monkeypatch.setitem(sys.modules, "upath", None)
    with pytest.raises(UsageError, match=r"pip install 'singanimation\[s3\]'"):
        place("s3://some/where")


@pytest.mark.slow
def test_a_server_that_is_away_is_one_sentence(bucket, faces, augment, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    type(store_of(bucket)[0]).clear_instance_cache()
    code, _, errors = augment("--input", faces, "--output", f"{bucket}/grown", "--per-image", 1)
    assert code == 2 and "the bucket does not answer" in errors and errors.count("\n") == 1
    code, _, errors = augment("--input", f"{bucket}/faces", "--dry-run")
    assert code == 2 and "the bucket does not answer" in errors and errors.count("\n") == 1
    with pytest.raises(MachineError, match="does not answer"):
        part_paths(f"{bucket}/grown")
    with (
        pytest.raises(MachineError, match="could not be written.*nothing half-written"),
        atomic_file(bucket / "x") as f,
    ):
        f.write(b"x")
    type(store_of(bucket)[0]).clear_instance_cache()


def test_a_path_that_lost_a_slash_is_the_same_place():
    assert make_settings(input="x", output="s3://a/b").output_folder == place("s3:/a/b") == place("s3://a/b/")
    assert str(place("s3://a/b") / "c") == "s3://a/b/c" and place("a/b") == Path("a/b")
