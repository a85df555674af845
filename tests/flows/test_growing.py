"""A data set that grows: new pictures, failed and rejected ones taken up again, classes made equal, runs killed."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from singanimation.flows import augment as flow
from singanimation.flows.closing import close_job
from singanimation.flows.job import Job, open_job
from singanimation.flows.main_job import closing_words, work_off
from singanimation.flows.plan_table import make_plan
from singanimation.flows.progress import Reporter
from singanimation.manifests.compact import compact
from singanimation.manifests.scan import ManifestScan
from singanimation.manifests.verify import verify
from singanimation.pipeline.errors import OutputError
from singanimation.pipeline.settings import make_settings

HERE = Path(__file__).parent


def times(output: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in (output / "manifest").glob("*.parquet")}


def add_picture(faces: Path, name: str, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (100, 100, 3), np.uint8)
    Image.fromarray(pixels).save(faces / name)


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
        patched.setattr("singanimation.manifests.compact.finish_compaction", lambda folder: False)
        compact(out)
    assert len(rows_of(out)) == 2 * len(rows)  # killed before the old parts went
    assert augmented(input=str(faces), output=out, limit=2)["sources"]["complete_before"] == 2
    assert rows_of(out) == rows and verify(out).clean


class Told(Reporter):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


def run_here(job: Job) -> dict:
    for index in range(len(job.todo)):
        job.work(index)
    return close_job(job)


def test_balance_shows_its_plan_before_and_the_outcome_after_per_class_and_split(
    no_server, faces, tmp_path, rows_of, monkeypatch
):
    monkeypatch.setattr(flow, "run_job", run_here)
    settings = make_settings(
        input=str(faces), output=tmp_path / "out", per_image=5, workers=1, balance=True, splits="train,test"
    )
    told = Told()
    with open_job(settings, told, "fake_models:load") as job:
        summary = work_off(job, told)
    start = next(place for place, line in enumerate(told.lines) if "Planned by --balance" in line)
    assert [line.split()[:2] for line in told.lines[start + 1 :]][0] == ["test", "surprise"]
    planned, outcome = summary["planned_classes"], summary["classes"]
    train = {name: counts["real"] + counts["variants"] for name, counts in planned["train"].items()}
    assert sum(train.values()) == 4 + 4 * 5 and max(train.values()) - min(train.values()) <= 1
    assert sum(counts["variants"] for counts in planned["test"].values()) == 5
    rows = [row for row in rows_of(tmp_path / "out") if row["kind"] == "variant" and row["status"] == "accepted"]
    assert Counter((row["split"], row["label_name"]) for row in rows) == {
        (split, name): counts["variants"] for split, labels in outcome.items() for name, counts in labels.items()
        if counts["variants"]
    }  # fmt: skip
    words = "\n".join(closing_words(summary))
    assert "In the manifest now" in words and "  test  " in words and "  train  " in words
    # any source may give any class but its own
    own = {row["source_id"]: row["label_name"] for row in rows_of(tmp_path / "out") if row["kind"] == "real"}
    assert all(row["label_name"] != own[row["source_id"]] for row in rows)
    assert len({own[row["source_id"]] for row in rows if row["label_name"] == "surprise"}) > 1
    assert verify(tmp_path / "out").clean


def test_a_balanced_dry_run_shows_the_plan_and_says_that_a_set_without_splits_is_all_train(
    tmp_path, augment
):
    for label in ("fear", "happiness"):
        (tmp_path / "flat" / label).mkdir(parents=True)
        add_picture(tmp_path / "flat", f"{label}/a.png", 1)
    for arguments in (["--json"], []):
        command = ["--input", tmp_path / "flat", "--dry-run", "--balance", "--per-image", "6"]
        code, out, _ = augment(*command, *arguments)
        assert code == 0
        if arguments:
            plan = json.loads(out)
            assert plan["balance"]["train"]["surprise"] == {"real": 0, "variants": 2} and plan["variants"] == 12
            assert plan["balance"]["train"]["fear"] == {"real": 1, "variants": 1}
    assert "has no splits: all 2 pictures count as train" in " ".join(out.split())
    assert "Planned by --balance" in out


def balanced(faces: Path, output: Path, **options: object) -> tuple[dict, Told]:
    settings = make_settings(
        **({"input": str(faces), "output": output, "per_image": 5, "workers": 1, "balance": True} | options)
    )
    told = Told()
    with open_job(settings, told, "fake_models:load") as job:
        return work_off(job, told), told


def test_balance_leaves_old_sources_alone_when_pictures_are_added(no_server, faces, tmp_path, rows_of, monkeypatch):
    monkeypatch.setattr(flow, "run_job", run_here)
    out = tmp_path / "out"
    balanced(faces, out)
    before, rows = times(out), rows_of(out)
    again, told = balanced(faces, out)
    assert again["sources"]["worked_on"] == 0 and times(out) == before
    for name in ("fear/00-new.png", "happiness/00-new.png"):
        add_picture(faces, f"train/{name}", len(name))
    summary, told = balanced(faces, out)
    assert any("4 sources keep what was planned" in line and "2 new ones" in line for line in told.lines)
    assert (summary["sources"]["worked_on"], summary["sources"]["complete_before"]) == (2, 4)
    assert before.items() <= times(out).items() and len(times(out)) == 6
    new = [row for row in rows_of(out) if row not in rows]
    assert {row["source_id"] for row in new} == {"train/fear/00-new.png", "train/happiness/00-new.png"}
    planned = {name: cell["real"] + cell["variants"] for name, cell in summary["planned_classes"]["train"].items()}
    assert sum(planned.values()) == 6 + 6 * 5 and max(planned.values()) - min(planned.values()) <= 2
    assert balanced(faces, out)[0]["sources"]["worked_on"] == 0
    assert verify(out).clean


def test_a_larger_balanced_run_adds_to_the_rows_of_a_smaller_one(no_server, faces, tmp_path, rows_of, monkeypatch):
    monkeypatch.setattr(flow, "run_job", run_here)
    out = tmp_path / "out"
    balanced(faces, out, per_image=2)
    rows = rows_of(out)
    summary, told = balanced(faces, out, per_image=5)
    grown = rows_of(out)
    assert all(row in grown for row in rows) and len(grown) > len(rows)
    variants = [row for row in grown if row["kind"] == "variant"]
    assert Counter(row["status"] for row in variants)["accepted"] + sum(summary["sources"]["short"].values()) == 4 * 5
    assert any("4 give more for the larger --per-image" in line for line in told.lines)
    assert verify(out).clean


def test_a_balanced_dry_run_knows_of_the_runs_before(no_server, faces, tmp_path, monkeypatch):
    monkeypatch.setattr(flow, "run_job", run_here)
    out = tmp_path / "out"
    balanced(faces, out)
    add_picture(faces, "train/fear/00-new.png", 3)
    settings = make_settings(input=str(faces), output=out, per_image=5, workers=1, balance=True)
    plan = make_plan(settings)
    assert "4 sources keep what was planned for them before, 1 new ones" in plan.balance_note
    assert balanced(faces, out)[0]["planned_classes"] == plan.balance


def test_a_damaged_plan_of_an_earlier_balanced_run_is_named(no_server, faces, tmp_path, monkeypatch):
    monkeypatch.setattr(flow, "run_job", run_here)
    out = tmp_path / "out"
    balanced(faces, out, limit=1, per_image=1)
    plan = next((out / "runs").glob("balance-*.json"))
    for content in ("{", "[]", '{"faces": {"a": 3}}', '{"faces": {"a": [1, 2]}}'):
        plan.write_text(content)
        with pytest.raises(OutputError, match=f"{plan.name} is damaged; remove it"):
            balanced(faces, out, limit=1, per_image=1)


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
            began = began or time.monotonic() - started
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
