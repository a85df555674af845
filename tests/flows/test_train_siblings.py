"""`augment train transfer|stargan|cyclegan|landmarks`: what is written, resumed and used, and the labels."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from singanimation.flows.commands import train_siblings
from singanimation.flows.training.faces import PreparedFaces, prepare_faces
from singanimation.flows.training.labels import joined, labelled
from singanimation.pipeline.errors import DatasetError
from singanimation.pipeline.expressions import EMOTION_INDEX
from singanimation.pipeline.forms import first_form
from singanimation.stages.expansion.editor import ExpressionEditor
from singanimation.stages.expansion.geometry import load_mean_landmarks
from singanimation.stages.expansion.training.loop import TrainingFaces

Augment = Callable[..., tuple[int, str, str]]
HAPPY, NEUTRAL = EMOTION_INDEX["happiness"], EMOTION_INDEX["neutral"]


def prepared(count: int = 12, seed: int = 0) -> PreparedFaces:
    """Noise with the mean face's landmarks, half of it smiling, by action units as by its own labels."""
    random = np.random.default_rng(seed)
    pictures = np.repeat(np.repeat(random.integers(60, 200, (2 * count, 20, 20, 3)), 8, 1), 8, 2).astype(np.uint8)
    landmarks = load_mean_landmarks().numpy() * 43.6 + np.array([80.0, 61.1])
    units = np.stack([first_form(name).units for name in ("happiness", "neutral")]).repeat(count, 0)
    labels = np.repeat(np.array([HAPPY, NEUTRAL]), count)
    train = TrainingFaces(pictures, np.repeat(landmarks[None], 2 * count, 0).astype(np.float32), units, labels)
    return PreparedFaces(train, pictures[:2, 16:144, 16:144], "embedded", "CC0")


@pytest.mark.parametrize(
    ("command", "more", "learnt"),
    [
        ("transfer", (), ("happiness", "neutral")),
        ("stargan", ("--also", "others", "--critic-steps", 1), ("happiness", "neutral")),
        ("cyclegan", ("--labels", "units", "--pair", "happy,neutral"), ("happiness", "neutral")),
        ("landmarks", (), None),
    ],
)
def test_a_sibling_is_trained_written_resumed_and_used(
    command: str,
    more: tuple[object, ...],
    learnt: tuple[str, ...] | None,
    augment: Augment,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(train_siblings, "prepare", lambda faces, output, workers: prepared(seed=len(faces)))
    output = tmp_path / "mine.safetensors"
    words = ("train", command, "--input", "faces", "--output", output, "--size", 64, "--width", 0.125, "--steps", 2)
    code, out, err = augment(*words, "--batch-size", 2, "--threads", 1, *more)
    assert code == 0, err
    assert "2/2" in out and {path.suffix for path in tmp_path.glob("mine.*")} >= {".safetensors", ".md", ".csv", ".png"}
    card = output.with_suffix(".md").read_text()
    assert f"`augment train {command}`" in card and "`augment --expander mine.safetensors`" in card
    assert ("- labels: " in card) == (learnt is not None)
    editor = ExpressionEditor.load(output)
    assert editor.labels == learnt
    crop = prepared().shown[0]
    edited = editor.edit(crop, np.full(17, 0.1, np.float32), first_form("happiness").units[None]).pictures[0]
    assert edited.shape == crop.shape and not np.array_equal(edited, crop)
    code, _, err = augment(*words, "--batch-size", 2, "--threads", 1, *more)
    assert code == 2 and "all 2 steps are done" in err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("transfer", "--size", 100), "--size 100: pictures have 64 or 128 pixels"),
        (("stargan", "--also-labels", "units"), "--also-labels are those of --also"),
        (("cyclegan", "--pair", "neutral"), "name two of surprise"),
        (("cyclegan", "--pair", "neutral,glee"), "name two of surprise"),
        (("cyclegan", "--pair", "happy,happiness"), "name two of surprise"),
        (("landmarks", "--labels", "units"), "No such option"),
        (("transfer",), "has no labels among"),
        (("transfer", "--labels", "units", "--width", 0), "--width"),
    ],
)
def test_bad_input_is_one_sentence(
    words: tuple[object, ...], says: str, augment: Augment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlabelled = prepared()
    unlabelled = PreparedFaces(unlabelled.train._replace(labels=np.full(24, -1)), unlabelled.shown, "embedded")
    monkeypatch.setattr(train_siblings, "prepare", lambda *_: unlabelled)
    command, *more = words
    code, _, err = augment("train", command, "--input", "x", "--output", tmp_path / "m.safetensors", *more)
    assert code == 2 and says in err and "Traceback" not in err


def test_labels_are_the_data_sets_own_or_the_nearest_form() -> None:
    faces = prepared()
    own = faces.train._replace(labels=np.array([EMOTION_INDEX["fear"]] * 24))
    faces = PreparedFaces(own, faces.shown, "embedded")
    found, said = labelled(faces, "data", "x")
    assert (found.train.labels == EMOTION_INDEX["fear"]).all() and said == "the data set's own (fear 24)"
    found, said = labelled(faces, "units", "x")
    assert found.train.labels is not None and found.train.labels.tolist() == [HAPPY] * 12 + [NEUTRAL] * 12
    assert said == "the nearest form of the action units (happiness 12, neutral 12)"
    found, said = labelled(faces, "units", "x", ["neutral"])
    assert found.train.labels is not None and found.train.labels.tolist() == [-1] * 12 + [NEUTRAL] * 12
    with pytest.raises(DatasetError, match="--labels units takes the nearest form"):
        labelled(faces, "data", "x", ["neutral", "happiness"])


def test_two_data_sets_keep_their_labels_apart() -> None:
    both = joined(prepared(2), prepared(3))
    assert both.train.sets is not None and both.train.sets.tolist() == [0] * 4 + [1] * 6
    assert both.train.labels is not None and len(both.train.labels) == len(both.train.pictures) == 10
    assert both.licence == "of the first set CC0; of the second set CC0"


def test_the_labels_of_folders_are_kept_with_the_faces_that_were_found(tmp_path: Path) -> None:
    from skimage.data import astronaut

    picture = np.ascontiguousarray(astronaut()[:256, 96:352])
    for name in ("happiness", "anger"):
        for number in range(4):
            path = tmp_path / "set" / "train" / name / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.roll(picture, number, 1)).save(path)
    faces = prepare_faces(str(tmp_path / "set"), tmp_path / "kept", 1, lambda text: None)
    assert faces.train.labels is not None
    assert sorted(faces.train.labels.tolist()) == sorted([HAPPY] * 4 + [EMOTION_INDEX["anger"]] * 4)
    again = prepare_faces(str(tmp_path / "set"), tmp_path / "kept", 1, lambda text: None)
    assert again.train.labels is not None and np.array_equal(again.train.labels, faces.train.labels)
