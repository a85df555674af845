"""The public GANimation code's training sets: pictures, AUs from the pickle, splits from the id files."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from singanimation.pipeline.datasets import open_input
from singanimation.pipeline.errors import DatasetError

RANDOM = np.random.default_rng(0)
UNITS = {name: RANDOM.uniform(0, 5, 17) for name in ("a", "b", "c", "d")}


@pytest.fixture
def folder(tmp_path: Path, put) -> Path:
    root = put(tmp_path / "celebA", "imgs/a.jpg", "imgs/b.jpg", "imgs/c.jpg", "imgs/d.jpg")
    (root / "aus_openface.pkl").write_bytes(pickle.dumps(UNITS, 2))
    (root / "train_ids.csv").write_text("a.jpg\nb.jpg\n\n")
    (root / "test_ids.csv").write_bytes(b"\xef\xbb\xbfc.jpg\r\n")
    return root


def test_pictures_carry_their_units_and_the_id_files_splits(folder: Path) -> None:
    dataset = open_input(str(folder))
    assert dataset.name == "ganimation" and [source.source_id for source in dataset.sources] == [
        "a.jpg",
        "b.jpg",
        "c.jpg",
    ]
    assert [source.split for source in dataset.sources] == ["train", "train", "test"]
    for source in dataset.sources:
        np.testing.assert_allclose(np.array(source.action_units), UNITS[source.source_id[0]] / 5)
        assert source.is_face_crop and source.source_path == f"imgs/{source.source_id}" and source.path.is_file()
    assert any(
        text.startswith("1 pictures are named in no id file and are left out: d.jpg") for text in dataset.warnings
    )


def test_it_is_found_one_folder_down_and_without_id_files_all_is_train(folder: Path) -> None:
    (folder / "train_ids.csv").unlink()
    (folder / "test_ids.csv").unlink()
    dataset = open_input(str(folder.parent))
    assert len(dataset.sources) == 4 and {source.split for source in dataset.sources} == {"train"}
    assert dataset.sources[0].source_path == "celebA/imgs/a.jpg"
    assert "ganimation has no splits: all 4 pictures count as train." in dataset.warnings


def test_intensities_outside_0_to_5_are_cut_and_said(folder: Path) -> None:
    odd = UNITS | {"a": np.full(17, 5.5), "b": np.full(17, -0.5)}
    (folder / "aus_openface.pkl").write_bytes(pickle.dumps(odd))
    dataset = open_input(str(folder))
    assert dataset.sources[0].action_units == (1.0,) * 17 and dataset.sources[1].action_units == (0.0,) * 17
    assert any("1 pictures have intensities above 5" in text for text in dataset.warnings)


def test_entries_that_are_no_17_numbers_leave_their_picture_without_units(folder: Path) -> None:
    odd = {"a": np.zeros(16), "b": np.full(17, np.nan), "c": [1.0] * 17}
    (folder / "aus_openface.pkl").write_bytes(pickle.dumps(odd))
    dataset = open_input(str(folder))
    assert [source.action_units is None for source in dataset.sources] == [True, True, False]
    assert dataset.sources[2].action_units == (0.2,) * 17
    told = " ".join(dataset.warnings)
    assert "1 entries of aus_openface.pkl are not 17 numbers" in told and "are not finite" in told
    assert "2 pictures have no action units in aus_openface.pkl: a.jpg, b.jpg" in told


def test_units_that_look_divided_already_are_pointed_out(folder: Path) -> None:
    (folder / "aus_openface.pkl").write_bytes(pickle.dumps({name: row / 5 for name, row in UNITS.items()}))
    assert any("is it divided by 5 already" in text for text in open_input(str(folder)).warnings)


def test_a_picture_in_both_id_files_is_test_and_names_that_lead_out_are_refused(folder: Path) -> None:
    (folder / "train_ids.csv").write_text("a.jpg\nc.jpg\n../../secret.jpg\ngone.jpg\n")
    dataset = open_input(str(folder))
    assert {source.source_id: source.split for source in dataset.sources} == {"a.jpg": "train", "c.jpg": "test"}
    told = " ".join(dataset.warnings)
    assert "1 names in train_ids.csv lead out of the folder and were refused" in told
    assert "count as test: c.jpg" in told and "that the id files name are missing: gone.jpg" in told


class Runs:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple:
        return os.system, (f"touch {self.mark}",)


def test_a_malicious_pickle_is_refused_in_one_sentence_and_runs_nothing(folder: Path, tmp_path: Path) -> None:
    (folder / "aus_openface.pkl").write_bytes(pickle.dumps({"a": Runs(tmp_path / "ran")}))
    with pytest.raises(DatasetError, match=r"aus_openface.pkl was not read: it asks for posix.system") as said:
        open_input(str(folder))
    assert "\n" not in str(said.value) and not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([1, 2], "holds no table of picture names"),
        ({}, "holds no table"),
        ({"a": "text"}, "gives no picture 17"),
    ],
)
def test_a_pickle_of_something_else_is_named(folder: Path, content: object, said: str) -> None:
    (folder / "aus_openface.pkl").write_bytes(pickle.dumps(content))
    with pytest.raises(DatasetError, match=said):
        open_input(str(folder))
