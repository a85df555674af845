"""Label files as people have them: each is read right, or named in one sentence; none shifts or drops a label unsaid.

Every case writes one file beside three pictures, ``pics/a.png`` (happy), ``pics/b.png`` (sad), ``pics/c.png`` (fear).
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from singanimation.pipeline.datasets import Dataset, open_input
from singanimation.pipeline.files.pictures import encode_png

Put = Callable[..., Path]
RIGHT = {"a.png": "happiness", "b.png": "sadness", "c.png": "fear"}
NO_B = RIGHT | {"b.png": None}
PLAIN = "file,label\npics/a.png,happy\npics/b.png,sad\npics/c.png,fear\n"


@dataclass(frozen=True)
class Case:
    """A label file: its name and bytes, and the labels that are right (or the words of the sentence)."""

    id: str
    name: str
    content: str | bytes
    right: Mapping[str, str | None] | None = None
    says: str = ""


def _same(id: str, content: str | bytes, name: str = "labels.csv", says: str = "") -> Case:
    return Case(id, name, content, RIGHT, says)


def _wrong(id: str, content: str | bytes, says: str, name: str = "labels.csv") -> Case:
    return Case(id, name, content, None, says)


def _columns(file: str, label: str) -> Case:
    return _same(f"columns {file} and {label}", PLAIN.replace("file,label", f"{file},{label}", 1))


READ = [
    _same("plain", PLAIN),
    _same("crlf", PLAIN.replace("\n", "\r\n")),
    _same("no last newline", PLAIN.rstrip()),
    _same("byte order mark", PLAIN.encode("utf-8-sig")),
    _same("utf-16", PLAIN.encode("utf-16")),
    _same("utf-16 big end first", b"\xfe\xff" + PLAIN.encode("utf-16-be")),
    _same("tabs in a csv", PLAIN.replace(",", "\t")),
    _same("tsv", PLAIN.replace(",", "\t"), "labels.tsv"),
    _same("semicolons", PLAIN.replace(",", ";")),
    _same("pipes", PLAIN.replace(",", "|")),
    _same("blanks after commas", PLAIN.replace(",", ", ")),
    _same("quoted", PLAIN.replace("happy", '"happy"').replace("pics/b.png", '"pics/b.png"')),
    _same("an index column without a name", "," + PLAIN.replace("\np", "\n7,p").replace("file", "file", 1)),
    _same("trailing commas", PLAIN.replace("happy\n", "happy,\n").replace("sad\n", "sad,,\n")),
    _same("empty lines", PLAIN.replace("\n", "\n\n")),
    _same("backslashes", PLAIN.replace("/", "\\")),
    _same("names alone", PLAIN.replace("pics/", "")),
    _same("names without endings", PLAIN.replace("pics/", "").replace(".png", "")),
    _same("paths of another machine", PLAIN.replace("pics/", "home/me/faces/pics/")),
    _same("upper case", PLAIN.upper().replace("PICS", "pics").replace(".PNG", ".png")),
    _same("names with numbers", PLAIN.replace("happy", "3_happy").replace("sad", "5-Sad").replace("fear", "02 fear")),
    _same("many columns", "id,file,x,label,y\n1,pics/a.png,.5,happy,2\n2,pics/b.png,.5,sad,2\n3,pics/c.png,1,fear,2\n"),
    _same("label first", "label,file\nhappy,pics/a.png\nsad,pics/b.png\nfear,pics/c.png\n"),
    _columns("image", "emotion"),
    _columns("img_path", "target"),
    _columns("Image Name", "Emotion Label"),
    _columns("FILE-PATH", "expr"),
    _columns("pth", "labels"),
    _columns("image_id", "class_name"),
    _columns("filename", "dominant_emotion"),
    _columns("photo", "gt"),
    _columns("whatever", "nobody knows"),  # told by what they hold
    _same("repeated column names", "file,label,label\npics/a.png,happy,x\npics/b.png,sad,x\npics/c.png,fear,x\n"),
    _same(
        "json lines",
        '{"file": "pics/a.png", "label": "joy"}\n{"file": "pics/b.png", "label": "sad"}\n'
        '{"file": "pics/c.png", "label": "fear"}\n',
        "labels.jsonl",
    ),
    _same(
        "ndjson",
        '{"image": "a.png", "emotion": "joy"}\n\n{"image": "b.png", "emotion": "sad"}\n'
        '{"image": "c.png", "emotion": "fear"}\n',
        "labels.ndjson",
    ),
    _same(
        "json records",
        '[{"image": "a.png", "emotion": "joy"}, {"image": "b.png", "emotion": "sad"}, '
        '{"image": "c.png", "emotion": "fear"}]',
        "annotations.json",
    ),
    _same("a json object of names", '{"a.png": "happy", "pics/b.png": "sad", "c": "fear"}', "labels.json"),
    _same("other endings than the files'", PLAIN.replace(".png", ".jpg")),
    _same("numbers in label, words in emotion", "file,label,emotion\na.png,3,happy\nb.png,4,sad\nc.png,2,fear\n"),
    _same("a list with blanks", "pics/a.png happy\npics/b.png sad\npics/c.png fear\n", "labels.txt"),
    _same("a list with commas", "a.png,happy\nb.png,sad\nc.png,fear\n", "list.txt"),
    _same(
        "one column an emotion",
        "file,anger,disgust,fear,happiness,sadness\npics/a.png,0,0,0,1,0\npics/b.png,0,0,0,0,1\npics/c.png,0,0,1,0,0\n",
    ),
    _same(
        "votes", "file,angry,disgust,fear,happy,sad,neutral\na.png,1,0,2,7,0,0\nb.png,0,0,0,1,8,1\nc.png,0,2,5,1,0,2\n"
    ),
    _same("a name twice", PLAIN + "pics/a.png,fear\n", says="1 names occur twice in labels.csv"),
    _same("a picture that is missing", PLAIN + "pics/gone.png,fear\n", says="1 pictures that labels.csv names are"),
    _same("a name that leads out", PLAIN + "../../etc/passwd,fear\n", says="lead out of the folder"),
    Case("an empty label", "labels.csv", PLAIN.replace("sad", ""), NO_B, "have no label in labels.csv"),
    Case("a label beyond the seven", "labels.csv", PLAIN.replace("sad", "contempt"), NO_B, "contempt"),
    Case(
        "numbers 1 to 7",
        "labels.csv",
        "file,label\na.png,4\nb.png,5\nc.png,7\n",
        {"a.png": "happiness", "b.png": "sadness", "c.png": "neutral"},
        "taken as RAF-DB's order",
    ),
    Case(
        "numbers that nobody names",
        "labels.csv",
        "file,label\na.png,0\nb.png,1\nc.png,2\n",
        dict.fromkeys(RIGHT),
        "label_map.csv",
    ),
    Case("markup", "labels.csv", PLAIN.replace("sad", "[/x]"), NO_B, "[/x]"),
    Case("what steers a terminal", "labels.csv", PLAIN.replace("sad", "\x1b[31mred"), NO_B, "?[31mred"),
    Case("a label of 9,000 letters", "labels.csv", PLAIN.replace("sad", "x" * 9000), NO_B, "xxx..."),
]

NAMED = [
    _wrong(
        "a ragged line", PLAIN.replace("sad", "sad,extra"), "labels.csv cannot be read as a table (line 3 has 3 fields"
    ),
    _wrong("an open quote", PLAIN.replace("happy", '"happy'), "labels.csv cannot be read as a table"),
    _wrong("a quote closed rows later", PLAIN.replace("happy", '"happy').replace("fear", 'fear"'), "is not closed"),
    _wrong("latin-1", PLAIN.replace("sad", "träurig").encode("latin-1"), "not written in UTF-8"),
    _wrong("bytes of all kinds", bytes(range(256)) * 4, "labels.csv cannot be read"),
    _wrong("NUL bytes", PLAIN.replace("sad", "s\0d"), "NUL bytes"),
    _wrong("nothing", "", "labels.csv cannot be read as a table (it is empty)"),
    _wrong("json lines cut off", '{"file": "pics/a.png", "label": "jo', "labels.jsonl cannot be read", "labels.jsonl"),
    _wrong("json lines of lists", '["pics/a.png", "joy"]\n', "is no JSON object", "labels.jsonl"),
    _wrong("deep json", "[" * 100_000, "labels.jsonl cannot be read", "labels.jsonl"),
    _wrong("deep json in an object", '{"a":' * 100_000, "labels.jsonl cannot be read", "labels.jsonl"),
    _wrong("a torn parquet", b"PAR1 torn", "labels.parquet cannot be read as Parquet", "labels.parquet"),
    _wrong("deep json in one file", "[" * 100_000, "labels.json cannot be read as a table", "labels.json"),
    _wrong("a spreadsheet", b"PK\x03\x04", "1 files may hold labels and are of a kind that is not read", "labels.xlsx"),
    _wrong("a table of other pictures", "file,label\nx.png,happy\ny.png,sad\n", "name none of the pictures here"),
]


def by_name(dataset: Dataset) -> dict[str, str | None]:
    return {Path(source.source_id).name: source.label for source in dataset.sources}


def beside(tmp_path: Path, put: Put, case: Case) -> Path:
    put(tmp_path, "pics/a.png", "pics/b.png", "pics/c.png")
    data = case.content.encode() if isinstance(case.content, str) else case.content
    (tmp_path / case.name).write_bytes(data)
    return tmp_path


def test_there_are_60_label_files() -> None:
    assert len({case.id for case in (*READ, *NAMED)}) >= 60


@pytest.mark.parametrize("case", READ, ids=lambda case: case.id)
def test_a_label_file_beside_pictures_is_read(tmp_path: Path, put: Put, case: Case) -> None:
    dataset = open_input(str(beside(tmp_path, put, case)))
    assert by_name(dataset) == case.right
    assert case.says in " ".join(dataset.warnings)


@pytest.mark.parametrize("case", NAMED, ids=lambda case: case.id)
def test_a_label_file_that_cannot_be_used_is_named(tmp_path: Path, put: Put, case: Case) -> None:
    dataset = open_input(str(beside(tmp_path, put, case)))
    assert set(by_name(dataset).values()) == {None}
    said = [warning for warning in dataset.warnings if case.says in warning]
    assert len(said) == 1 and len(said[0]) < 1000 and said[0].isprintable()


@pytest.mark.parametrize("case", NAMED, ids=lambda case: case.id)
def test_such_a_file_does_not_hide_class_folders(tmp_path: Path, put: Put, case: Case) -> None:
    folder = beside(tmp_path, put, case)
    (folder / "pics").rename(folder / "angry")
    dataset = open_input(str(folder))
    assert set(by_name(dataset).values()) == {"anger"} and case.says in " ".join(dataset.warnings)


def test_a_table_that_says_otherwise_than_the_folders_is_taken_and_counted(tmp_path: Path, put: Put) -> None:
    put(tmp_path, "anger/a.png", "anger/b.png", "happy/c.png", "neutral/d.png")
    (tmp_path / "labels.csv").write_text(
        ",pth,label,relFCs\n0,anger/a.png,surprise,.8\n1,anger/b.png,anger,.8\n2,happy/c.png,contempt,.8\n"
    )
    dataset = open_input(str(tmp_path))
    assert by_name(dataset) == {"a.png": "surprise", "b.png": "anger", "c.png": None, "d.png": "neutral"}
    said = " ".join(dataset.warnings)
    assert "2 pictures have another label in labels.csv than by their folder" in said and "a.png (surprise)" in said


def test_numbers_in_a_table_do_not_replace_class_folders(tmp_path: Path, put: Put) -> None:
    put(tmp_path, "angry/a.png", "happy/b.png")
    (tmp_path / "labels.csv").write_text("file,label\na.png,0\nb.png,3\n")
    assert by_name(open_input(str(tmp_path))) == {"a.png": "anger", "b.png": "happiness"}


def test_tables_of_each_split_are_put_together(tmp_path: Path, put: Put) -> None:
    put(tmp_path, "train/a.png", "test/b.png")
    (tmp_path / "train_labels.csv").write_text("image,label\na.png,happy\n")
    (tmp_path / "test_labels.csv").write_text("image,label\nb.png,sad\n")
    dataset = open_input(str(tmp_path))
    assert dataset.counts() == {"train": {"happiness": 1}, "test": {"sadness": 1}}


def test_two_tables_that_contradict_each_other_are_both_left_alone(tmp_path: Path, put: Put) -> None:
    put(tmp_path, "a.png", "b.png")
    (tmp_path / "one.csv").write_text("file,label\na.png,happy\nb.png,sad\n")
    (tmp_path / "two.csv").write_text("file,label\na.png,fear\nb.png,sad\n")
    dataset = open_input(str(tmp_path))
    assert not dataset.labelled and any(
        "one.csv and two.csv label 1 pictures differently" in w for w in dataset.warnings
    )


def test_a_list_of_one_classlabel_is_a_label(tmp_path: Path) -> None:
    _shard(tmp_path / "x.parquet", ["sad", "fear"], "label", [[1], [0]])
    table = pq.read_table(tmp_path / "x.parquet")
    for wrapped in ({"feature": {"names": ["sad", "fear"]}, "_type": "List"}, [{"names": ["sad", "fear"]}]):
        info = {"info": {"features": {"label": wrapped}}}
        pq.write_table(
            table.replace_schema_metadata({b"huggingface": json.dumps(info).encode()}), tmp_path / "x.parquet"
        )
        assert [source.label for source in open_input(str(tmp_path / "x.parquet")).sources] == ["fear", "sadness"]


@pytest.mark.parametrize(
    "text",
    ["file_name,label\nx.png,0\n", "id,age\n0,31\n1,45\n", "file_name,age\nhappy/a.png,31\nsad/b.png,20\n", '"open\n'],
)
def test_another_programs_metadata_do_not_hide_class_folders(tmp_path: Path, put: Put, text: str) -> None:
    put(tmp_path, "happy/a.png", "sad/b.png")
    (tmp_path / "metadata.csv").write_text(text)
    dataset = open_input(str(tmp_path))
    assert by_name(dataset) == {"a.png": "happiness", "b.png": "sadness"}
    if "happy" not in text:
        assert any("metadata.csv" in warning for warning in dataset.warnings)


def _shard(path: Path, names: list[str], column: str, values: list[object], **features: object) -> None:
    images = [
        {"bytes": encode_png(np.full((20, 20, 3), index, np.uint8)), "path": None} for index in range(len(values))
    ]
    table = pa.table({"image": images, column: values})
    info = {"info": {"features": {column: {"names": names, "_type": "ClassLabel"}} | features}}
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table.replace_schema_metadata({b"huggingface": json.dumps(info).encode()}), path)


@pytest.mark.parametrize("column", ["labels", "label", "target", "emotion", "any_name_at_all"])
def test_a_classlabel_is_the_label_whatever_its_column_is_called(tmp_path: Path, column: str) -> None:
    _shard(tmp_path / "data" / "train-00000.parquet", ["angry", "happy"], column, [1, 0, 1])
    assert [source.label for source in open_input(str(tmp_path)).sources] == ["happiness", "anger", "happiness"]


def test_of_two_classlabels_the_one_that_names_expressions_counts(tmp_path: Path) -> None:
    other = {"names": ["man", "woman"], "_type": "ClassLabel"}
    _shard(tmp_path / "x.parquet", ["sad", "fear"], "zz", [1, 0], gender=other)
    table = pq.read_table(tmp_path / "x.parquet")
    pq.write_table(table.append_column("gender", pa.array([0, 1])), tmp_path / "x.parquet")
    assert [source.label for source in open_input(str(tmp_path / "x.parquet")).sources] == ["fear", "sadness"]


def test_a_label_map_speaks_of_names_never_of_stored_numbers(tmp_path: Path) -> None:
    _shard(tmp_path / "raf.parquet", ["1", "2", "3", "4", "5", "6", "7"], "label", [0, 3, 6])
    (tmp_path / "label_map.csv").write_text("1,surprise\n4,happy\n7,neutral\n")
    assert [source.label for source in open_input(str(tmp_path / "raf.parquet")).sources] == [
        "surprise",
        "happiness",
        "neutral",
    ]
    (tmp_path / "label_map.csv").unlink()  # the folder names 1..7 are RAF-DB's, and it says so
    dataset = open_input(str(tmp_path / "raf.parquet"))
    assert dataset.sources[2].label == "neutral" and any("RAF-DB's order" in warning for warning in dataset.warnings)


def test_minus_one_is_no_label(tmp_path: Path) -> None:
    _shard(tmp_path / "x.parquet", ["sad", "fear"], "label", [1, -1])
    assert [source.label for source in open_input(str(tmp_path / "x.parquet")).sources] == ["fear", None]


_PNG = [encode_png(np.full((20, 20, 3), shade, np.uint8)) for shade in (1, 2)]
_HOLDERS = {
    "binary": pa.array(_PNG, pa.binary()),
    "large_binary": pa.array(_PNG, pa.large_binary()),
    "binary_view": pa.array(_PNG, pa.binary_view()),
    "dictionary": pa.array(_PNG, pa.binary()).dictionary_encode(),
    "list of binary": pa.array([[data] for data in _PNG], pa.list_(pa.binary())),
    "large list of binary_view": pa.array([[data] for data in _PNG], pa.large_list(pa.binary_view())),
    "list of numbers": pa.array([list(data) for data in _PNG], pa.list_(pa.uint8())),
    "struct with a view": pa.array(
        [{"bytes": data, "path": None} for data in _PNG],
        pa.struct([("bytes", pa.binary_view()), ("path", pa.string_view())]),
    ),
    "list of structs": pa.array([[{"bytes": data}] for data in _PNG], pa.list_(pa.struct([("bytes", pa.binary())]))),
}


@pytest.mark.parametrize("holder", _HOLDERS)
def test_pictures_in_every_form_of_bytes(tmp_path: Path, holder: str) -> None:
    table = pa.table({"img_bytes": _HOLDERS[holder], "labels": pa.array(["happy", "sad"], pa.string_view())})
    pq.write_table(table, tmp_path / "x.parquet")
    dataset = open_input(str(tmp_path / "x.parquet"))
    assert [(source.data, source.label) for source in dataset.sources] == list(
        zip(_PNG, ["happiness", "sadness"], strict=True)
    )


def test_several_pictures_in_one_row_are_each_a_source_of_one_group(tmp_path: Path) -> None:
    pq.write_table(
        pa.table({"frames": pa.array([_PNG], pa.list_(pa.binary())), "label": ["fear"]}), tmp_path / "x.parquet"
    )
    first, second = open_input(str(tmp_path / "x.parquet")).sources
    assert first.group_id == second.group_id and first.data != second.data and second.label == "fear"


def test_no_message_ever_holds_raw_bytes(tmp_path: Path) -> None:
    noise = bytes(range(128, 256)) * 20
    frame = pd.DataFrame({"image": _PNG, "label": [noise, b"happy"], "id": [noise, b"two"], "split": [noise, noise]})
    frame.to_parquet(tmp_path / "x.parquet")
    dataset = open_input(str(tmp_path / "x.parquet"))
    said = " ".join(dataset.warnings)
    assert "\\x" not in said and "\ufffd" not in said and said.isprintable() and len(said) < 2000
    assert {source.label for source in dataset.sources} == {None, "happiness"}


def test_a_columns_words_that_are_no_expressions_do_not_replace_class_folders(tmp_path: Path, put: Put) -> None:
    for name, table in (("a", "metadata.csv"), ("b", "people.csv")):
        put(tmp_path / name, "happy/a.png", "sad/b.png")
        column = "file_name" if table == "metadata.csv" else "image"
        (tmp_path / name / table).write_text(f"{column},category,person\nhappy/a.png,male,p1\nsad/b.png,female,p2\n")
        dataset = open_input(str(tmp_path / name))
        assert by_name(dataset) == {"a.png": "happiness", "b.png": "sadness"}
        assert [source.group_id for source in dataset.sources] == ["p1", "p2"]


def test_metadata_that_differ_from_the_folders_are_taken_and_counted(tmp_path: Path, put: Put) -> None:
    put(tmp_path, "happy/a.png", "sad/b.png")
    (tmp_path / "metadata.csv").write_text("file_name,label\nhappy/a.png,fear\nsad/b.png,\n")
    dataset = open_input(str(tmp_path))
    assert by_name(dataset) == {"a.png": "fear", "b.png": "sadness"}
    assert any("1 pictures have another label in metadata.csv" in warning for warning in dataset.warnings)


@pytest.mark.parametrize("name", ["predictions.csv", "my_preds.csv", "results.csv", "submission.csv"])
def test_a_classifiers_verdicts_are_no_labels(tmp_path: Path, put: Put, name: str) -> None:
    put(tmp_path, "happy/a.png")
    (tmp_path / name).write_text("file,label\nhappy/a.png,fear\n")
    dataset = open_input(str(tmp_path))
    assert by_name(dataset) == {"a.png": "happiness"} and any(name in warning for warning in dataset.warnings)


def test_a_tools_measurements_with_emotions_are_no_labels(tmp_path: Path, put: Put) -> None:
    put(tmp_path, "happy/a.png")
    units = ["AU01", "AU02", "AU04", "AU05"]
    emotions = ["anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"]
    (tmp_path / "fex.csv").write_text(f"input,{','.join([*units, *emotions])}\nhappy/a.png{',1' * 4}{',0' * 6},1\n")
    assert by_name(open_input(str(tmp_path))) == {"a.png": "happiness"}


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_an_index_without_labels_and_splits_goes_by_its_paths(tmp_path: Path, put: Put, kind: str) -> None:
    names = ["train/happy/a.png", "Test_Faces/sad/b.png", "val2017/fear/c.png"]
    put(tmp_path, *names)
    frame = pd.DataFrame({"image_path": names})
    frame.to_csv(tmp_path / "list.csv", index=False) if kind == "csv" else frame.to_parquet(tmp_path / "list.parquet")
    dataset = open_input(str(tmp_path / f"list.{kind}"))
    assert sorted((source.label, source.split) for source in dataset.sources) == [
        ("fear", "validation"),
        ("happiness", "train"),
        ("sadness", "test"),
    ]
    assert not any("no splits" in warning for warning in dataset.warnings)
