"""What a command line is expected to know: short flags, choices, "did you mean", completion, a settings file."""

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
from rich.console import Console

from singanimation.flows.cli import COMMANDS
from singanimation.flows.job.progress import RichReporter, Totals
from singanimation.pipeline.settings import AuChoice, Engine, Frame, Settings, StartScale, make_settings

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("arguments", [[], *([name] for name in COMMANDS), ["train", "au"], ["weights", "fetch"]])
def test_minus_h_is_help_everywhere(augment, arguments):
    code, out, _ = augment(*arguments, "-h")
    assert code == 0 and " ".join(["Usage: augment", *arguments]) in out
    assert ("--install-completion" in out) == (arguments == [])


def test_minus_capital_v_is_the_version(augment):
    assert augment("-V") == augment("--version")


def test_minus_q_is_quiet(augment, faces):
    assert augment("--input", faces, "--dry-run", "-q") == (0, "", "")


@pytest.mark.parametrize("typo", ["exprot", "eddit", "weight"])
def test_a_mistyped_command_is_answered_with_the_one_that_was_meant(augment, typo):
    code, _, err = augment(typo, "x")
    meant = {"exprot": "export", "eddit": "edit", "weight": "weights"}[typo]
    assert code == 2 and f"Did you mean '{meant}'" in err and len(err.splitlines()) == 1


def test_choices_are_shown_and_kept_to(augment, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    shown = augment("--help")[1]
    for choices in map(get_args, (Engine, Frame, AuChoice, StartScale)):
        assert "|".join(choices) in shown
    assert "geometry|paper" in augment("train", "ganimation", "-h")[1]
    assert "csv|openface-csv" in augment("aus", "-h")[1]
    code, _, err = augment("--input", "sample", "--engine", "slow")
    wrong = f"'slow' is not one of {', '.join(map(repr, get_args(Engine)))}."
    assert code == 2 and err == f"augment: Invalid value for '--engine': {wrong}\n"


@pytest.mark.parametrize(
    ("words", "wanted"),
    [("augment exp", "export"), ("augment edit --em", "--emotions"), ("augment --engine ", "patch")],
)
def test_the_shell_completes_commands_options_and_choices(words, wanted):
    variables = {
        "_AUGMENT_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }
    command = [
        sys.executable,
        "-c",
        "import sys; sys.argv[0] = 'augment'; from singanimation.flows.cli import main; main()",
    ]
    path = os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | variables | {"PYTHONPATH": path})
    assert wanted in done.stdout.split(), done.stderr


def test_a_saved_settings_file_is_a_config_and_what_is_typed_comes_first(augment, faces, tmp_path):
    saved = make_settings(input=str(faces), per_image=3, edits=2, start_scale="N-2", expressions="fear,AU12")
    path = tmp_path / "settings.json"
    path.write_text(json.dumps(saved.model_dump(mode="json")))
    plan = json.loads(augment("--config", path, "--dry-run", "--json")[1])
    assert (plan["edits"], plan["variants"]) == (2 * 4 - 0, 12)
    plan = json.loads(augment("--config", path, "--dry-run", "--json", "--per-image", 5)[1])
    assert plan["variants"] == 20


def test_a_config_comes_before_the_environment(augment, faces, tmp_path, monkeypatch):
    path = tmp_path / "mine.toml"
    path.write_text(f'input = "{faces}"\nper-image = 3\nsplits = ["train"]\n')
    monkeypatch.setenv("SINGANIMATION_PER_IMAGE", "7")
    monkeypatch.setenv("SINGANIMATION_EDITS", "1")
    plan = json.loads(augment("--config", path, "--dry-run", "--json")[1])
    assert (plan["variants"], plan["edits"]) == (12, 4)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("none.json", None, "no such file"),
        ("a.json", b"{", "is no JSON"),
        ("a.toml", b"a = ", "is no TOML"),
        ("a.json", b"\xff\xfe\x00", "is no JSON"),
        ("a.json", b"[1]", "a table of names and values"),
        ("a.json", b"[" * 100_000, "is no JSON"),
        ("a.json", b'{"per_imge": 3}', "did you mean per_image?"),
        ("a.json", b'{"qqqq": 3}', "`augment --help` lists them"),
        ("a.json", b'{"per_image": "many"}', "--per-image"),
        ("a.json", b'{"engine": ["fast"]}', "--engine"),
    ],
)
def test_a_bad_config_is_one_sentence(augment, tmp_path, name, content, words):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    code, _, err = augment("--input", "sample", "--dry-run", "--config", tmp_path / name)
    assert code == 2 and words in err and len(err.splitlines()) == 1


def test_the_environment_may_name_the_input(augment, faces, monkeypatch):
    monkeypatch.setenv("SINGANIMATION_INPUT", str(faces))
    assert augment("--dry-run", "-q")[0] == 0


def test_every_environment_variable_is_documented():
    page = (ROOT / "docs" / "command-line.md").read_text()
    pattern = re.compile(r'"(SINGANIMATION_[A-Z_]*[A-Z]|PREFECT_API_URL|PREFECT_HOME|FEAT_[A-Z_]+)"')
    rooms = [ROOT / room for room in ("pipeline", "stages", "manifests", "flows")]
    named = {name for room in rooms for path in room.rglob("*.py") for name in pattern.findall(path.read_text())}
    assert "SINGANIMATION_DATA" in named and "SINGANIMATION_WEIGHTS" in named
    assert {name for name in named if f"`{name}`" not in page} == set()
    assert "`SINGANIMATION_PER_IMAGE`" in page and "per_image" in Settings.model_fields


@pytest.mark.parametrize(("images", "done"), [(1, 0), (40, 12), (12_271, 11_999), (1_000_000, 999_998)])
def test_the_live_line_fits_80_columns_with_the_total_and_the_time_left(images, done):
    text = io.StringIO()
    reporter = RichReporter(Console(file=text, width=80, force_terminal=True, color_system=None))
    totals = Totals(sources=images, done=done, accepted=10 * done)
    totals.rejected["sifid"] = 2 * done
    with reporter:
        reporter.update(totals)
        reporter._progress.refresh()
        drawn = re.sub(r"\x1b\[[?0-9]*[a-zA-Z]", "", text.getvalue()).split("\r")[-1]
    assert len(drawn) <= 80 and "\n" not in drawn
    assert f"{done:,}/{images:,} images {10 * done:,} kept {2 * done:,} rejected" in drawn
    assert (" left" in drawn) == (done > 0)
