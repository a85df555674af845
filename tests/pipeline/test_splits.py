"""Splits: read from the words of folders' and files' names, asked for where they are unclear, never lost."""

import json
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
import pytest

from singanimation.pipeline.datasets import Dataset, open_dataset, open_input
from singanimation.pipeline.datasets.splits import canonical_split, file_name_splits, partitions, plain_split
from singanimation.pipeline.errors import DatasetError, UsageError
from singanimation.pipeline.files.pictures import encode_png
from singanimation.pipeline.settings import make_settings

Put = Callable[..., Path]


def splits_of(dataset: Dataset) -> dict[str, str]:
    return {source.source_id: source.split for source in dataset.sources}


@pytest.mark.parametrize(
    ("words", "split"),
    [
        (
            "Train_Aligned_Faces train_AFEW FER2013Train train_data train2017 traindata TrainingSet trainA X_train",
            "train",
        ),
        ("RAFTrain TRAIN1 training-images trn aligned_train_v2 train.images trainfaces", "train"),
        ("Val_Aligned_Faces_new val_AFEW FER2013Valid val2017 eval Eval_Faces dev valdata", "validation"),
        ("validation-split PublicTest public_test publictest EVALUATION devset", "validation"),
        ("test_data FER2013Test Test2017 testB PrivateTest private_test hold_out holdout heldout", "test"),
        ("TestImages test-set test.faces testing rafdbtest fertest", "test"),
    ],
)
def test_words_in_names_are_splits(words: str, split: str) -> None:
    assert {word: canonical_split(word) for word in words.split()} == dict.fromkeys(words.split(), split)


_NONE = ("contest", "latest", "trainer", "strain", "Valerie", "oval", "interval", "festival", "protest", "evaluator")


@pytest.mark.parametrize("name", _NONE)
def test_letters_that_happen_to_be_in_a_name_are_none(name: str) -> None:
    assert canonical_split(name) is None


@pytest.mark.parametrize("name", ["trainval", "train_and_test", "train+val", "TrainTest", "test-train", "TrainVal2012"])
def test_two_splits_in_one_name_are_none(name: str) -> None:
    assert canonical_split(name) is None


@pytest.mark.parametrize(
    ("train", "held", "split"),
    [
        ("Train_Aligned_Faces", "Val_Aligned_Faces_new", "validation"),
        ("train_AFEW", "val_AFEW", "validation"),
        ("train_data", "test_data", "test"),
        ("FER2013Train", "FER2013Valid", "validation"),
        ("FER2013Train", "FER2013Test", "test"),
        ("train2017", "val2017", "validation"),
        ("myfertrain", "myfertest", "test"),
        ("Training", "eval", "validation"),
        ("split=train", "split=test", "test"),
        ("usage=Training", "usage=PublicTest", "validation"),
    ],
)
@pytest.mark.parametrize(
    "inner", ["{split}/happy/{name}.png", "happy/{split}/{name}.png", "deep/{split}/x/happy/{name}.png"]
)
def test_split_folders_with_other_words_around(
    tmp_path: Path, put: Put, train: str, held: str, split: str, inner: str
) -> None:
    put(tmp_path, *(inner.format(split=folder, name=folder[:3] + str(i)) for i, folder in enumerate((train, held))))
    dataset = open_input(str(tmp_path))
    assert sorted(splits_of(dataset).values()) == sorted(["train", split])
    assert {source.label for source in dataset.sources} == {"happiness"}


def test_what_is_read_by_a_word_among_others_is_told(tmp_path: Path, put: Put) -> None:
    put(tmp_path, "FER2013Train/happy/a.png", "FER2013Valid/happy/b.png")
    said = " ".join(open_input(str(tmp_path)).warnings)
    assert "FER2013Valid as validation" in said and "--splits-from" in said
    put(tmp_path / "plain", "train/happy/a.png", "val_set/happy/b.png")
    assert open_input(str(tmp_path / "plain")).warnings == []


def test_a_plain_name_counts_more_than_a_word_in_a_longer_one(tmp_path: Path, put: Put) -> None:
    put(tmp_path, "kaggle_train_test_split/train/sad/a.png", "kaggle_train_test_split/test/sad/b.png")
    put(tmp_path, "RAF_test_archive/train/sad/c.png")
    assert splits_of(open_input(str(tmp_path))) == {
        "RAF_test_archive/train/sad/c.png": "train",
        "kaggle_train_test_split/test/sad/b.png": "test",
        "kaggle_train_test_split/train/sad/a.png": "train",
    }


def test_split_and_class_in_one_folders_name(tmp_path: Path, put: Put) -> None:
    put(tmp_path, "train_happy/a.png", "test_happy/b.png", "test_class_3_sad/c.png")
    dataset = open_input(str(tmp_path))
    assert splits_of(dataset) == {
        "train_happy/a.png": "train",
        "test_happy/b.png": "test",
        "test_class_3_sad/c.png": "test",
    }
    assert [source.label for source in dataset.sources] == ["sadness", "happiness", "happiness"]


def test_the_inputs_own_name_counts_where_it_says_nothing_else(tmp_path: Path, put: Put) -> None:
    put(tmp_path / "Val_Aligned_Faces_new", "happy/a.png")
    put(tmp_path / "test_it_3", "happy/a.png")
    assert set(splits_of(open_input(str(tmp_path / "Val_Aligned_Faces_new"))).values()) == {"validation"}
    assert set(splits_of(open_input(str(tmp_path / "test_it_3"))).values()) == {"train"}
    assert plain_split("test_set") == "test" and plain_split("my_test") is None


@pytest.mark.parametrize("folder", ["train_and_test", "trainval", "TrainVal2012"])
def test_unclear_folders_stop_and_ask(tmp_path: Path, put: Put, folder: str) -> None:
    put(tmp_path, f"{folder}/happy/a.png", "test/happy/b.png")
    with pytest.raises(
        DatasetError, match=rf"1 pictures lie in folders that name two splits.*--splits-from {folder}=train"
    ):
        open_input(str(tmp_path))
    assert splits_of(open_input(str(tmp_path), splits_from=f"{folder}=train")) == {
        f"{folder}/happy/a.png": "train",
        "test/happy/b.png": "test",
    }
    assert set(splits_of(open_input(str(tmp_path), splits_from="none")).values()) == {"train"}


def test_names_of_files_tell_the_split_where_folders_do_not(tmp_path: Path, put: Put) -> None:
    put(tmp_path, "angry/Training_1.jpg", "angry/PublicTest_2.jpg", "happy/PrivateTest_3.jpg")
    assert sorted(splits_of(open_input(str(tmp_path))).values()) == ["test", "train", "validation"]
    few = [PurePosixPath(f"a/img_{index}.png") for index in range(9)]
    assert file_name_splits([*few, PurePosixPath("a/test_1.png"), PurePosixPath("a/test_2.png")]) == {}


@pytest.mark.parametrize(
    ("text", "files"), [("name,split\na.png,train\nb.png,test\n", "s.csv"), ("a.png train\nb test", "s.txt")]
)
def test_splits_from_a_file(tmp_path: Path, put: Put, text: str, files: str) -> None:
    put(tmp_path / "in", "happy/a.png", "sad/b.png", "sad/c.png")
    (tmp_path / files).write_text(text)
    dataset = open_dataset(make_settings(input=str(tmp_path / "in"), splits_from=str(tmp_path / files)))
    assert splits_of(dataset) == {"happy/a.png": "train", "sad/b.png": "test"}
    assert any(f"1 pictures are not named by {files}" in warning for warning in dataset.warnings)
    assert not any("has no splits" in warning for warning in dataset.warnings)


@pytest.mark.parametrize("text", ["nowhere.csv", "gone=test", "happy=maybe", "=train", ""])
def test_what_splits_from_cannot_mean_is_one_sentence(tmp_path: Path, put: Put, text: str) -> None:
    put(tmp_path, "happy/a.png")
    with pytest.raises(UsageError, match="--splits-from"):
        open_input(str(tmp_path), splits_from=text)


def test_partition_folders_give_their_columns() -> None:
    path = PurePosixPath("split=test/label_name=fear%20or%20so/group_id=__HIVE_DEFAULT_PARTITION__/part.parquet")
    assert partitions(path) == {"split": "test", "label_name": "fear or so"}


def test_partitioned_pictures_and_partitioned_tables_read_alike(tmp_path: Path, put: Put) -> None:
    put(
        tmp_path / "files",
        "split=train/label_name=fear/person_id=p1/a.png",
        "split=test/label_name=joy/person_id=p2/b.png",
    )
    for split, label, shade in (("train", "fear", 1), ("test", "joy", 2)):
        folder = tmp_path / "tables" / f"split={split}" / f"label_name={label}" / f"person_id=p{shade}"
        folder.mkdir(parents=True)
        png = encode_png(np.full((20, 20, 3), shade, "uint8"))
        pd.DataFrame({"image": [png]}).to_parquet(folder / "part.parquet")
    for kind in ("files", "tables"):
        dataset = open_input(str(tmp_path / kind))
        found = sorted((source.split, source.label, source.group_id) for source in dataset.sources)
        assert found == [("test", "happiness", "p2"), ("train", "fear", "p1")]
        assert not any("no splits" in warning for warning in dataset.warnings)


def test_shards_of_one_name_and_pictures_of_one_name_are_groups_of_their_own(tmp_path: Path) -> None:
    for split, shade in (("train", 1), ("test", 2)):
        (tmp_path / split).mkdir()
        png = encode_png(np.full((20, 20, 3), shade, "uint8"))
        pd.DataFrame({"image": [png, png]}).to_parquet(tmp_path / split / "part.parquet")
        pd.DataFrame({"image": [{"bytes": png, "path": "0.png"}]}).to_parquet(tmp_path / split / "named.parquet")
    dataset = open_input(str(tmp_path))
    held = {source.group_id for source in dataset.sources if source.split == "test"}
    trained = {source.group_id for source in dataset.sources if source.split == "train"}
    assert len(dataset.sources) == 6 and not held & trained
    assert {source.source_id for source in dataset.sources} >= {
        "test/part#000000",
        "train/part#000001",
        "0.png",
        "0.png#2",
    }


@pytest.mark.parametrize("name", ["test-00000-of-00001", "my_set_test", "data-test", "FER2013Test", "test"])
def test_shards_and_tables_named_by_their_split(tmp_path: Path, name: str) -> None:
    png = encode_png(np.zeros((20, 20, 3), "uint8"))
    (tmp_path / "data").mkdir()
    pd.DataFrame({"image": [png], "label": ["happy"]}).to_parquet(tmp_path / "data" / f"{name}.parquet")
    assert set(splits_of(open_input(str(tmp_path))).values()) == {"test"}


def test_a_held_out_folder_is_not_made_train_by_a_table(tmp_path: Path, put: Put) -> None:
    put(tmp_path, "test/happy/a.png", "train/happy/b.png")
    (tmp_path / "labels.csv").write_text(
        "file,label,split\ntest/happy/a.png,happy,train\ntrain/happy/b.png,happy,test\n"
    )
    assert splits_of(open_input(str(tmp_path))) == {"test/happy/a.png": "test", "train/happy/b.png": "test"}


@pytest.mark.parametrize(
    "names", [("train.txt", "test.txt"), ("splits/train.csv", "splits/test.csv"), ("train.lst", "val.lst")]
)
def test_lists_of_names_tell_the_split(tmp_path: Path, put: Put, names: tuple[str, str]) -> None:
    put(tmp_path, "happy/a.png", "sad/b.png")
    header = "file\n" if names[0].endswith(".csv") else ""
    for name, picture in zip(names, ("happy/a.png", "b.png"), strict=True):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"{header}{picture}\n")
    held = "validation" if "val" in names[1] else "test"
    assert splits_of(open_input(str(tmp_path))) == {"happy/a.png": "train", "sad/b.png": held}


def test_unknown_splits_of_a_column_are_kept_and_told(tmp_path: Path, put: Put) -> None:
    put(tmp_path, "a.png", "b.png")
    rows = [{"file": "a.png", "label": "joy", "split": "fold 3"}, {"file": "b.png", "label": "sad", "split": "Testing"}]
    (tmp_path / "index.jsonl").write_text("\n".join(map(json.dumps, rows)))
    dataset = open_input(str(tmp_path / "index.jsonl"))
    assert splits_of(dataset) == {"a.png": "fold 3", "b.png": "test"}
    assert any("kept as they are" in warning for warning in dataset.warnings)


def test_an_index_of_unclear_folders_stops_and_asks(tmp_path: Path, put: Put) -> None:
    put(tmp_path, "train_and_test/happy/a.png")
    (tmp_path / "list.csv").write_text("file,label\ntrain_and_test/happy/a.png,happy\n")
    with pytest.raises(DatasetError, match="--splits-from train_and_test=train"):
        open_input(str(tmp_path / "list.csv"))
    dataset = open_input(str(tmp_path / "list.csv"), splits_from="train_and_test=test")
    assert splits_of(dataset) == {"train_and_test/happy/a.png": "test"}
