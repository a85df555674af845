"""Inputs are found by name or by content; what is odd is counted and told; what is wrong is one sentence."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from singanimation.pipeline.datasets import Dataset, open_dataset, open_input
from singanimation.pipeline.datasets.labels import canonical_split, folder_emotion, whole_number
from singanimation.pipeline.errors import DatasetError
from singanimation.pipeline.settings import make_settings

Put = Callable[..., Path]


def _labels(dataset: Dataset) -> dict[str, str | None]:
    return {source.source_id: source.label for source in dataset.sources}


def _splits(dataset: Dataset) -> dict[str, str]:
    return {source.source_id: source.split for source in dataset.sources}


def test_the_sample_is_one_face_that_needs_no_file() -> None:
    dataset = open_dataset(make_settings(input="sample"))
    (source,) = dataset.sources
    assert Image.open(io.BytesIO(source.data or b"")).size == (512, 512)
    assert source.licence == "public domain (NASA)" and source.path is None
    assert dataset.labelled and dataset.counts() == {"train": {"happiness": 1}}


def test_a_single_picture_is_a_data_set_of_one(tmp_path: Path, put: Put) -> None:
    dataset = open_input(str(put(tmp_path, "a.png") / "a.png"))
    assert _splits(dataset) == {"a.png": "train"} and not dataset.labelled
    assert any("no splits" in warning for warning in dataset.warnings)


def test_split_and_class_folders_are_mapped_by_name(tmp_path: Path, put: Put) -> None:
    put(tmp_path, "train/happy/a.png", "train/Angry/b.png", "valid/07_surprised/c.png", "test/contempt/d.png")
    dataset = open_input(str(tmp_path))
    assert _labels(dataset) == {
        "train/Angry/b.png": "anger",
        "train/happy/a.png": "happiness",
        "valid/07_surprised/c.png": "surprise",
        "test/contempt/d.png": None,
    }
    assert set(_splits(dataset).values()) == {"train", "validation", "test"}
    assert list(dataset.counts()) == ["train", "validation", "test"]
    assert dataset.counts()["train"] == {"happiness": 1, "anger": 1}
    assert dataset.warnings == ["1 pictures have labels outside the seven and are kept without a label: contempt (1)."]


def test_class_folders_without_splits_are_all_train(tmp_path: Path, put: Put) -> None:
    dataset = open_input(str(put(tmp_path, "sad/a.png", "fear/b.png")))
    assert dataset.counts() == {"train": {"fear": 1, "sadness": 1}}
    assert any("no splits: all 2 pictures count as train" in warning for warning in dataset.warnings)
    assert dataset.sources[0].group_id == dataset.sources[0].source_id == "fear/b.png"


def test_flat_pictures_go_on_without_labels_and_say_so(tmp_path: Path, put: Put) -> None:
    dataset = open_input(str(put(tmp_path, "b.png", "a.png", "holiday/c.png", ".hidden/d.png", "__MACOSX/e.png")))
    assert [source.source_id for source in dataset.sources] == ["a.png", "b.png", "holiday/c.png"]
    assert not dataset.labelled
    assert any("no expression labels" in warning for warning in dataset.warnings)


def test_numbered_folders_are_not_guessed_but_a_label_map_names_them(tmp_path: Path, put: Put) -> None:
    put(tmp_path, "train/0/a.png", "train/1/b.png")
    dataset = open_input(str(tmp_path))
    assert not dataset.labelled
    assert any("labels found (0, 1)" in warning and "label_map.csv" in warning for warning in dataset.warnings)
    (tmp_path / "label_map.csv").write_text("0,anger\n1,Happy\n")
    assert _labels(open_input(str(tmp_path))) == {"train/0/a.png": "anger", "train/1/b.png": "happiness"}
    (tmp_path / "label_map.csv").unlink()
    (tmp_path / "label_map.json").write_text('{"0": "fear", "1": "sad"}')
    assert set(_labels(open_input(str(tmp_path))).values()) == {"fear", "sadness"}
    (tmp_path / "label_map.json").write_text("[")
    with pytest.raises(DatasetError, match="is no label map"):
        open_input(str(tmp_path))


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_metadata_files_give_labels_splits_and_people(tmp_path: Path, put: Put, kind: str) -> None:
    import pandas as pd

    put(tmp_path, "faces/a.png", "faces/b.png", "faces/c.png")
    rows = [
        {"file_name": "faces/a.png", "emotion": "happy", "split": "test", "subject": "p1"},
        {"file_name": "faces/b.png", "emotion": "sad", "split": "train", "subject": "p2"},
        {"file_name": "faces/b.png", "emotion": "fear", "split": "train", "subject": "p2"},
        {"file_name": "faces/gone.png", "emotion": "sad", "split": "train", "subject": "p2"},
        {"file_name": "../../etc/passwd", "emotion": "sad", "split": "train", "subject": "p3"},
    ]
    frame, path = pd.DataFrame(rows), tmp_path / f"metadata.{kind}"
    if kind == "csv":
        frame.to_csv(path, index=False)
    elif kind == "jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_parquet(path)
    dataset = open_input(str(tmp_path))
    assert _labels(dataset) == {"faces/a.png": "happiness", "faces/b.png": "sadness"}
    assert _splits(dataset)["faces/a.png"] == "test"
    assert [source.group_id for source in dataset.sources] == ["p1", "p2"]
    said = " ".join(dataset.warnings)
    for words in (
        "1 names occur twice",
        "1 pictures that metadata." + kind + " names are missing: faces/gone.png",
        "1 names in metadata." + kind + " lead out of the folder and were refused: ../../etc/passwd",
        "1 pictures are named by no metadata file and left out: faces/c.png",
    ):
        assert words in said


def test_metadata_in_each_split_folder_takes_the_split_from_the_folder(tmp_path: Path, put: Put) -> None:
    put(tmp_path, "train/a.png", "val/b.png")
    for split, name in (("train", "a.png"), ("val", "b.png")):
        (tmp_path / split / "metadata.csv").write_text(f"file_name,label\n{name},fear\n")
    assert _splits(open_input(str(tmp_path))) == {"train/a.png": "train", "val/b.png": "validation"}
    (tmp_path / "val" / "metadata.csv").write_text("name,label\nb.png,fear\n")
    with pytest.raises(DatasetError, match="has no column file_name; it has name, label"):
        open_input(str(tmp_path))


def test_links_that_go_in_circles_are_followed_once(tmp_path: Path, put: Put) -> None:
    put(tmp_path, "happy/a.png")
    (tmp_path / "happy" / "again").symlink_to(tmp_path)
    assert len(open_input(str(tmp_path)).sources) == 1


def test_missing_empty_and_pictureless_inputs_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no such file or folder, and no data set's name"):
        open_input(str(tmp_path / "nowhere"))
    with pytest.raises(DatasetError, match="is an empty folder"):
        open_input(str(tmp_path))
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(DatasetError, match="holds no picture"):
        open_input(str(tmp_path))
    with pytest.raises(DatasetError, match="no layout that we know; tried: image"):
        open_input(str(tmp_path / "notes.txt"))


def test_an_absent_named_set_says_where_it_was_looked_for(tmp_path: Path) -> None:
    settings = make_settings(input="raf-db", data_root=tmp_path)
    with pytest.raises(DatasetError, match=f"raf-db was looked for at {tmp_path / 'raf-db'}"):
        open_dataset(settings)


@pytest.mark.parametrize(
    ("text", "split"),
    [
        ("train", "train"),
        ("aligned_train", "train"),
        ("train_set", "train"),
        ("Training", "train"),
        ("valid", "validation"),
        ("val_set", "validation"),
        ("PublicTest", "validation"),
        ("PrivateTest", "test"),
        ("TEST", "test"),
        ("trainer", None),
        ("contest", None),
        ("", None),
    ],
)
def test_split_words(text: str, split: str | None) -> None:
    assert canonical_split(text) == split


def test_folder_names_and_numbers_are_read_as_people_write_them() -> None:
    assert folder_emotion("1_surprise") == "surprise" and folder_emotion("4") is None
    assert [whole_number(text) for text in ("5", "05", "3.0000000e+00", "2.5", "x", "nan")] == [
        "5",
        "5",
        "3",
        None,
        None,
        None,
    ]
