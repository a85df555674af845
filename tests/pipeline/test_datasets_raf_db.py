"""RAF-DB: the official tree, the copies of it in the wild, and what is wrong with them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from singanimation.pipeline.datasets import Dataset, open_input
from singanimation.pipeline.errors import DatasetError

Put = Callable[..., Path]
MINI = Path(__file__).resolve().parents[2].parent / "shared" / "raf-mini"

NAMES = ("train_00001", "train_00002", "test_0001")
LABELS = {"train_00001": "sadness", "train_00002": "surprise", "test_0001": "neutral"}


def _official(
    root: Path,
    put: Put,
    *,
    list_name: str = "list_patition_label.txt",
    extra: str = "",
    aligned: tuple[str, ...] = NAMES,
) -> Path:
    put(root, *(f"basic/Image/aligned/{name}_aligned.jpg" for name in aligned))
    put(root, *(f"basic/Image/original/{name}.jpg" for name in NAMES))
    (root / "basic" / "EmoLabel").mkdir(parents=True, exist_ok=True)
    text = "train_00001.jpg 5\ntrain_00002.jpg 1\ntest_0001.jpg 7\n" + extra
    (root / "basic" / "EmoLabel" / list_name).write_text(text)
    return root


def _by_stem(dataset: Dataset) -> dict[str, str | None]:
    return {Path(source.source_id).stem.removesuffix("_aligned"): source.label for source in dataset.sources}


@pytest.mark.parametrize("list_name", ["list_patition_label.txt", "list_partition_label.txt"])
def test_the_official_tree_prefers_aligned_crops(tmp_path: Path, put: Put, list_name: str) -> None:
    dataset = open_input(str(_official(tmp_path, put, list_name=list_name)))
    assert dataset.name == "raf-db" and "no redistribution" in str(dataset.licence)
    assert _by_stem(dataset) == LABELS
    first = dataset.sources[0]
    assert (first.source_id, first.split, first.source_label) == ("Image/aligned/test_0001_aligned.jpg", "test", "7")
    assert first.source_path == "basic/Image/aligned/test_0001_aligned.jpg" and first.is_face_crop
    assert dataset.counts()["train"] == {"surprise": 1, "sadness": 1}
    assert any("counts differ from the official" in warning for warning in dataset.warnings)


def test_ids_do_not_depend_on_which_folder_was_named(tmp_path: Path, put: Put) -> None:
    _official(tmp_path, put)
    ids = [[source.source_id for source in open_input(str(path)).sources] for path in (tmp_path, tmp_path / "basic")]
    assert ids[0] == ids[1]


def test_originals_come_with_box_and_landmarks(tmp_path: Path, put: Put) -> None:
    base = _official(tmp_path, put, aligned=("train_00002", "test_0001")) / "basic"
    (base / "boundingbox").mkdir()
    (base / "boundingbox" / "train_00001_boundingbox.txt").write_text("1.5 2.5 15 18\n")
    (base / "Annotation" / "manual").mkdir(parents=True)
    (base / "Annotation" / "manual" / "train_00001_manu_attri.txt").write_text(
        "4\t5\n12\t5\n8\t9\n5\t13\n11\t13\n0\n1\n3\n"
    )
    dataset = open_input(str(tmp_path))
    source = next(source for source in dataset.sources if "00001" in source.source_id and source.split == "train")
    assert source.source_id == "Image/original/train_00001.jpg" and not source.is_face_crop
    assert source.box == (1.5, 2.5, 15.0, 18.0)
    assert np.array_equal(np.array(source.landmarks), [[4, 5], [12, 5], [8, 9], [5, 13], [11, 13]])
    assert any("1 pictures have no aligned crop" in warning for warning in dataset.warnings)


def test_faults_of_the_label_file_are_counted_and_the_rest_goes_on(tmp_path: Path, put: Put) -> None:
    extra = "../../etc/passwd 3\n/etc/passwd 3\ntrain_00009.jpg 2\ntrain_00001.jpg 4\ntorn line here\n"
    put(tmp_path, "basic/Image/aligned/train_00003_aligned.jpg", "basic/Image/aligned/train_00004_aligned.jpg")
    dataset = open_input(str(_official(tmp_path, put, extra=extra + "train_00003.jpg 9\n\n")))
    assert _by_stem(dataset) == LABELS | {"train_00003": None, "train_00004": None}
    said = " ".join(dataset.warnings)
    for words in (
        "2 names in list_patition_label.txt lead out of the folder and were refused: ../../etc/passwd, /etc/passwd",
        "1 pictures that list_patition_label.txt names are missing: train_00009",
        "1 names occur twice in list_patition_label.txt, the first counts: train_00001.jpg (5 and 4)",
        "1 lines of list_patition_label.txt are no `name label` and were left out: torn line here",
        "1 labels are out of range (1..7), their pictures are kept without one: train_00003_aligned.jpg 9",
        "1 pictures have no line in list_patition_label.txt",
    ):
        assert words in said


@pytest.mark.parametrize(
    "folders", [("5", "1", "7"), ("sad", "surprised", "Neutral"), ("4", "0", "6")], ids=["1-7", "names", "0-6"]
)
def test_class_folders_of_copies_are_not_renumbered(tmp_path: Path, put: Put, folders: tuple[str, str, str]) -> None:
    names = [
        f"DATASET/{name.split('_')[0]}/{folder}/{name}_aligned.jpg" for name, folder in zip(NAMES, folders, strict=True)
    ]
    dataset = open_input(str(put(tmp_path, *names)))
    assert dataset.name == "raf-db" and _by_stem(dataset) == LABELS
    assert dataset.sources[0].split == "test"
    assert any("count from 0" in warning for warning in dataset.warnings) == ("0" in folders)


@pytest.mark.parametrize("header", ["image,label", "image_name,label"])
def test_kaggles_csv_files_give_the_labels(tmp_path: Path, put: Put, header: str) -> None:
    put(tmp_path, *(f"DATASET/{name.split('_')[0]}/{name}_aligned.jpg" for name in NAMES))
    (tmp_path / "train_labels.csv").write_text(f"{header}\ntrain_00001_aligned.jpg,5\ntrain_00002_aligned.jpg,1\n")
    (tmp_path / "test_labels.csv").write_text(f"{header}\ntest_0001_aligned.jpg,7\n../../etc/passwd,2\n")
    dataset = open_input(str(tmp_path))
    assert _by_stem(dataset) == LABELS
    assert any("refused: ../../etc/passwd" in warning for warning in dataset.warnings)


def test_a_validation_folder_holds_out_and_a_test_picture_is_never_train(tmp_path: Path, put: Put) -> None:
    put(tmp_path, "train/1/train_00001.jpg", "valid/1/train_00002.jpg", "train/1/test_0001.jpg")
    splits = {Path(source.source_id).name: source.split for source in open_input(str(tmp_path)).sources}
    assert splits == {"train_00001.jpg": "train", "train_00002.jpg": "validation", "test_0001.jpg": "test"}


def test_flat_copies_without_labels_still_know_their_split(tmp_path: Path, put: Put) -> None:
    dataset = open_input(str(put(tmp_path / "aligned_train", *(f"{name}.jpg" for name in NAMES))))
    assert dataset.counts() == {"train": {"unlabelled": 2}, "test": {"unlabelled": 1}}
    assert all(source.is_face_crop for source in dataset.sources)


def test_doubled_folders_count_every_picture_once(tmp_path: Path, put: Put) -> None:
    names = ("train/5/train_00001_aligned.jpg", "train/train/5/train_00001_aligned.jpg")
    dataset = open_input(str(put(tmp_path, *names)))
    assert len(dataset.sources) == 1
    assert any("1 pictures occur twice" in warning for warning in dataset.warnings)


def test_a_named_set_is_read_even_where_its_pictures_are_renamed(tmp_path: Path, put: Put) -> None:
    put(tmp_path / "raf-db", "train/3/a.jpg", "test/7/b.jpg")
    dataset = open_input("raf-db", tmp_path)
    assert dataset.name == "raf-db" and dataset.counts() == {"train": {"disgust": 1}, "test": {"neutral": 1}}
    put(tmp_path / "other" / "raf-db", "a.jpg")
    with pytest.raises(DatasetError, match="is not laid out as raf-db: it has no EmoLabel"):
        open_input("raf-db", tmp_path / "other")


def test_the_compound_subset_takes_its_names_from_the_users_map(tmp_path: Path, put: Put) -> None:
    put(tmp_path, "compound/Image/aligned/train_0001_aligned.jpg", "compound/Image/aligned/test_0001_aligned.jpg")
    (tmp_path / "compound" / "EmoLabel").mkdir()
    (tmp_path / "compound" / "EmoLabel" / "list_patition_label.txt").write_text("train_0001.jpg 1\ntest_0001.jpg 8\n")
    plain = open_input(str(tmp_path / "compound"))
    assert plain.name == "raf-db-compound" and [source.source_label for source in plain.sources] == ["8", "1"]
    assert any("public code disagrees" in warning for warning in plain.warnings)
    assert open_input(str(tmp_path)).name == "raf-db-compound"
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "RAF-DB").symlink_to(tmp_path)
    assert len(open_input("raf-db-compound", tmp_path / "root").sources) == 2
    (tmp_path / "compound" / "label_map.csv").write_text("1,happily surprised\n8,fearfully angry\n")
    named = open_input(str(tmp_path / "compound"))
    assert [source.source_label for source in named.sources] == ["fearfully angry", "happily surprised"]
    assert not named.labelled


@pytest.mark.skipif(not MINI.is_dir(), reason="../shared/raf-mini is not beside this checkout")
def test_raf_mini_is_read_as_it_is() -> None:
    dataset = open_input(str(MINI))
    assert len(dataset.sources) == 117 and all(source.is_face_crop for source in dataset.sources)
    assert sum(dataset.counts()["train"].values()) == 90 and sum(dataset.counts()["test"].values()) == 27
    originals = open_input(str(MINI / "basic" / "Image" / "original"))
    assert len(originals.sources) == 117 and not originals.sources[0].is_face_crop
