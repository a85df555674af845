"""What people's copies are like: spreadsheets' encodings, odd names, outputs among the inputs, missing columns."""

from collections.abc import Callable
from pathlib import Path

import pytest

from singanimation.pipeline.datasets import open_input
from singanimation.pipeline.errors import DatasetError

Put = Callable[..., Path]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_label_files_may_come_from_windows(tmp_path: Path, put: Put, encoding: str) -> None:
    put(tmp_path, "basic/Image/aligned/train_00001_aligned.JPG", "basic/Image/aligned/test_0001_aligned.jpg")
    (tmp_path / "basic" / "EmoLabel").mkdir()
    text = "train_00001.jpg 5\r\ntest_0001.jpg 7\r\n"
    (tmp_path / "basic" / "EmoLabel" / "list_patition_label.txt").write_bytes(text.encode(encoding))
    assert open_input(str(tmp_path)).counts() == {"train": {"sadness": 1}, "test": {"neutral": 1}}


@pytest.mark.parametrize("text", ["file,label\r\nc d.png,happy\r\n", "file;label\r\nc d.png;happy\r\n"])
def test_a_table_may_have_a_byte_order_mark_and_semicolons(tmp_path: Path, put: Put, text: str) -> None:
    put(tmp_path, "c d.png")
    (tmp_path / "index.csv").write_bytes(text.encode("utf-8-sig"))
    assert [source.label for source in open_input(str(tmp_path / "index.csv")).sources] == ["happiness"]


def test_a_table_that_is_not_utf_8_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "index.csv").write_bytes("file,label\nä.png,happy\n".encode("latin-1"))
    with pytest.raises(DatasetError, match="index.csv cannot be read as a table: it is not written in UTF-8; save it"):
        open_input(str(tmp_path / "index.csv"))


def test_the_same_file_written_in_two_ways_is_one_picture(tmp_path: Path, put: Put) -> None:
    put(tmp_path, "pics/a.png")
    (tmp_path / "index.csv").write_text("file,label\npics/a.png,sad\npics\\a.png,sad\n./pics/a.png,sad\n")
    dataset = open_input(str(tmp_path / "index.csv"))
    assert [(source.source_id, source.source_path) for source in dataset.sources] == [("pics/a.png", "pics/a.png")]
    assert any("2 pictures occur twice" in warning for warning in dataset.warnings)


def test_the_only_table_beside_pictures_labels_them(tmp_path: Path, put: Put) -> None:
    put(tmp_path, "pics/a.png", "pics/b ä.png", "pics/c.png")
    (tmp_path / "index.csv").write_text("file,label,split\npics/a.png,sad,test\npics/b ä.png,joy,train\n")
    dataset = open_input(str(tmp_path))
    assert dataset.counts() == {"train": {"happiness": 1}, "test": {"sadness": 1}}
    assert {source.source_id for source in dataset.sources} == {"pics/a.png", "pics/b ä.png"}
    (tmp_path / "notes.csv").write_text("file,label\npics/a.png,fear\n")
    assert open_input(str(tmp_path)).counts() == {"train": {"unlabelled": 3}}  # which of the two?


@pytest.mark.parametrize("table", ["file,label\nelsewhere.png,sad\n", "date,weather\n1,2\n", "", "file\nhappy/a.png\n"])
def test_tables_that_label_nothing_here_do_not_hide_the_class_folders(tmp_path: Path, put: Put, table: str) -> None:
    put(tmp_path, "happy/a.png", "misc/b.png")
    (tmp_path / "notes.csv").write_text(table)
    assert open_input(str(tmp_path)).counts() == {"train": {"happiness": 1, "unlabelled": 1}}


def test_odd_names_nested_folders_and_empty_classes_are_read(tmp_path: Path, put: Put) -> None:
    put(tmp_path, "train/happy/p 1/日本.PNG", "train/happy/p 2/日本.PNG", "train/sad/ß.JPeG", "test/happy/日本.png")
    (tmp_path / "train" / "fear").mkdir()
    dataset = open_input(str(tmp_path))
    assert dataset.counts() == {"train": {"happiness": 2, "sadness": 1}, "test": {"happiness": 1}}
    assert len({source.source_id for source in dataset.sources}) == 4 and dataset.warnings == []


def test_links_to_folders_elsewhere_are_read_and_dangling_ones_are_left_to_the_run(tmp_path: Path, put: Put) -> None:
    put(tmp_path / "elsewhere", "a.png")
    put(tmp_path / "set", "happy/b.png")
    (tmp_path / "set" / "anger").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "set" / "happy" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    found = {source.source_id: source.label for source in open_input(str(tmp_path / "set")).sources}
    assert found == {"anger/a.png": "anger", "happy/b.png": "happiness", "happy/gone.png": "happiness"}


def test_an_output_folder_inside_the_input_is_not_read(tmp_path: Path, put: Put) -> None:
    put(tmp_path, "happy/a.png", "grown/contact_sheet.png", "grown/report/sheet.png")
    (tmp_path / "grown" / "manifest").mkdir()
    (tmp_path / "grown" / "runs").mkdir()
    assert [source.source_id for source in open_input(str(tmp_path)).sources] == ["happy/a.png"]


def test_ck_plus_label_files_may_have_a_byte_order_mark(tmp_path: Path, put: Put) -> None:
    put(
        tmp_path,
        "cohn-kanade-images/S011/001/S011_001_00000001.PNG",
        "cohn-kanade-images/S011/001/S011_001_00000002.png",
    )
    folder = tmp_path / "Emotion" / "S011" / "001"
    folder.mkdir(parents=True)
    (folder / "S011_001_00000002_emotion.txt").write_bytes(b"\xef\xbb\xbf   3.0000000e+00\r\n")
    assert open_input(str(tmp_path)).counts() == {"train": {"disgust": 1, "neutral": 1}}


def test_expws_names_may_hold_blanks(tmp_path: Path, put: Put) -> None:
    put(tmp_path, "image/origin/a b.jpg")
    (tmp_path / "label").mkdir()
    (tmp_path / "label" / "label.lst").write_bytes(b"a b.jpg 0 1 2 9 8 40.0 3\r\n")
    (source,) = open_input(str(tmp_path)).sources
    assert (source.source_id, source.label, source.box) == ("a b.jpg#0", "happiness", (2, 1, 9, 8))


def test_celebas_names_may_differ_in_case(tmp_path: Path, put: Put) -> None:
    put(tmp_path, "img_align_celeba/000001.JPG", "img_align_celeba/000002.jpg")
    (tmp_path / "list_eval_partition.txt").write_bytes(b"000001.jpg 0\r\n000002.JPG 2\r\n")
    (tmp_path / "identity_CelebA.txt").write_text("000001.jpg 17\n000002.jpg 18\n")
    dataset = open_input(str(tmp_path))
    assert [(source.split, source.group_id) for source in dataset.sources] == [("train", "17"), ("test", "18")]
    assert not any("missing" in warning for warning in dataset.warnings)


def test_tables_without_a_needed_column_say_which(tmp_path: Path, put: Put) -> None:
    put(tmp_path / "affectnet", "1/a.jpg")
    (tmp_path / "affectnet" / "training.csv").write_text("subDirectory_filePath,face_x\n1/a.jpg,0\n")
    with pytest.raises(DatasetError, match="training.csv has no column expression; it has subDirectory_filePath"):
        open_input(str(tmp_path / "affectnet"))
    (tmp_path / "plus").mkdir()
    (tmp_path / "plus" / "fer2013new.csv").write_text("Usage,Image name\n")
    with pytest.raises(DatasetError, match="fer2013new.csv has no column NF"):
        open_input(str(tmp_path / "plus"))


def test_a_broken_parquet_file_and_an_empty_table_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "torn.parquet").write_bytes(b"PAR1abc")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "header.csv").write_text("file,label\n")
    for name, words in (
        ("torn.parquet", "cannot be read as Parquet"),
        ("empty.csv", "cannot be read as a table"),
        ("header.csv", "no picture is left to use"),
    ):
        with pytest.raises(DatasetError, match=words):
            open_input(str(tmp_path / name))


def test_a_torn_parquet_file_beside_pictures_does_not_hide_them(tmp_path: Path, put: Put) -> None:
    put(tmp_path, "happy/a.png")
    (tmp_path / "torn.parquet").write_bytes(b"PAR1abc")
    assert open_input(str(tmp_path)).counts() == {"train": {"happiness": 1}}


def test_cells_that_are_no_names_are_labels_that_nobody_knows(tmp_path: Path, put: Put) -> None:
    put(tmp_path, "a.png", "b.png")
    index = tmp_path / "index.jsonl"
    index.write_text('{"file": "a.png", "label": "joy"}\n{"file": "b.png", "label": {"joy": 1}}\n{"file": ["c"]}\n')
    dataset = open_input(str(index))
    assert dataset.counts() == {"train": {"happiness": 1, "unlabelled": 1}}
    assert any("are missing" in warning for warning in dataset.warnings)
    index.write_text('{"file": "a.png"}\n[1]\n')
    with pytest.raises(DatasetError, match="a line is no JSON object: .1."):
        open_input(str(index))


@pytest.mark.parametrize("text", ["", " ", "a" * 5000, "nul\0byte"])
def test_inputs_that_name_nothing_are_one_sentence(text: str) -> None:
    with pytest.raises(DatasetError, match="--input"):
        open_input(text)
