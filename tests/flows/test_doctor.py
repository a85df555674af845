"""`augment doctor`: each line true of this machine, and an exit code that says whether the main job can run."""

import json
from pathlib import Path

import pytest
from command import augment
from PIL import Image

from singanimation.flows.commands import doctor
from singanimation.flows.diagnosis import checks as checkup
from singanimation.flows.diagnosis import speed as trial
from singanimation.flows.diagnosis.checks import NOTE, OK, PROBLEM, Finding
from singanimation.pipeline.errors import UsageError, WeightsError
from singanimation.pipeline.files.places import place
from singanimation.pipeline.settings import make_settings
from singanimation.pipeline.weights import Verdict


@pytest.fixture(autouse=True)
def no_weights(tmp_path, monkeypatch):
    for name in ("SINGANIMATION_INCEPTION", "FEAT_MULTITASK_WEIGHTS", "SINGANIMATION_YUNET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SINGANIMATION_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


@pytest.fixture
def quick(monkeypatch):
    """Leave the trial out."""
    monkeypatch.setattr(doctor, "CHECKS", [check for check in doctor.CHECKS if check is not trial.check_speed])


def run(capsys, *arguments: object) -> tuple[int, str]:
    return augment("doctor", *arguments), capsys.readouterr().out


def lines(settings, output: Path, *checks) -> dict[str, Finding]:
    return {finding.name: finding for finding in doctor.examine(settings, output, checks)}


def test_everything_is_looked_at_and_the_embedded_face_goes_through_every_stage(capsys, tmp_path):
    code, out = run(capsys, "--json", "--input", "sample", "--output", tmp_path)
    said = json.loads(out)
    found = {check["name"]: check for check in said["checks"]}
    assert code == 0 and said["can_run"] is True
    assert {
        "Python",
        "libraries",
        "device",
        "threads",
        "memory",
        "disk",
        "write test",
        "weights generator",
        "weights pyfeat",
        "--aus embedded",
        "--aus pyfeat",
        "--aus openface",
        "data set",
        "trial",
        "speed",
    } <= set(found)
    assert "1 pictures (train 1)" in found["data set"]["found"]
    assert found["trial"]["state"] == OK and "a first edit takes about" in found["speed"]["found"]
    pyfeat = found["weights pyfeat"]
    assert (pyfeat["state"], pyfeat["advice"]) == (NOTE, "augment weights fetch pyfeat")
    assert list(tmp_path.iterdir()) == []  # the write test leaves nothing


def test_the_table_ends_with_a_sentence_and_exit_1_says_that_the_main_job_cannot_run(
    quick, capsys, monkeypatch, tmp_path
):
    monkeypatch.setenv("COLUMNS", "400")
    (tmp_path / "file").touch()
    code, out = run(capsys, "--output", tmp_path / "file" / "out", "--input", tmp_path / "nothing")
    assert code == 1 and "The main job cannot run: 2 problems." in out
    assert "write test" in out and "is not recognised" in out


def test_an_output_that_cannot_be_written_is_a_problem(tmp_path):
    (tmp_path / "file").touch()
    found = lines(None, tmp_path / "file" / "out", checkup.check_disk)
    assert found["write test"].state == PROBLEM and "--output" in found["write test"].advice
    assert lines(None, tmp_path / "new" / "folder", checkup.check_disk)["write test"].state == OK


@pytest.mark.parametrize(("free", "state"), [(10**6, PROBLEM), (10**8, NOTE), (10**11, OK)])
def test_a_full_disk_is_a_problem_and_a_small_one_a_note(monkeypatch, tmp_path, free, state):
    monkeypatch.setattr(checkup, "free_bytes", lambda folder: free)
    assert lines(None, tmp_path, checkup.check_disk)["disk"].state == state


@pytest.mark.parametrize(("error", "state"), [(None, OK), (UsageError("it does not answer."), PROBLEM)])
def test_a_bucket_has_no_end_and_answers_or_not(monkeypatch, error, state):
    def check(output):
        if error:
            raise error

    monkeypatch.setattr(checkup, "check_bucket", check)
    found = lines(None, place("s3://faces/out"), checkup.check_disk)
    assert found["disk"].state == state and "write test" not in found


@pytest.mark.parametrize(("memory", "state", "word"), [(10**8, PROBLEM, "end other"), (10**9, NOTE, "--workers 1")])
def test_little_memory_says_how_many_workers_fit(monkeypatch, tmp_path, memory, state, word):
    monkeypatch.setattr(checkup, "available_memory", lambda: memory)
    monkeypatch.setattr(checkup, "usable_cores", lambda: 3)
    found = lines(None, tmp_path, checkup.check_machine)["memory"]
    assert found.state == state and word in found.advice


def test_old_python_and_libraries_that_break_prefect_are_problems(monkeypatch, tmp_path):
    monkeypatch.setattr(checkup.sys, "version_info", (3, 15, 0))
    monkeypatch.setattr(checkup, "version", lambda name: "0.151.2" if name == "fastapi" else "1.4.0")
    found = lines(None, tmp_path, checkup.check_python)
    assert found["Python"].state == PROBLEM and "3.11 to 3.14" in found["Python"].advice
    assert found["libraries"].found == "fastapi 0.151.2 is too new" and found["libraries"].state == PROBLEM


def test_shipped_weights_that_are_damaged_or_gone_are_problems_and_others_are_notes(monkeypatch, tmp_path):
    monkeypatch.setattr(checkup, "verify", lambda entry, path: Verdict(False, "0" * 64, "expected sha256 1, found 0"))
    found = lines(None, tmp_path, checkup.check_weights)
    assert found["weights generator"].state == PROBLEM and "expected sha256 1" in found["weights generator"].found
    assert found["weights yunet"].state == NOTE
    monkeypatch.setenv("SINGANIMATION_YUNET", str(tmp_path / "none.onnx"))
    assert "none.onnx" in lines(None, tmp_path, checkup.check_weights)["weights yunet"].found
    monkeypatch.setattr(checkup, "locate", lambda name: None)
    assert lines(None, tmp_path, checkup.check_weights)["weights embedded-aus"].state == PROBLEM


def test_a_data_set_is_counted_and_its_openface_files_too(tmp_path):
    for name in "ab":
        (tmp_path / "train" / "fear").mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(tmp_path / "train" / "fear" / f"{name}.png")
    (tmp_path / "train" / "fear" / "a.csv").write_text("face, confidence, AU12_r\n0, 0.98, 2.5\n")
    settings = make_settings(input=str(tmp_path))
    found = lines(settings, tmp_path, checkup.check_dataset, checkup.check_estimators)
    assert "2 pictures (train 2)" in found["data set"].found
    assert found["--aus openface"].found == "1 of 2 pictures have OpenFace's action units"
    other = make_settings(input=str(tmp_path), splits="test")
    assert lines(other, tmp_path, checkup.check_dataset)["data set"].advice == "name a split with --splits: train"


def test_the_table_shows_states_and_brackets_as_they_are(monkeypatch, capsys):
    from singanimation.flows.commands import doctor

    monkeypatch.setenv("COLUMNS", "100")
    doctor._print([checkup.Finding("disk", PROBLEM, "12 MB free for /data/[red]faces", "free some [/]")], False)
    shown = capsys.readouterr().out
    assert " problem " in shown and "/data/[red]faces" in shown and "free some [/]" in shown and "[red]p" not in shown


def test_what_fails_in_the_trial_or_cannot_be_imported_is_a_problem(monkeypatch, tmp_path):
    def fail() -> float:
        raise WeightsError("no weights here")

    monkeypatch.setattr(trial, "_first_edit_seconds", fail)
    assert lines(None, tmp_path, trial.check_speed)["trial"].advice == "no weights here"
    monkeypatch.setattr(trial, "_first_edit_seconds", lambda: 500.0)
    assert "times as slow" in lines(None, tmp_path, trial.check_speed)["speed"].advice

    def broken(settings, output):
        raise ImportError("libcuda.so.1: cannot open shared object file")

    assert "libcuda" in lines(None, tmp_path, broken)["libraries"].found
    assert lines(None, tmp_path, lambda settings, output: 1 // 0)["<lambda>"].found.startswith("ZeroDivisionError")
