"""Faces for training from a user's own folder: found once, kept, told apart by split, and trained on."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from skimage import data
from torch import nn
from typer.testing import CliRunner

from singanimation.flows.commands.train import app
from singanimation.flows.training import face_search as training_search
from singanimation.flows.training import faces as training_faces
from singanimation.flows.training.faces import FEWEST_FACES, PreparedFaces, prepare_faces
from singanimation.flows.training.log import TrainingLog
from singanimation.flows.training.run import run_training
from singanimation.pipeline.errors import DatasetError, UsageError
from singanimation.stages.expansion.checkpoints import load_generator
from singanimation.stages.expansion.training.loop import Progress
from singanimation.stages.expansion.training.settings import PaperTerms, TrainSettings, small_batch_sentence

SMALL = TrainSettings(steps=3, batch_size=2, width=0.13, seed=1)


def portraits(folder: Path, count: int, splits: tuple[str, ...] = ("",)) -> Path:
    """The same astronaut in other light, and one picture without a face, as ``split/happiness/*.png``."""
    face = data.astronaut()[20:230, 120:330].astype(np.float32)
    for split in splits:
        place = folder / split / "happiness"
        place.mkdir(parents=True)
        for number in range(count):
            Image.fromarray((face * (1 - 0.03 * number)).astype(np.uint8)).save(place / f"{number}.png")
        Image.new("RGB", (120, 120), (90, 120, 90)).save(place / "wall.png")
    return folder


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[PreparedFaces, list[str], Path, Path]:
    root = tmp_path_factory.mktemp("own")
    said: list[str] = []
    folder = portraits(root / "pictures", FEWEST_FACES, ("train", "test"))
    return prepare_faces(str(folder), root / "faces", 1, said.append), said, folder, root / "faces"


def test_faces_are_found_framed_and_measured(prepared: tuple) -> None:
    faces, said, _, _ = prepared
    assert faces.train.pictures.shape == (FEWEST_FACES, 160, 160, 3) and faces.shown.shape == (
        FEWEST_FACES,
        128,
        128,
        3,
    )
    eyes = faces.train.landmarks[:, [468, 473]] - 16
    np.testing.assert_allclose(eyes[0], [[42.2, 45.1], [85.8, 45.1]], atol=3)
    assert ((faces.train.action_units >= 0) & (faces.train.action_units <= 1)).all()
    assert faces.au_estimator.startswith("embedded@")
    assert any("2 pictures have no usable face" in text for text in said)
    assert not any("no validation split" in text for text in said)


def test_a_second_start_finds_nothing_anew(prepared: tuple, monkeypatch: pytest.MonkeyPatch) -> None:
    faces, _, folder, kept = prepared
    monkeypatch.setattr(training_search, "find_chunk", lambda sources: pytest.fail("sought again"))
    again = prepare_faces(str(folder), kept, 1, lambda text: None)
    np.testing.assert_array_equal(again.train.pictures, faces.train.pictures)


def test_faces_that_were_kept_and_are_damaged_are_told_by_their_folder(prepared: tuple, tmp_path: Path) -> None:
    _, _, folder, kept = prepared
    shutil.copytree(kept, tmp_path / "faces")
    (array,) = (tmp_path / "faces").glob("*/landmarks.npy")
    array.write_bytes(array.read_bytes()[:1000])
    with pytest.raises(DatasetError, match=f"{array.parent} is damaged .*delete it"):
        prepare_faces(str(folder), tmp_path / "faces", 1, lambda text: None)


def test_an_interrupted_search_goes_on_with_the_next_chunk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = portraits(tmp_path / "pictures", FEWEST_FACES)
    monkeypatch.setattr(training_faces, "_CHUNK", 4)
    real, calls = training_search.find_chunk, []

    def interrupted(sources: list) -> dict:
        calls.append(len(sources))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(sources)

    monkeypatch.setattr(training_search, "find_chunk", interrupted)
    with pytest.raises(KeyboardInterrupt):
        prepare_faces(str(folder), tmp_path / "faces", 1, lambda text: None)
    said: list[str] = []
    faces = prepare_faces(str(folder), tmp_path / "faces", 1, said.append)
    assert calls == [4, 4, 4, 1] and len(faces.train.pictures) == FEWEST_FACES
    assert any("no validation split" in text for text in said)
    (about,) = (tmp_path / "faces").glob("*/faces.json")
    kept = json.loads(about.read_text())
    assert kept.pop("names") == list(faces.names or ()) and len(faces.names or ()) == FEWEST_FACES
    assert kept == {"train": FEWEST_FACES, "faces": FEWEST_FACES, "left_out": 1}


def test_too_few_faces_are_refused_in_a_sentence(tmp_path: Path) -> None:
    folder = portraits(tmp_path / "pictures", 2)
    with pytest.raises(DatasetError, match="2 usable faces to train on; at least 8"):
        prepare_faces(str(folder), tmp_path / "faces", 1, lambda text: None)


@pytest.mark.parametrize(("count", "landmark", "words"), [(7, 0.5, "7 usable faces"), (8, np.nan, "no numbers")])
def test_a_parquet_that_cannot_be_trained_on_is_refused(
    count: int, landmark: float, words: str, tmp_path: Path
) -> None:
    grey = cv2.imencode(".png", np.full((256, 256, 3), 90, np.uint8))[1].tobytes()
    table = pa.table(
        {
            "image": [grey] * count,
            "split": ["train"] * count,
            "face_id": [str(n) for n in range(count)],
            "landmarks": [np.full(956, landmark, np.float32)] * count,
            "action_units": [np.zeros(17, np.float32)] * count,
        }
    )
    pq.write_table(table, tmp_path / "faces.parquet")
    with pytest.raises(DatasetError, match=words):
        prepare_faces(str(tmp_path / "faces.parquet"), tmp_path / "faces", 1, lambda text: None)


def test_a_training_writes_what_it_says_and_resumes_only_as_itself(prepared: tuple, tmp_path: Path) -> None:
    output = tmp_path / "own.safetensors"
    for _ in run_training(SMALL, prepared[0], output, minutes=0, name="pictures"):
        pass
    loaded = load_generator(output)
    assert loaded.card["trained_steps"] == "3" and loaded.card["au_estimator"] == prepared[0].au_estimator
    card = output.with_suffix(".md").read_text()
    assert "pictures: 8 faces" in card and "licence: not stated" in card
    for name in ("own.csv", "own.png", "own.losses.png", "own.checkpoint.pt"):
        assert (tmp_path / name).stat().st_size > 0
    with pytest.raises(UsageError, match="batch_size 2 .now 3.*--no-resume"):
        next(run_training(replace(SMALL, batch_size=3), prepared[0], output, name="pictures"))
    with pytest.raises(UsageError, match="all 3 steps are done"):
        next(run_training(SMALL, prepared[0], output, name="pictures"))


def test_the_log_forgets_what_came_after_the_checkpoint(tmp_path: Path) -> None:
    def progress(step: int, **losses: float) -> Progress:
        return Progress(step, 900, 1.0, 1.0, losses, nn.Identity(), {}, dict)

    log = TrainingLog(tmp_path / "g.safetensors", 0)
    for step in (100, 200, 300):
        log.add(progress(step, pixels=1 / step))
    log = TrainingLog(tmp_path / "g.safetensors", 200)
    log.add(progress(300, pixels=0.5, critic=2.0))
    log.draw()
    assert (tmp_path / "g.csv").read_text().splitlines() == [
        "step,seconds,pixels,critic",
        "100,1.0,0.01,",
        "200,1.0,0.005,",
        "300,1.0,0.5,2.0",
    ]
    assert Image.open(tmp_path / "g.losses.png").width > 500


def test_the_log_is_not_written_over_another_table_and_drops_a_half_written_row(tmp_path: Path) -> None:
    table = tmp_path / "g.csv"
    table.write_text("image,label\na.png,happiness\n")
    with pytest.raises(UsageError, match="no log of a training"):
        TrainingLog(tmp_path / "g.safetensors", 0)
    assert table.read_text().endswith("a.png,happiness\n")
    table.write_text("step,seconds,pixels\n100,1.0,0.5\n20")
    TrainingLog(tmp_path / "g.safetensors", 100)
    assert table.read_text() == "step,seconds,pixels\n100,1.0,0.5\n"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--output", "g.pt"], ".safetensors"),
        (["--input", "nowhere"], "no such file or folder"),
        (["--output", f"{__file__}/g.safetensors"], "Cannot write"),
        (["--init", "nowhere.safetensors"], "nowhere.safetensors does not exist"),
        (["--recipe", "paper", "--regression", "2"], "are geometry's"),
        (["--attention-weight", "0.5"], "(attention) go with --recipe paper"),
    ],
)
def test_mistakes_are_told_before_anything_is_written(options: list[str], words: str, tmp_path: Path) -> None:
    defaults = {"--input": "sample", "--output": str(tmp_path / "g.safetensors"), "--recipe": "geometry"}
    given = defaults | dict(zip(options[::2], options[1::2], strict=True))
    result = CliRunner().invoke(app, ["ganimation", *(part for pair in given.items() for part in pair)])
    assert isinstance(result.exception, UsageError) and words in str(result.exception)
    assert not list(tmp_path.iterdir())


def test_a_batch_smaller_than_the_papers_is_told_what_keeps_its_weight_of_action_units() -> None:
    sentence = small_batch_sentence(PaperTerms(), 8)
    assert sentence is not None and "weighs the action units 500" in sentence and "--unit-weight 1280" in sentence
    assert small_batch_sentence(PaperTerms(), 25) is None
    assert small_batch_sentence(PaperTerms(units=1280.0), 8) is None


@pytest.mark.parametrize(("command", "output"), [("ganimation", ""), ("au", ""), ("au", "a.pt")])
def test_a_place_that_cannot_be_written_is_told_before_the_training(command: str, output: str, tmp_path: Path) -> None:
    (tmp_path / "g.safetensors").mkdir()
    place = tmp_path / (output or "g.safetensors")
    result = CliRunner().invoke(app, [command, "--input", "sample", "--output", str(place)])
    assert isinstance(result.exception, UsageError) and f"--output {place}" in str(result.exception)


def test_widths_beyond_reason_are_refused_by_the_parser() -> None:
    assert CliRunner().invoke(app, ["ganimation", "--input", "sample", "--width", "inf"]).exit_code == 2
    assert CliRunner().invoke(app, ["ganimation", "--input", "sample", "--minutes", "-1"]).exit_code == 2
