"""A data set that grows: new pictures, failed and rejected ones taken up again, runs killed."""

import json
import math
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from command import times
from fake_models import add_picture

from singanimation.flows.job.summary import closing_words
from singanimation.manifests.care.compact import compact
from singanimation.manifests.care.verify import verify
from singanimation.manifests.scan import ManifestScan

HERE = Path(__file__).parent


def test_a_second_run_over_a_folder_with_new_pictures_adds_only_those(augmented, faces, tmp_path, rows_of):
    out = tmp_path / "out"
    augmented(input=str(faces), output=out)
    before, rows = times(out), rows_of(out)
    add_picture(faces, "train/fear/00-new.png", 77)
    summary = augmented(input=str(faces), output=out)
    assert (summary["sources"]["worked_on"], summary["sources"]["complete_before"]) == (1, 4)
    assert before.items() <= times(out).items() and len(times(out)) == 5
    new = [row for row in rows_of(out) if row not in rows]
    assert {row["source_id"] for row in new} == {"train/fear/00-new.png"} and len(rows_of(out)) == len(rows) + len(new)
    assert verify(out).clean


def test_failed_sources_are_taken_up_again_only_when_asked(augmented, faces, tmp_path, rows_of):
    out = tmp_path / "out"
    first = augmented("fake_models:load_blind", input=str(faces), output=out, limit=2)
    assert first["sources"]["failed"] == {"no_face": 1}
    assert augmented(input=str(faces), output=out, limit=2)["sources"]["worked_on"] == 0
    again = augmented(input=str(faces), output=out, limit=2, retry_failed=True)
    assert again["sources"]["worked_on"] == 1 and again["sources"]["failed"] == {}
    augmented(input=str(faces), output=tmp_path / "undisturbed", limit=2)
    assert rows_of(out) == rows_of(tmp_path / "undisturbed")
    assert verify(out).clean


def test_rejected_variants_are_taken_up_again_under_another_limit(augmented, faces, tmp_path, rows_of):
    out, options = tmp_path / "out", {"input": str(faces), "limit": 2, "per_image": 4}
    strict = augmented(output=out, sifid_max=1.0, **options)
    assert strict["variants"] == {"accepted": 0, "rejected": {"sifid": 24}} and strict["exit_code"] == 1
    rejected = rows_of(out)
    assert augmented(output=out, sifid_max=20.0, **options)["accepted_again"] == 0  # not asked for
    assert rows_of(out) == rejected
    compact(out)
    again = augmented(output=out, sifid_max=20.0, retry_failed=True, **options)
    rows = rows_of(out)
    accepted = [row for row in rows if row["kind"] == "variant" and row["status"] == "accepted"]
    assert again["accepted_again"] == len(accepted) > 0 and again["variants"]["accepted"] == 0
    assert "rejected before were accepted" in "\n".join(closing_words(again))
    assert max(Counter(row["parent_id"] for row in accepted).values()) == 1  # four edits, one wanted of each
    assert all(row["sifid"] <= 20 and row["reason"] is None and "at first" in row["message"] for row in accepted)
    told = ("status", "reason", "message")
    assert [drop(row, told) for row in rows] == [drop(row, told) for row in rejected]
    assert sum(again["sources"]["short"].values()) == 8 - len(accepted)
    assert verify(out).clean


def drop(row: dict, names: tuple[str, ...]) -> dict:
    return {name: value for name, value in row.items() if name not in names}


def test_an_interrupted_compaction_is_finished_when_a_run_starts(augmented, faces, tmp_path, rows_of, monkeypatch):
    out = tmp_path / "out"
    augmented(input=str(faces), output=out, limit=2)
    rows = rows_of(out)
    with monkeypatch.context() as patched:
        patched.setattr("singanimation.manifests.care.compact.finish_compaction", lambda folder: False)
        compact(out)
    assert len(rows_of(out)) == 2 * len(rows)  # killed before the old parts went
    assert augmented(input=str(faces), output=out, limit=2)["sources"]["complete_before"] == 2
    assert rows_of(out) == rows and verify(out).clean


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="kills process groups")
def test_kill_9_at_20_random_moments_loses_and_doubles_no_row(environment, augmented, tmp_path, rows_of):
    from fake_models import write_faces

    faces, out = write_faces(tmp_path / "faces", 60), tmp_path / "out"
    options = {"input": str(faces), "output": str(out), "per_image": 4, "workers": 2, "singan_iterations": 40}
    command = [sys.executable, str(HERE / "fake_job.py"), json.dumps(options)]
    environment |= {"PREFECT_API_URL": "http://127.0.0.1:1/api"}
    moments, seen, grown = random.Random(5), set(), 0
    began = None
    for kill in range(20):
        process = subprocess.Popen(command, env=environment, start_new_session=True, stderr=subprocess.PIPE)
        # half of the kills hit at any time since the start, the others while parts are being written
        started, first = time.monotonic(), len(times(out))
        while kill % 2 and len(times(out)) == first and process.poll() is None and time.monotonic() - started < 120:
            time.sleep(0.01)
        if kill % 2:
            # the shortest seen: a start that other processes slowed down would let a later run come to its end
            began = min(began or math.inf, time.monotonic() - started)
        time.sleep(moments.uniform(0, 0.8 if kill % 2 else began or 3.0))
        assert process.poll() is None, process.communicate()[1]  # there was something left to kill
        if kill % 3:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()  # its workers have to notice by themselves
        process.communicate()
        scan = ManifestScan(out)
        rows = [row["variant_id"] for row in rows_of(out)]
        assert scan.problems == [] and len(rows) == len(set(rows)) == scan.rows and seen <= set(rows)
        grown += len(rows) > len(seen)
        seen = set(rows)
    assert grown >= 5
    assert subprocess.run(command, env=environment, check=False).returncode == 0
    assert [fault.message for fault in verify(out).faults] == []
    augmented(**(options | {"output": tmp_path / "undisturbed"}))
    assert rows_of(out) == rows_of(tmp_path / "undisturbed")
