"""Names and labels that are no plain words: they end in rows, files and messages, never in a traceback."""

import json
import os
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from singanimation.flows.faces import file_name, unique_names
from singanimation.pipeline.files.atomic import atomic_file
from singanimation.pipeline.files.pictures import encode_png

LONG = "x" * 240


def _face(folder: Path, *names: str | bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for name in names:
        text = os.fsdecode(name)
        (folder / text).parent.mkdir(parents=True, exist_ok=True)
        (folder / text).write_bytes(encode_png(rng.integers(0, 256, (64, 64, 3), np.uint8)))
    return folder


@pytest.mark.parametrize(
    "label", ["[/x]", "[bold]", ":smile:", "[link=file:///]x[/link]", "\x1b[2J", "a\nb", "é\ud7ff"]
)
def test_a_label_is_printed_as_it_is_in_a_plan(augment, tmp_path: Path, label: str) -> None:
    _face(tmp_path / "in", "a.png", "b.png")
    (tmp_path / "in" / "labels.jsonl").write_text(
        f'{{"file": "a.png", "label": "happy"}}\n{{"file": "b.png", "label": {json.dumps(label)}}}\n'
    )
    code, out, err = augment("--input", tmp_path / "in", "--per-image", 1, "--edits", 1, "--dry-run")
    shown = "".join(letter if letter.isprintable() else "?" for letter in label)
    assert code == 0 and shown in out.replace("\n", " ") and "\x1b" not in out and "Traceback" not in err


@pytest.mark.parametrize("split", ["[/x]", "[red]"])
def test_a_split_and_a_folder_named_like_markup(augment, tmp_path: Path, split: str) -> None:
    folder = _face(tmp_path / "[b]in[", "a.png")
    (folder / "labels.csv").write_text(f"file,label,split\na.png,happy,{split}\n")
    code, out, _ = augment("--input", folder, "--per-image", 1, "--splits", "all", "--dry-run")
    assert code == 0 and split in out.replace("\n", " ")


def test_names_that_are_no_utf_8_become_rows(augmented, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fake_models import write_faces

    faces = write_faces(tmp_path / "faces", 1)
    picture = next((faces / "train").rglob("*.png"))
    picture.rename(picture.with_name(os.fsdecode(b"a\xff\xe9.png")))
    summary = augmented(input=str(faces), output=str(tmp_path / "out"))
    assert summary["variants"]["accepted"] > 0
    rows = pq.read_table(tmp_path / "out" / "manifest").to_pylist()
    assert "a\\xff\\xe9.png" in {Path(row["source_id"]).name for row in rows if row["kind"] == "variant"}


@pytest.mark.parametrize("option", ["--input", "--output"])
def test_an_option_that_is_no_utf_8_is_one_sentence(augment, tmp_path: Path, option: str) -> None:
    folder = _face(tmp_path / os.fsdecode(b"f\xff"), "a.png")
    given = {"--input": str(tmp_path), "--output": str(tmp_path / "o")} | {option: str(folder)}
    code, _, err = augment(*(part for pair in given.items() for part in pair), "--dry-run")
    assert code == 2 and "no UTF-8" in err and len(err.strip().splitlines()) == 1


def test_long_and_equal_stems_stay_apart() -> None:
    paths = [Path("a") / f"{LONG}1.png", Path("a") / f"{LONG}2.png", Path("a/b.png"), Path("c/b.png"), Path("d.png")]
    names = unique_names(paths)
    assert len(set(names)) == 5 and names[-1] == "d" and max(len(name) for name in names) <= 100
    assert file_name("ü" * 200).encode() and len(file_name("ü" * 200).encode()) <= 100


def test_a_file_with_the_longest_name_a_disk_holds_is_written_whole(tmp_path: Path) -> None:
    target = tmp_path / ("n" * 251 + ".png")
    with atomic_file(target) as file:
        file.write(b"whole")
    assert target.read_bytes() == b"whole" and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("command", [["edit", "--emotions", "fear"], ["aus"]])
def test_a_path_longer_than_any_disk_holds_is_one_sentence(augment, tmp_path: Path, command: list[str]) -> None:
    code, _, err = augment(command[0], tmp_path / ("y" * 5000), *command[1:], "--output", tmp_path / "o")
    assert code == 2 and "no such file or folder" in err and len(err) < 400
