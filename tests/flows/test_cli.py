"""The command line: help, dry run, exit codes, one sentence for each user error."""

import json
import subprocess
import sys

import pytest
from PIL import Image

from singanimation.pipeline.settings import Settings


@pytest.mark.parametrize("arguments", [["--help"], ["--input", "sample", "--per-image", "8", "--dry-run"]])
def test_help_and_dry_run_load_neither_torch_nor_prefect(arguments, tmp_path):
    script = (
        "import sys; from singanimation.flows import cli\n"
        f"sys.argv = ['augment', *{arguments!r}]\n"
        "try: cli.main()\n"
        "except SystemExit as end: assert end.code == 0, end.code\n"
        "loaded = {'torch', 'prefect'} & set(sys.modules)\nassert not loaded, loaded"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []


def test_help_names_every_setting_and_the_commands_that_exist(augment, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    code, out, _ = augment("--help")
    assert code == 0
    for name in Settings.model_fields:
        assert f"--{name.replace('_', '-')}" in out
    for command in ("edit", "aus", "serve", "train"):
        assert f" {command} " in out
    assert "default: 50" in " ".join(out.split()) and "default: N-1,N-2" in " ".join(out.split())


def test_dry_run_counts_sources_per_class_and_split(augment, faces, tmp_path):
    code, out, _ = augment("--input", faces, "--output", tmp_path / "out", "--per-image", 4, "--dry-run", "--json")
    plan = json.loads(out)
    assert code == 0 and not (tmp_path / "out").exists()
    assert plan["classes"] == {"train": {"happiness": 2, "fear": 1, "neutral": 1}}
    assert (plan["sources"], plan["edits"], plan["variants"]) == (4, 16, 16)
    assert sum(plan["targets"].values()) == 16 and plan["seconds"] > 0 and plan["bytes"] > 0


def test_dry_run_prints_time_disk_and_that_nothing_was_started(augment, faces, tmp_path):
    code, out, _ = augment("--input", faces, "--output", tmp_path / "out", "--splits", "train,test", "--dry-run")
    assert code == 0
    for word in ("happiness", "test", "train", "About", "free", "estimates", "nothing was started"):
        assert word in out


def make_bad(kind: str, folder):
    """Make an input that no run can use; return the arguments."""
    if kind == "empty folder":
        (folder / "in").mkdir()
    elif kind == "no pictures":
        (folder / "in").mkdir()
        (folder / "in" / "notes.txt").write_text("x")
    return ["--input", folder / "in"]


@pytest.mark.parametrize("kind", ["missing folder", "empty folder", "no pictures"])
def test_inputs_without_pictures_are_exit_code_2_and_one_sentence(augment, tmp_path, kind):
    code, out, err = augment(*make_bad(kind, tmp_path), "--output", tmp_path / "out")
    assert code == 2 and out == "" and err.startswith("augment: ") and str(tmp_path / "in") in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--per-image", "0"], ["--per-image", "0"]),
        (["--per-image", "many"], ["--per-image"]),
        (["--expressions", "smirk"], ["--expressions", "smirk", "happiness"]),
        (["--start-scale", "N-9"], ["--start-scale", "N-9"]),
        (["--start-scale", ","], ["--start-scale", "nothing"]),
        (["--splits", ","], ["--splits", "nothing"]),
        (["--expressions", ","], ["--expressions", "empty"]),
        (["--per-image", "100000000"], ["--per-image", "10000"]),
        (["--device", "cuda:99"], ["--device", "cuda:99"]),
        (["--ganimation", "absent.safetensors"], ["absent.safetensors"]),
        (["--engine", "slow"], ["--engine", "slow"]),
        (["--splits", "dev"], ["--splits", "dev", "train"]),
        (["--seed", "-1"], ["--seed", "-1"]),
        (["--limit", "0"], ["--limit"]),
        (["--sifid-max", "-2"], ["--sifid-max"]),
        (["--bogus"], ["--bogus"]),
        (["bogus"], ["bogus"]),
        (["--per-image", "-3"], ["--per-image"]),
        (["--per-image", "1.5"], ["--per-image"]),
        (["--per-image", "nan"], ["--per-image"]),
        (["--per-image"], ["--per-image"]),
        (["--edits", "0"], ["--edits"]),
        (["--edits", "x"], ["--edits"]),
        (["--limit", "-1"], ["--limit"]),
        (["--limit", "all"], ["--limit"]),
        (["--workers", "0"], ["--workers"]),
        (["--workers", "two"], ["--workers"]),
        (["--seed", "1e9"], ["--seed"]),
        (["--frame", "square"], ["--frame", "square"]),
        (["--aus", "guess"], ["--aus", "guess"]),
        (["--sifid-max", "0"], ["--sifid-max"]),
        (["--sifid-max", "low"], ["--sifid-max"]),
        (["--sifid-features", "vgg"], ["--sifid-features", "vgg"]),
        (["--downsampling", "bilinear"], ["--downsampling", "bilinear"]),
        (["--singan-size", "31"], ["--singan-size"]),
        (["--singan-size", "257"], ["--singan-size"]),
        (["--singan-iterations", "0"], ["--singan-iterations"]),
        (["--singan-noise", "0"], ["--singan-noise"]),
        (["--expressions", "AU99"], ["--expressions", "AU99"]),
        (["--start-scale", "N-1,N-7"], ["--start-scale", "N-7"]),
        (["--device", "gpu"], ["--device", "gpu"]),
        (["--expression-judge", "absent.safetensors"], ["absent.safetensors"]),
        (["--config", "absent.toml"], ["absent.toml"]),
    ],
)
@pytest.mark.parametrize("dry", [[], ["--dry-run"]], ids=["run", "dry run"])
def test_wrong_options_are_exit_code_2_and_name_the_option(augment, faces, tmp_path, arguments, words, dry):
    code, _, err = augment("--input", faces, "--output", tmp_path / "out", *arguments, *dry)
    assert code == 2 and len(err.splitlines()) == 1
    assert all(word in err for word in words)
    assert not (tmp_path / "out").exists()


def test_a_missing_input_is_said(augment):
    code, _, err = augment("--per-image", 3)
    assert code == 2 and "--input" in err


def test_settings_come_from_the_environment_where_nothing_was_typed(augment, faces, monkeypatch):
    monkeypatch.setenv("SINGANIMATION_PER_IMAGE", "3")
    assert json.loads(augment("--input", faces, "--dry-run", "--json")[1])["variants"] == 12
    assert json.loads(augment("--input", faces, "--dry-run", "--json", "--per-image", 2)[1])["variants"] == 8


def test_an_output_that_cannot_be_made_is_exit_code_2(augment, faces, tmp_path):
    (tmp_path / "file").write_text("x")
    code, _, err = augment("--input", faces, "--output", tmp_path / "file")
    assert code == 2 and "--output" in err


def test_version(augment):
    code, out, _ = augment("--version")
    assert code == 0 and out.strip()


@pytest.mark.parametrize("arguments", [[], ["--cron", "every day"], ["--cron", "* * * * *", "--every", "5"]])
def test_serve_wants_one_valid_schedule(augment, faces, arguments):
    code, _, err = augment("serve", "--input", faces, *arguments)
    assert code == 2 and "--cron" in err


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ([], "--aus"),
        (["--aus", "AU99"], "AU99"),
        (["--emotions", "smirk"], "smirk"),
        (["--aus", "AU12", "--strengths", "2"], "--strengths"),
        (["--set", "AU12"], "--set"),
        (["--to", "fear", "--steps", "1"], "--steps"),
    ],
)
def test_edit_says_what_is_wrong_with_its_options(augment, tmp_path, arguments, word):
    Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    code, _, err = augment("edit", tmp_path / "a.png", "--output", tmp_path / "out", *arguments)
    assert code == 2 and word in err and len(err.splitlines()) == 1


def test_edit_and_aus_name_missing_pictures(augment, tmp_path):
    assert augment("edit", tmp_path / "none.png", "--aus", "AU12")[::2] == (
        2,
        f"augment: {tmp_path / 'none.png'}: no such file or folder.\n",
    )
    assert augment("aus", tmp_path, "--output", tmp_path / "a.csv")[0] == 2


def test_a_generator_that_is_none_stops_the_main_job_before_anything_is_written(tmp_path, augment):
    weights, output = tmp_path / "net.pth", tmp_path / "out"
    weights.write_text("no checkpoint")
    code, _, said = augment("--input", "sample", "--per-image", 1, "--ganimation", weights, "--output", output)
    assert code == 2 and not output.exists()
    assert "net.pth is a text file, no checkpoint" in said
