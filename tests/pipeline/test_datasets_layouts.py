"""Sets as handed out: trees of CelebA and AffectNet, YOLO, names that tell, FER2013 and its kin."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from singanimation.pipeline.datasets import Dataset, open_input
from singanimation.pipeline.datasets.licences import AFFECTNET, CK_PLUS, FER2013, JAFFE, KDEF, RAFD
from singanimation.pipeline.errors import DatasetError

Put = Callable[..., Path]


def told(dataset: Dataset) -> list[tuple[str, str | None, str]]:
    return [(Path(source.source_id).name, source.label, source.split) for source in dataset.sources]


@pytest.mark.parametrize(
    "pictures",
    [
        "Img/img_align_celeba/{}.jpg",
        "Img/img_align_celeba_png/{}.png",
        "img_align_celeba_png/img_align_celeba_png/{}.png",
    ],
)
@pytest.mark.parametrize("given", [".", "celeba"])
def test_celebas_own_trees_keep_splits_and_people(tmp_path: Path, put: Put, pictures: str, given: str) -> None:
    root = tmp_path / "celeba"
    put(root, *(pictures.format(f"00000{number}") for number in (1, 2, 3)))
    (root / "Eval").mkdir()
    (root / "Anno").mkdir()
    (root / "Eval" / "list_eval_partition.txt").write_text("000001.jpg 0\n000002.jpg 1\n000003.jpg 2\n")
    (root / "Anno" / "identity_CelebA.txt").write_text("000001.jpg 2880\n000002.jpg 2880\n000003.jpg 7\n")
    dataset = open_input(str(tmp_path if given == "." else root))
    assert [(source.split, source.group_id) for source in dataset.sources] == [
        ("train", "2880"),
        ("validation", "2880"),
        ("test", "7"),
    ]
    assert dataset.name == "celeba" and not any("no splits" in warning for warning in dataset.warnings)


@pytest.mark.parametrize("inner", ["Img", "Img/img_align_celeba"])
def test_celebas_lists_are_found_from_inside_its_tree(tmp_path: Path, put: Put, inner: str) -> None:
    put(tmp_path, "Img/img_align_celeba/000001.jpg", "Img/img_align_celeba/000002.jpg")
    (tmp_path / "Eval").mkdir()
    (tmp_path / "Eval" / "list_eval_partition.txt").write_text("000001.jpg 0\n000002.jpg 2\n")
    assert [source.split for source in open_input(str(tmp_path / inner)).sources] == ["train", "test"]


def test_celeba_without_its_lists_says_so(tmp_path: Path, put: Put) -> None:
    said = " ".join(open_input(str(put(tmp_path, "img_align_celeba/000001.jpg"))).warnings)
    assert "no list_eval_partition" in said and "no identity_CelebA" in said and "no splits" in said
    (tmp_path / "list_eval_partition.txt").write_text("lost\n")
    with pytest.raises(DatasetError, match="has no lines like `000001.jpg 0`"):
        open_input(str(tmp_path))


_HEADER = "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,valence,arousal"


@pytest.mark.parametrize(
    ("lists", "pictures"),
    [
        ("Manually_Annotated_file_lists", "Manually_Annotated/Manually_Annotated_Images"),
        ("Manually_Annotated_file_lists", "Manually_Annotated_Images"),
        (".", "Manually_Annotated/Manually_Annotated_Images"),
        (".", "Manually_Annotated_Images"),
        (".", "."),
        ("AffectNet/Manually_Annotated_file_lists", "AffectNet/Manually_Annotated/Manually_Annotated_Images"),
    ],
)
def test_affectnets_official_trees(tmp_path: Path, put: Put, lists: str, pictures: str) -> None:
    put(tmp_path / pictures, "689/a.jpg", "12/b.jpg", "12/c.jpg")
    (tmp_path / lists).mkdir(parents=True, exist_ok=True)
    (tmp_path / lists / "training.csv").write_text(f"{_HEADER}\n689/a.jpg,1,1,9,9,,1,0,0\n12/b.jpg,1,1,9,9,,3,0,0\n")
    (tmp_path / lists / "validation.csv").write_text(f"{_HEADER}\n12/c.jpg,1,1,9,9,,6,0,0\n")
    dataset = open_input(str(tmp_path))
    assert dataset.name == "affectnet" and told(dataset) == [
        ("b.jpg", "surprise", "train"),
        ("c.jpg", "anger", "validation"),
        ("a.jpg", "happiness", "train"),
    ]


_NAMES = "['Anger', 'Contempt', 'Disgust', 'Fear', 'Happy', 'Neutral', 'Sad', 'Surprise']"


@pytest.mark.parametrize(
    ("images", "labels"), [("{}/images", "{}/labels"), ("images/{}", "labels/{}"), ("a/images/{}", "a/labels/{}")]
)
@pytest.mark.parametrize("names", [f"names: {_NAMES}", "names:\n  0: anger\n  4: happy\n  7: surprise"])
def test_yolos_trees_are_read_by_their_class_names(
    tmp_path: Path, put: Put, images: str, labels: str, names: str
) -> None:
    rows = {
        "train": [("f0", "0 .5 .5 1 1"), ("f1", "4 .5 .5 1 1")],
        "valid": [("f2", "7 .5 .5 .5 .4\n0 .2 .2 .2 .2\n")],
    }
    for split, pairs in rows.items():
        put(tmp_path / images.format(split), *(f"{name}.jpg" for name, _ in pairs), "x.jpg", size=40)
        (tmp_path / labels.format(split)).mkdir(parents=True)
        for name, text in pairs:
            (tmp_path / labels.format(split) / f"{name}.txt").write_text(text)
    (tmp_path / "data.yaml").write_text(f"train: train/images\nnc: 8\n{names}\n# AffectNet\n")
    dataset = open_input(str(tmp_path))
    assert dataset.name == "yolo" and dataset.licence == AFFECTNET
    assert sorted((source.label, source.split) for source in dataset.sources) == [
        ("anger", "train"),
        ("anger", "validation"),
        ("happiness", "train"),
        ("surprise", "validation"),
    ]
    whole = [source for source in dataset.sources if source.split == "train"]
    assert all(source.is_face_crop and source.box is None for source in whole)
    boxed = next(source for source in dataset.sources if source.label == "surprise")
    assert boxed.box == pytest.approx((10, 12, 30, 28)) and not boxed.is_face_crop
    assert len({source.group_id for source in dataset.sources if source.split == "validation"}) == 1
    assert any("2 pictures have no file in labels" in warning for warning in dataset.warnings)


@pytest.mark.parametrize(
    "yaml", ["names: [person, car]", "names: 3", "[" * 5000, "a: &a [*a]", "!!python/object/apply:os.system [ls]"]
)
def test_a_data_yaml_of_something_else_leaves_the_folders_alone(tmp_path: Path, put: Put, yaml: str) -> None:
    put(tmp_path, "happy/a.png")
    (tmp_path / "data.yaml").write_text(yaml)
    try:
        assert [source.label for source in open_input(str(tmp_path)).sources] == ["happiness"]
    except DatasetError as error:
        assert "data.yaml cannot be read as YAML" in str(error)


@pytest.mark.parametrize(
    ("names", "labels", "people", "licence"),
    [
        (
            ["KA.AN1.39.tiff", "KA.SU2.37.tiff", "YM.NE3.51.tif", "NM-FE1.65.jpg"],
            {"anger", "surprise", "neutral", "fear"},
            {"KA", "YM", "NM"},
            JAFFE,
        ),
        (["AF01ANS.JPG", "BF01AFHL.JPG", "AM35SUFR.JPG"], {"anger", "fear", "surprise"}, {"F01", "M35"}, KDEF),
        (
            ["Rafd090_01_Caucasian_female_angry_frontal.jpg", "Rafd045_09_Caucasian_male_contemptuous_left.jpg"],
            {"anger", None},
            {"01", "09"},
            RAFD,
        ),
    ],
)
@pytest.mark.parametrize("folder", ["", "session 1/"])
def test_sets_that_keep_label_and_person_in_their_names(
    tmp_path: Path, put: Put, names: list[str], labels: set[str | None], people: set[str], licence: str, folder: str
) -> None:
    dataset = open_input(str(put(tmp_path, *(folder + name for name in names))))
    assert {source.label for source in dataset.sources} == labels and dataset.licence == licence
    assert {source.group_id for source in dataset.sources} == people
    assert any("no splits" in warning for warning in dataset.warnings)


def _pixels(shade: int, side: int = 48) -> str:
    return " ".join([str(shade)] * side * side)


def test_the_challenges_tables_without_usage(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text(f"emotion,pixels\n0,{_pixels(1)}\n6,{_pixels(2)}\n")
    (tmp_path / "test.csv").write_text(f"pixels\n{_pixels(3)}\n")
    dataset = open_input(str(tmp_path))
    assert dataset.name == "fer2013" and dataset.licence == FER2013
    assert sorted((source.label or "", source.split) for source in dataset.sources) == [
        ("", "test"),
        ("anger", "train"),
        ("neutral", "train"),
    ]
    assert len({source.source_id for source in dataset.sources}) == 3
    (alone, _) = open_input(str(tmp_path / "train.csv")).sources
    assert (alone.label, alone.split) == ("anger", "train")


@pytest.mark.parametrize("name", ["ckextended.csv", "CK+.csv", "my_ck_plus.csv"])
def test_ckextended_is_ck_plus_with_its_licence_and_contempt(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(f"emotion,pixels,Usage\n3,{_pixels(1)},Training\n7,{_pixels(2)},PublicTest\n")
    for path in (tmp_path, tmp_path / name):
        dataset = open_input(str(path))
        assert (dataset.name, dataset.licence) == ("ck+", CK_PLUS)
        assert [(s.label, s.source_label, s.split) for s in dataset.sources] == [
            ("happiness", "3", "train"),
            (None, "contempt", "validation"),
        ]


def test_ckextended_beside_fer2013_is_not_mixed_in(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text(f"emotion,pixels\n0,{_pixels(1)}\n")
    (tmp_path / "ckextended.csv").write_text(f"emotion,pixels,Usage\n3,{_pixels(1)},Training\n")
    dataset = open_input(str(tmp_path))
    assert dataset.name == "fer2013" and len(dataset.sources) == 1
    assert any("1 tables are CK+'s and were left out" in warning for warning in dataset.warnings)


_PLUS = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"


def _votes(tmp_path: Path) -> list[str]:
    """Write FER+'s table for ten rows, of which rows 3 and 6 have no picture; return the names in order."""
    names, lines, number = [], [_PLUS], 0
    for row in range(10):
        if row in (3, 6):
            lines.append("Training,,0,0,0,0,0,0,0,0,0,10")
            continue
        names.append(f"fer{number:07d}.png")
        votes = [10 if index == row % 7 else 0 for index in range(7)]
        lines.append(f"{'Training' if row < 8 else 'PrivateTest'},{names[-1]},{','.join(map(str, votes))},0,0,0")
        number += 1
    (tmp_path / "fer2013new.csv").write_text("\n".join(lines))
    return names


def test_ferplus_pictures_by_image_name_are_read(tmp_path: Path, put: Put) -> None:
    names = _votes(tmp_path)
    put(
        tmp_path,
        *(f"FER2013Train/{name}" for name in names[:6]),
        *(f"FER2013Test/{name}" for name in names[6:]),
        size=48,
    )
    dataset = open_input(str(tmp_path))
    assert [source.source_id for source in dataset.sources] == names
    assert [source.label for source in dataset.sources][:3] == ["neutral", "happiness", "surprise"]


@pytest.mark.parametrize("folder", ["", "FER2013Train/"])
def test_ferplus_pictures_numbered_by_row_are_refused(tmp_path: Path, put: Put, folder: str) -> None:
    _votes(tmp_path)
    put(tmp_path, *(f"{folder}fer{row:07d}.png" for row in range(10)), size=48)
    with pytest.raises(DatasetError, match=r"numbered by\s+row.*put fer2013.csv beside it, or name them by Image name"):
        open_input(str(tmp_path))


def test_fer2013s_rows_are_surer_than_files(tmp_path: Path, put: Put) -> None:
    _votes(tmp_path)
    put(tmp_path, *(f"fer{row:07d}.png" for row in range(10)), size=48)
    rows = "".join(f"0,{_pixels(row)},Training\n" for row in range(10))
    (tmp_path / "fer2013.csv").write_text(f"emotion,pixels,Usage\n{rows}")
    dataset = open_input(str(tmp_path))
    assert [source.source_path for source in dataset.sources][3] == "fer2013.csv#00004"
    assert dataset.sources[3].label == "anger"


@pytest.mark.parametrize("folder", ["train/{}", "FER2013Train/{}", "{}"])
def test_fer2013s_folders_take_the_table_beside_them(tmp_path: Path, put: Put, folder: str) -> None:
    classes = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
    put(tmp_path, *(f"{folder.format(name)}/{name}.png" for name in classes), size=48, mode="L")
    (tmp_path / "labels.csv").write_text("file,label\nangry.png,sad\n")
    dataset = open_input(str(tmp_path))
    assert dataset.name == "fer2013" and {s.label for s in dataset.sources if s.source_id.endswith("angry.png")} == {
        "sadness"
    }
    assert any("another label in labels.csv" in warning for warning in dataset.warnings)


def test_large_numbers_of_labels_are_cut_in_the_message(tmp_path: Path, put: Put) -> None:
    put(tmp_path, "happy/a.png", *(f"class {chr(97 + index)}x/{index}.png" for index in range(26)))
    said = " ".join(open_input(str(tmp_path)).warnings)
    assert "26 pictures have labels outside the seven" in said and said.count("(1)") == 12


def test_arrays_of_affectnet_that_are_no_files_are_told(tmp_path: Path, put: Put) -> None:
    import os

    put(tmp_path, "train_set/images/0.jpg", "train_set/images/1.jpg")
    (tmp_path / "train_set" / "annotations").mkdir()
    np.save(tmp_path / "train_set" / "annotations" / "0_exp.npy", "3")
    os.mkfifo(tmp_path / "train_set" / "annotations" / "1_exp.npy")
    dataset = open_input(str(tmp_path))
    assert told(dataset) == [("0.jpg", "surprise", "train")]
    assert any("1 label files are damaged" in warning for warning in dataset.warnings)


def test_raf_dbs_copies_name_a_broken_table_and_count_what_differs_from_the_folders(tmp_path: Path, put: Put) -> None:
    put(tmp_path, "train/5/train_00001_aligned.jpg", "train/4/train_00002_aligned.jpg", "test/7/test_0001_aligned.jpg")
    (tmp_path / "train_labels.csv").write_text("image,label\ntrain_00001_aligned.jpg,5\ntrain_00002_aligned.jpg,6\n")
    (tmp_path / "test_labels.csv").write_text("image,label\ntest_0001_aligned.jpg,7,x\n")
    dataset = open_input(str(tmp_path))
    assert dataset.name == "raf-db" and {Path(s.source_id).name[:11]: s.label for s in dataset.sources} == {
        "test_0001_a": None,
        "train_00001": "sadness",
        "train_00002": "anger",
    }
    said = " ".join(dataset.warnings)
    assert "test_labels.csv cannot be read as a table (line 2 has 3 fields" in said
    assert "1 pictures have another label in train_labels.csv than by their folder" in said
