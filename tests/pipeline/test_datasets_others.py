"""CelebA, AffectNet, FER2013, FERPlus, CK+ and ExpW in miniature, with their typical faults."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from singanimation.pipeline.datasets import open_input
from singanimation.pipeline.datasets.readers.ferplus import hard_and_soft
from singanimation.pipeline.errors import DatasetError
from singanimation.pipeline.expressions import EMOTIONS
from singanimation.pipeline.files.pictures import read_source

Put = Callable[..., Path]


@pytest.mark.parametrize("kaggle", [False, True], ids=["official", "kaggle"])
def test_celeba_has_splits_and_people_but_no_labels(tmp_path: Path, put: Put, kaggle: bool) -> None:
    folder = "img_align_celeba/img_align_celeba" if kaggle else "img_align_celeba"
    put(tmp_path, *(f"{folder}/00000{number}.jpg" for number in (1, 2, 3, 4)))
    rows = [("000001.jpg", 0), ("000002.jpg", 1), ("000003.jpg", 2), ("000009.jpg", 0)]
    ending, mark = (".csv", ",") if kaggle else (".txt", " ")
    lines = ["image_id,partition"] * kaggle + [f"{name}{mark}{split}" for name, split in rows]
    (tmp_path / f"list_eval_partition{ending}").write_text("\n".join(lines))
    (tmp_path / "identity_CelebA.txt").write_text("000001.jpg 2880\n000002.jpg 2880\n000003.jpg 7\n")
    (tmp_path / "list_attr_celeba.txt").write_text("1\nSmiling\n000001.jpg 1\n")
    dataset = open_input(str(tmp_path))
    assert dataset.name == "celeba" and not dataset.labelled
    assert [(source.source_id, source.split, source.group_id) for source in dataset.sources] == [
        ("000001.jpg", "train", "2880"),
        ("000002.jpg", "validation", "2880"),
        ("000003.jpg", "test", "7"),
    ]
    assert all(source.is_face_crop and source.label is None for source in dataset.sources)
    said = " ".join(dataset.warnings)
    assert "1 pictures have no split 0, 1 or 2 and are left out: 000004.jpg" in said
    assert "1 pictures that list_eval_partition names are missing: 000009.jpg" in said


_AFFECT_HEADER = (
    "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,valence,arousal"
)


def test_affectnets_csv_drops_what_is_no_expression(tmp_path: Path, put: Put) -> None:
    put(tmp_path / "Manually_Annotated_Images", "1/a.jpg", "1/b.jpg", "2/c.jpg", "2/d.jpg")
    points = ";".join(str(value) for value in range(136))
    (tmp_path / "training.csv").write_text(
        "\n".join(
            [
                _AFFECT_HEADER,
                f"1/a.jpg,2,3,10,12,{points},6,-0.5,0.5",
                "1/b.jpg,-1,-1,-1,-1,,7,0,0",
                "2/d.jpg,2,3,10,12,,9,-2,-2",
                "2/x.jpg,2,3,10,12,,1,0,0",
                "../../etc/passwd,0,0,1,1,,1,0,0",
                "1/a.jpg,2,3,10,12,,1,0,0",
                "2/c.jpg,0,0,1,1,,12,0,0",
            ]
        )
    )
    (tmp_path / "validation.csv").write_text(f"{_AFFECT_HEADER}\n2/c.jpg,0,0,20,20,,0,0,0\n")
    dataset = open_input(str(tmp_path))
    assert dataset.name == "affectnet"
    anger, contempt, neutral = dataset.sources
    assert (anger.source_id, anger.label, anger.split, anger.box) == ("1/a.jpg", "anger", "train", (2, 3, 12, 15))
    assert anger.landmarks.shape == (68, 2) and anger.landmarks[1].tolist() == [2, 3]
    assert (contempt.label, contempt.source_label, contempt.box) == (None, "contempt", None)
    assert (neutral.label, neutral.split) == ("neutral", "validation")
    said = " ".join(dataset.warnings)
    for words in (
        "1 pictures are labelled uncertain and were left out: 2/d.jpg",
        "names are missing: 2/x.jpg",
        "were refused: ../../etc/passwd",
        "1 names occur twice",
        "out of range (0..10)",
    ):
        assert words in said


def test_affectnets_arrays_are_read_without_pickle(tmp_path: Path, put: Put) -> None:
    put(tmp_path, "train_set/images/0.jpg", "train_set/images/1.jpg", "train_set/images/2.jpg", "val_set/images/5.jpg")
    for split, number, value in (("train_set", 0, "3"), ("val_set", 5, "1")):
        (tmp_path / split / "annotations").mkdir()
        np.save(tmp_path / split / "annotations" / f"{number}_exp.npy", value)
    np.save(tmp_path / "train_set" / "annotations" / "1_exp.npy", np.array({"evil": 1}, dtype=object))
    dataset = open_input(str(tmp_path))
    assert [(s.source_id, s.label, s.split) for s in dataset.sources] == [
        ("train_set/0.jpg", "surprise", "train"),
        ("val_set/5.jpg", "happiness", "validation"),
    ]
    said = " ".join(dataset.warnings)
    assert "1 label files are damaged, their pictures were left out: 1_exp.npy" in said
    assert "1 pictures have no label file and were left out: 2.jpg" in said


def _fer_rows() -> list[str]:
    pixels = " ".join(str(value % 256) for value in range(2304))
    return [
        "emotion,pixels,Usage",
        f"0,{pixels},Training",
        f"6,{pixels},PublicTest",
        f"3,{pixels},PrivateTest",
        "2,1 2 3,Training",
        f"9,{pixels},Training",
    ]


def test_fer2013s_table_becomes_grey_48_pixel_pictures(tmp_path: Path) -> None:
    (tmp_path / "fer2013.csv").write_text("\n".join(_fer_rows()))
    for path in (tmp_path, tmp_path / "fer2013.csv"):
        dataset = open_input(str(path))
        assert dataset.name == "fer2013"
        assert [(s.source_id, s.label, s.split) for s in dataset.sources] == [
            ("00000", "anger", "train"),
            ("00001", "neutral", "validation"),
            ("00002", "happiness", "test"),
            ("00004", None, "train"),
        ]
    picture = read_source(dataset.sources[0])
    assert picture.mode == "L" and picture.pixels.shape == (48, 48, 3)
    assert picture.pixels[:, :, 0].ravel()[:300].tolist() == [value % 256 for value in range(300)]
    said = " ".join(dataset.warnings)
    assert "1 rows have no 2304 pixel values" in said and "1 labels are out of range (0..6)" in said


def test_fer2013s_folders_go_by_name_not_by_their_order(tmp_path: Path, put: Put) -> None:
    names = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
    put(tmp_path, *(f"train/{name}/a.png" for name in names), "test/sad/b.png", size=48, mode="L")
    dataset = open_input(str(tmp_path))
    assert dataset.name == "fer2013" and dataset.sources[0].is_face_crop
    assert dataset.counts() == {"train": dict.fromkeys(EMOTIONS, 1), "test": {"sadness": 1}}


_PLUS_HEADER = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"


def test_ferplus_votes_become_soft_labels(tmp_path: Path) -> None:
    (tmp_path / "fer2013.csv").write_text("\n".join(_fer_rows()[:4] + [_fer_rows()[1]]))
    (tmp_path / "fer2013new.csv").write_text(
        "\n".join(
            [
                _PLUS_HEADER,
                "Training,fer0000000.png,4,0,0,1,3,2,0,0,0,0",
                "PublicTest,,0,0,0,0,0,0,0,0,0,10",
                "PrivateTest,fer0000002.png,1,1,0,0,0,0,0,8,0,0",
                "Training,fer0000003.png,5,5,0,0,0,0,0,0,0,0",
            ]
        )
    )
    dataset = open_input(str(tmp_path))
    assert dataset.name == "ferplus"
    first, contempt, tie = dataset.sources
    assert (first.source_id, first.label, first.split) == ("fer0000000.png", "neutral", "train")
    assert first.label_weights == pytest.approx((0, 0, 0.2, 0, 0.1, 0.3, 0.4))
    assert (contempt.label, contempt.source_label) == (None, "contempt")
    assert contempt.label_weights == pytest.approx((0, 0, 0, 0.5, 0, 0, 0.5))
    assert (tie.label, tie.source_label) == (None, "neutral = happiness")
    assert any("1 rows show no face" in warning for warning in dataset.warnings)
    (tmp_path / "fer2013.csv").unlink()
    with pytest.raises(DatasetError, match="put fer2013.csv beside it"):
        open_input(str(tmp_path))


def test_ferplus_pictures_may_be_files_and_rows_must_agree(tmp_path: Path, put: Put) -> None:
    rows = "Training,fer0000000.png,0,9,0,0,0,0,0,0,1,0\nTraining,fer0000001.png,0,9,0,0,0,0,0,0,1,0\n"
    (tmp_path / "fer2013new.csv").write_text(f"{_PLUS_HEADER}\n{rows}")
    (tmp_path / "fer2013.csv").write_text("\n".join(_fer_rows()[:2]))
    with pytest.raises(DatasetError, match="has 1 rows and fer2013new.csv 2"):
        open_input(str(tmp_path))
    put(tmp_path, "FER2013Train/fer0000000.png", size=48, mode="L")
    dataset = open_input(str(tmp_path))
    assert [source.source_path for source in dataset.sources] == ["FER2013Train/fer0000000.png"]
    assert any("1 pictures are missing or damaged: fer0000001.png" in warning for warning in dataset.warnings)


def test_votes_without_any_of_the_seven_have_no_soft_label() -> None:
    assert hard_and_soft({"unknown": 10, "happiness": 0}) == (None, "unknown", None)
    assert hard_and_soft({}) == (None, None, None)


def test_ck_plus_takes_first_frames_as_neutral_and_last_as_peak(tmp_path: Path, put: Put) -> None:
    frames = (
        "S011/001/S011_001_00000001",
        "S011/001/S011_001_00000002",
        "S011/001/S011_001_00000016",
        "S011/002/S011_002_00000001",
        "S011/002/S011_002_00000009",
        "S052/004/S052_004_00000001",
        "S052/004/S052_004_00000031",
    )
    put(tmp_path, *(f"cohn-kanade-images/{frame}.png" for frame in frames))
    for sequence, value in (("S011/001", "   5.0000000e+00\n"), ("S052/004", "   2.0000000e+00\n")):
        folder = tmp_path / "Emotion" / sequence
        folder.mkdir(parents=True)
        (folder / f"{sequence.replace('/', '_')}_00000016_emotion.txt").write_text(value)
    points = tmp_path / "Landmarks" / "S011" / "001"
    points.mkdir(parents=True)
    (points / "S011_001_00000016_landmarks.txt").write_text("\n".join(f"  {i}.5e+00  {i}.0e+00" for i in range(68)))
    dataset = open_input(str(tmp_path))
    assert dataset.name == "ck+"
    found = {Path(source.source_id).stem: (source.label, source.source_label) for source in dataset.sources}
    assert found == {
        "S011_001_00000001": ("neutral", "0"),
        "S011_001_00000016": ("happiness", "5"),
        "S011_002_00000001": ("neutral", "0"),
        "S011_002_00000009": (None, None),
        "S052_004_00000001": ("neutral", "0"),
        "S052_004_00000031": (None, "contempt"),
    }
    assert {source.group_id for source in dataset.sources} == {"S011", "S052"}
    assert {source.split for source in dataset.sources} == {"train"}
    peak = next(source for source in dataset.sources if source.source_id.endswith("S011_001_00000016.png"))
    assert peak.landmarks.shape == (68, 2) and peak.landmarks[3].tolist() == [3.5, 3.0]
    said = " ".join(dataset.warnings)
    assert "1 sequences have no label" in said and "no splits" in said


def test_ck_plus_copies_are_grouped_by_subject(tmp_path: Path, put: Put) -> None:
    put(tmp_path, "CK+48/happy/S010_006_00000013.png", "CK+48/fear/S010_002_00000014.png", size=48)
    dataset = open_input(str(tmp_path))
    assert dataset.name == "ck+" and {source.group_id for source in dataset.sources} == {"S010"}
    assert dataset.counts() == {"train": {"fear": 1, "happiness": 1}} and dataset.sources[0].is_face_crop


def test_expw_minds_the_order_of_its_boxes(tmp_path: Path, put: Put) -> None:
    put(tmp_path, "image/origin/angry_a.jpg", "image/origin/b.jpg")
    (tmp_path / "label").mkdir()
    (tmp_path / "label" / "label.lst").write_text(
        "angry_a.jpg 0 3 4 15 18 46.5 0\nangry_a.jpg 1 1 2 9 10 46.5 3\nb.jpg 0 0 0 9 9 10.0 8\n"
        "gone.jpg 0 0 0 9 9 10.0 1\n../../etc/passwd 0 0 0 9 9 10.0 1\ntorn line\nb.jpg 0 0 0 9 9 10.0 1\n"
    )
    dataset = open_input(str(tmp_path))
    assert dataset.name == "expw"
    first, second, third = dataset.sources
    assert (first.source_id, first.label, first.box) == ("angry_a.jpg#0", "anger", (4, 3, 15, 18))
    assert (second.source_id, second.label, second.group_id) == ("angry_a.jpg#1", "happiness", "angry_a.jpg")
    assert (third.label, third.source_label) == (None, "8")
    said = " ".join(dataset.warnings)
    for words in (
        "are missing: gone.jpg",
        "refused: ../../etc/passwd",
        "no eight fields",
        "faces occur twice",
        "out of range (0..6)",
    ):
        assert words in said
