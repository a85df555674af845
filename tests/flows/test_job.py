"""Jobs with real worker processes, without Prefect: resuming, workers, faults, summaries."""

import json
import os
from collections import Counter

import pytest
from fake_models import add_picture

from singanimation.flows.job.cost import cut_into_tasks
from singanimation.flows.job.plan import choose_sources, worker_count
from singanimation.flows.job.resume import open_manifest
from singanimation.flows.job.summary import closing_words
from singanimation.flows.sheets.contact_sheet import write_contact_sheet
from singanimation.pipeline.datasets import open_dataset
from singanimation.pipeline.errors import MachineError, OutputError, UsageError
from singanimation.pipeline.runs import open_run
from singanimation.pipeline.settings import make_settings


def test_a_run_augments_the_asked_for_split_and_no_other(augmented, faces, tmp_path, rows_of):
    summary = augmented(input=str(faces), output=tmp_path / "out")
    rows = rows_of(tmp_path / "out")
    assert summary["sources"]["worked_on"] == 4 and summary["exit_code"] == 0
    assert {row["split"] for row in rows} == {"train"}
    assert Counter(row["kind"] for row in rows)["real"] == 4
    accepted = sum(row["kind"] == "variant" and row["status"] == "accepted" for row in rows)
    rejected = Counter(row["reason"] for row in rows if row["status"] == "rejected")
    assert summary["variants"] == {"accepted": accepted, "rejected": dict(rejected)}
    assert json.loads((tmp_path / "out" / "runs" / summary["run_id"] / "summary.json").read_text())["edits"] == 16


def test_a_second_run_does_no_work_and_adds_no_row(augmented, faces, tmp_path, rows_of):
    first = augmented(input=str(faces), output=tmp_path / "out")
    parts = {p: p.stat().st_mtime_ns for p in (tmp_path / "out" / "manifest").iterdir()}
    second = augmented(input=str(faces), output=tmp_path / "out")
    assert second["sources"]["worked_on"] == 0 and second["sources"]["complete_before"] == 4
    assert second["sources"]["short"] == first["sources"]["short"] and second["exit_code"] == 0
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "out" / "manifest").iterdir()} == parts


def test_the_number_of_workers_changes_no_byte(augmented, faces, tmp_path, rows_of):
    augmented(input=str(faces), output=tmp_path / "one", workers=1)
    augmented(input=str(faces), output=tmp_path / "two", workers=2)
    assert rows_of(tmp_path / "one") == rows_of(tmp_path / "two")


def test_a_larger_run_after_a_limited_one_takes_up_the_rest(augmented, faces, tmp_path, rows_of):
    augmented(input=str(faces), output=tmp_path / "out", limit=2, per_image=2)
    summary = augmented(input=str(faces), output=tmp_path / "out", per_image=4)
    assert summary["sources"]["worked_on"] == 4
    augmented(input=str(faces), output=tmp_path / "whole", per_image=4)
    assert rows_of(tmp_path / "out") == rows_of(tmp_path / "whole")


def test_no_resume_refuses_a_folder_that_holds_a_manifest(augmented, faces, tmp_path):
    augmented(input=str(faces), output=tmp_path / "out", limit=1, per_image=1)
    with pytest.raises(UsageError, match="--no-resume"):
        augmented(input=str(faces), output=tmp_path / "out", resume=False)


def test_a_damaged_part_is_named_and_made_anew(augmented, faces, tmp_path, rows_of):
    augmented(input=str(faces), output=tmp_path / "out")
    before = rows_of(tmp_path / "out")
    part = sorted((tmp_path / "out" / "manifest").glob("*.parquet"))[0]
    part.write_bytes(part.read_bytes()[:100])
    disk = open_manifest(tmp_path / "out" / "manifest")
    assert len(disk.problems) == 1 and part.name in disk.problems[0]
    augmented(input=str(faces), output=tmp_path / "out")
    assert rows_of(tmp_path / "out") == before


def test_pictures_without_a_face_are_rows_and_nothing_accepted_is_exit_code_1(augmented, tmp_path, rows_of):
    from PIL import Image

    (tmp_path / "flat").mkdir()
    Image.new("RGB", (64, 64), (90, 90, 90)).save(tmp_path / "flat" / "a.png")
    summary = augmented(input=str(tmp_path / "flat"), output=tmp_path / "out")
    assert summary["exit_code"] == 1 and summary["sources"]["failed"] == {"no_face": 1}
    assert summary["sources"]["unusable"] == {"a.png": "no_face"}
    assert "1 sources could not be used (no_face 1): a.png (no_face)." in closing_words(summary)
    assert [row["reason"] for row in rows_of(tmp_path / "out")] == ["no_face"]
    assert summary["contact_sheet"] is None


def test_a_worker_that_dies_loses_its_source_alone(augmented, faces, tmp_path, rows_of):
    summary = augmented("fake_models:load_deadly", input=str(faces), output=tmp_path / "out", workers=2)
    assert list(summary["sources"]["lost"]) == ["train/fear/01.png"]
    assert "worker process died" in summary["sources"]["lost"]["train/fear/01.png"]
    assert summary["sources"]["failed"] == {}
    assert summary["exit_code"] == 3 and summary["sources"]["worked_on"] == 4
    assert {row["source_id"] for row in rows_of(tmp_path / "out")} == {
        "train/happiness/00.png",
        "train/happiness/03.png",
        "train/neutral/02.png",
    }
    again = augmented(input=str(faces), output=tmp_path / "out")
    assert again["sources"]["worked_on"] == 1 and again["exit_code"] == 0


def test_an_unexpected_fault_is_lost_with_its_traceback_in_the_log(augmented, faces, tmp_path):
    summary = augmented("fake_models:load_faulty", input=str(faces), output=tmp_path / "out", limit=1)
    assert list(summary["sources"]["lost"].values()) == ["ZeroDivisionError: integer division or modulo by zero"]
    log = (tmp_path / "out" / "runs" / summary["run_id"] / "log").read_text()
    assert "Traceback" in log and "fake_models.py" in log


@pytest.mark.parametrize(
    ("loader", "reason"), [("fake_models:load_deadly", "worker_died"), ("fake_models:load_faulty", "internal_error")]
)
def test_a_fault_that_comes_again_in_a_later_run_is_a_row_with_its_reason(
    augmented, faces, tmp_path, rows_of, loader, reason
):
    options = {"input": str(faces), "output": tmp_path / "out", "limit": 2}
    first = augmented(loader, **options)
    assert "train/fear/01.png" in first["sources"]["lost"] and first["exit_code"] == 3
    again = augmented(loader, **options)
    assert again["sources"]["lost"] == {} and again["sources"]["failed"][reason] >= 1 and again["exit_code"] != 3
    row = next(row for row in rows_of(tmp_path / "out") if row["source_id"] == "train/fear/01.png")
    assert (row["status"], row["reason"]) == ("failed", reason) and "in an earlier run" in row["message"]
    assert augmented(loader, **options)["sources"]["worked_on"] == 0
    assert augmented(retry_failed=True, **options)["sources"]["failed"] == {}


def test_a_worker_that_dies_while_models_load_is_replaced_once_and_then_said(augmented, faces, tmp_path, monkeypatch):
    monkeypatch.setenv("FAKE_DEATHS", str(tmp_path / "deaths"))
    (tmp_path / "deaths").write_text("x")
    options = {"input": str(faces), "limit": 1}
    assert augmented("fake_models:load_dying", output=tmp_path / "out", **options)["exit_code"] == 0
    (tmp_path / "deaths").write_text("xxxx")
    with pytest.raises(MachineError, match="died while it loaded the models.*--workers"):
        augmented("fake_models:load_dying", output=tmp_path / "other", **options)


def test_a_run_without_work_loads_no_models(augmented, faces, tmp_path):
    options = {"input": str(faces), "output": tmp_path / "out", "limit": 1}
    augmented("fake_models:load_dying", **options)
    once = augmented("fake_models:load_dying", **options)
    (tmp_path / "out" / "runs" / "models.json").write_text("[]")
    anew = augmented("fake_models:load_dying", **options)
    assert once["models"] == anew["models"] and once["sources"]["complete_before"] == 1
    with pytest.MonkeyPatch.context() as patched:  # no worker is begun at all
        patched.setattr("singanimation.flows.job.pool._submit", lambda *call: pytest.fail("a worker was begun"))
        assert augmented("fake_models:load_dying", **options)["sources"]["worked_on"] == 0
        add_picture(faces, "train/fear/00.png", 9)
        with pytest.raises(pytest.fail.Exception):
            augmented("fake_models:load_dying", **options)


def test_weights_that_cannot_be_loaded_stop_the_run_before_it_starts(augmented, faces, tmp_path):
    with pytest.raises(UsageError, match="no weights here"):
        augmented("fake_models:load_nothing", input=str(faces), output=tmp_path / "out")


def test_a_held_output_folder_is_refused(augmented, faces, tmp_path):
    settings = make_settings(input=str(faces), output=tmp_path / "out")
    with open_run(settings), pytest.raises(OutputError, match=f"process {os.getpid()}"):
        augmented(input=str(faces), output=tmp_path / "out")


def test_limit_counts_within_the_splits_in_sorted_order(faces):
    settings = make_settings(input=str(faces), splits="test,train", limit=3)
    chosen = choose_sources(open_dataset(settings).sources, settings)
    everything = [source.source_id for source in open_dataset(settings).sources]
    assert [source.source_id for source in chosen] == sorted(everything)[:3]
    only = choose_sources(open_dataset(settings).sources, make_settings(input="x", splits="test"))
    assert [source.split for source in only] == ["test"]


def test_a_limit_says_which_classes_it_takes(faces):
    from singanimation.flows.job.plan import plan_run

    said = plan_run(make_settings(input=str(faces), limit=2)).dataset.warnings
    assert said[-1] == "--limit takes the first 2 of 4 sources by name: fear 1 of 1, happiness 1 of 2, neutral 0 of 1."
    for limit in (None, 4, 9):
        assert not any(
            "--limit" in each for each in plan_run(make_settings(input=str(faces), limit=limit)).dataset.warnings
        )


def test_an_unknown_split_is_refused_with_those_that_there_are(faces):
    settings = make_settings(input=str(faces), splits="dev")
    with pytest.raises(UsageError, match="test, train"):
        choose_sources(open_dataset(settings).sources, settings)


def test_workers_default_to_one_a_core_and_one_on_a_gpu():
    assert worker_count(make_settings(input="x", workers=7), 9) == 7
    assert worker_count(make_settings(input="x", workers=7), 2) == 2
    assert worker_count(make_settings(input="x", device="cuda"), 100) == 1
    assert 1 <= worker_count(make_settings(input="x"), 100) <= (os.cpu_count() or 1)


def test_the_contact_sheet_shows_sources_edits_and_variants(augmented, faces, tmp_path):
    from PIL import Image

    summary = augmented(input=str(faces), output=tmp_path / "out", limit=1, per_image=4)
    sheet = Image.open(summary["contact_sheet"])
    assert sheet.width == 8 + 5 * (144 + 8)  # the source and four edits
    source = open_dataset(make_settings(input=str(faces))).sources[0]
    assert write_contact_sheet(tmp_path / "none.png", [(source, [])]) is None


def test_the_input_itself_is_no_place_for_the_output(augmented, faces, tmp_path):
    from singanimation.flows.job.plan import plan_run

    with pytest.raises(UsageError, match="is the input itself; name another folder"):
        augmented(input=str(faces), output=faces)
    assert not (faces / "manifest").exists()
    augmented(input=str(faces), output=tmp_path / "out", include_real=True, limit=1, per_image=1)
    for place in (tmp_path / "out", tmp_path / "out" / "manifest"):
        with pytest.raises(UsageError, match="is the input itself"):
            plan_run(make_settings(input=str(place), output=tmp_path / "out"))


def test_an_output_inside_the_input_grows_without_feeding_on_itself(augmented, faces):
    first = augmented(input=str(faces), output=faces / "grown", limit=None)
    second = augmented(input=str(faces), output=faces / "grown")
    assert (faces / "grown" / "contact_sheet.png").exists() and first["sources"]["worked_on"] == 4
    assert second["sources"]["chosen"] == second["sources"]["complete_before"] == 4


def test_the_default_output_is_named_after_the_inputs_folder(tmp_path, monkeypatch):
    (tmp_path / "set" / "inner").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "set" / "inner")
    names = {
        text: make_settings(input=text).output_folder.name for text in (".", "..", "../../x/", "raf-db", "/a/b.csv")
    }
    assert names == {".": "inner", "..": "set", "../../x/": "x", "raf-db": "raf-db", "/a/b.csv": "b.csv"}


@pytest.mark.parametrize(("count", "tasks"), [(0, 0), (1, 1), (3, 3), (8, 8), (1_000_000, 1000)])
def test_tasks_are_minutes_of_work_and_no_more_than_a_thousand(count, tasks):
    chunks = cut_into_tasks(count, make_settings(input="x", per_image=8), 2)
    assert len(chunks) == tasks and [first for first, _ in chunks[1:]] == [end for _, end in chunks[:-1]]
    assert not chunks or (chunks[0][0], chunks[-1][1]) == (0, count)
    assert 8 <= len(cut_into_tasks(4000, make_settings(input="x", per_image=8), 2)) <= 1000
