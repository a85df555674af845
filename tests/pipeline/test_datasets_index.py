"""Parquet, CSV and JSON-lines indexes, downloaded shards, and our own manifests as input."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from singanimation.manifests.write import write_part
from singanimation.pipeline.datasets import open_input
from singanimation.pipeline.errors import DatasetError
from singanimation.pipeline.files.pictures import encode_png, read_source
from singanimation.pipeline.records import Row

Put = Callable[..., Path]
FACES = Path(__file__).resolve().parents[2].parent / "shared" / "faces" / "faces.parquet"


def _png(shade: int) -> bytes:
    return encode_png(np.full((20, 40, 3), shade, np.uint8))


def test_a_parquet_index_embeds_pictures_people_and_landmarks(tmp_path: Path) -> None:
    path = tmp_path / "faces.parquet"
    pd.DataFrame(
        {
            "face_id": ["a", "b", "b", "b"],
            "person_id": ["p", "p", "q", "q"],
            "split": ["train", "validation"] * 2,
            "label": ["happiness", None, "sad", "sad"],
            "licence": ["MIT"] * 4,
            "image": [_png(1), _png(2), _png(3), _png(3)],
            "landmarks": [[0.25, 0.5, 0.75, 1.0]] * 4,
        }
    ).to_parquet(path)
    dataset = open_input(str(path))
    assert dataset.name == "faces" and dataset.licence == "MIT"
    assert [(s.source_id, s.group_id, s.split, s.label) for s in dataset.sources] == [
        ("a", "p", "train", "happiness"),
        ("b", "p", "validation", None),
        ("b#2", "q", "train", "sadness"),
    ]
    assert dataset.sources[0].landmarks.tolist() == [[10, 10], [30, 20]]
    assert (read_source(dataset.sources[2]).pixels == 3).all()
    said = " ".join(dataset.warnings)
    assert "1 pictures occur twice" in said and "1 ids are shared by different pictures" in said


def test_raf_in_parquet_is_known_by_its_seven_numbers(tmp_path: Path) -> None:
    frame = pd.DataFrame({"image": [{"bytes": _png(i), "path": f"{i}.png"} for i in range(3)], "label": [1, 7, 4]})
    frame.to_parquet(tmp_path / "raf.parquet")
    dataset = open_input(str(tmp_path / "raf.parquet"))
    assert [source.label for source in dataset.sources] == ["surprise", "neutral", "happiness"]
    assert any("taken as RAF-DB's order" in warning for warning in dataset.warnings)


def test_numbers_from_0_are_not_guessed_but_classlabel_names_are_taken(tmp_path: Path) -> None:
    shard = tmp_path / "data" / "test-00000-of-00001.parquet"
    shard.parent.mkdir()
    images = [{"bytes": _png(i), "path": None} for i in range(2)]
    table = pa.Table.from_pandas(pd.DataFrame({"image": images, "label": [0, 6]}))
    pq.write_table(table, shard)
    assert not open_input(str(tmp_path)).labelled
    names = ["angry", "disgust", "fear", "happy", "sad", "surprise", "contempt"]
    info = {"info": {"features": {"label": {"names": names, "_type": "ClassLabel"}}}}
    pq.write_table(table.replace_schema_metadata({b"huggingface": json.dumps(info).encode()}), shard)
    dataset = open_input(str(tmp_path))
    assert [(s.label, s.source_label, s.split) for s in dataset.sources] == [
        ("anger", "0", "test"),
        (None, "contempt", "test"),
    ]


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl"])
def test_a_text_index_names_files_that_stay_in_its_folder(tmp_path: Path, put: Put, kind: str) -> None:
    put(tmp_path, "faces/a.png", "faces/b.png")
    frame = pd.DataFrame(
        {
            "image_path": ["faces/a.png", "faces\\b.png", "faces/gone.png", "/etc/passwd", "C:/x.png"],
            "emotion": ["0", "1", "0", "0", "0"],
            "usage": ["Training", "PrivateTest"] + ["Training"] * 3,
        }
    )
    path = tmp_path / f"index.{kind}"
    if kind == "jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_csv(path, sep="\t" if kind == "tsv" else ",", index=False)
    (tmp_path / "label_map.csv").write_text("0;fear\n1;neutral\n")
    dataset = open_input(str(path))
    assert [(s.source_path, s.label, s.split) for s in dataset.sources] == [
        ("faces/a.png", "fear", "train"),
        ("faces/b.png", "neutral", "test"),
    ]
    assert dataset.sources[1].path.name == "b.png" and dataset.sources[1].path.is_file()
    said = " ".join(dataset.warnings)
    assert "1 pictures that index." in said and "2 names in index." in said and "/etc/passwd, C:/x.png" in said


def test_tables_that_hold_no_pictures_say_what_they_lack(tmp_path: Path) -> None:
    (tmp_path / "notes.csv").write_text("colour,size\nred,3\n")
    with pytest.raises(DatasetError, match=r"index \(notes.csv has no column with pictures or their file names\)"):
        open_input(str(tmp_path / "notes.csv"))
    (tmp_path / "torn.parquet").write_bytes(b"PAR1 torn")
    with pytest.raises(DatasetError, match="torn.parquet cannot be read as Parquet"):
        open_input(str(tmp_path / "torn.parquet"))


def _row(variant_id: str, kind: str, **changes: Any) -> Row:
    values: dict[str, Any] = {
        "dataset": "tiny",
        "source_id": "a.png",
        "source_path": "a.png",
        "source_sha256": "0",
        "split": "test",
        "group_id": "person-1",
        "licence": "CC0-1.0",
        "width": 40,
        "height": 20,
        "parent_id": None if kind == "real" else "x",
    }
    return Row(variant_id=variant_id, kind=kind, **(values | changes))


def test_a_grown_data_set_can_grow_again(tmp_path: Path) -> None:
    write_part(
        tmp_path / "out" / "manifest",
        "part-a.parquet",
        [
            _row("real", "real", image=_png(1), label="neutral"),
            _row("edit", "edit", image=_png(2), label="fear"),
            _row("good", "variant", image=_png(3), label="fear", label_weights=(0, 1.0, 0, 0, 0, 0, 0)),
            _row("bad", "variant", image=_png(4), status="rejected", reason="sifid"),
            _row("bare", "real", source_id="b.png", width=None, height=None),
        ],
    )
    dataset = open_input(str(tmp_path / "out"))
    assert dataset.name == "out"
    assert [(s.source_id, s.label, s.split, s.group_id) for s in dataset.sources] == [
        ("good", "fear", "test", "person-1"),
        ("real", "neutral", "test", "person-1"),
    ]
    assert all(source.is_face_crop and source.licence == "CC0-1.0" for source in dataset.sources)
    assert dataset.sources[0].label_weights == (0, 1, 0, 0, 0, 0, 0)
    assert any("1 real pictures are not in the manifest" in warning for warning in dataset.warnings)


@pytest.mark.skipif(not FACES.is_file(), reason="../shared/faces is not beside this checkout")
def test_the_shared_faces_are_read_as_an_index() -> None:
    dataset = open_input(str(FACES))
    assert len(dataset.sources) == 2428 and dataset.warnings == []
    assert set(dataset.counts()) == {"train", "validation"} and dataset.licence is None
    first = dataset.sources[0]
    assert first.landmarks.shape == (478, 2) and read_source(first).pixels.shape == (256, 256, 3)
    train, held_out = ({s.group_id for s in dataset.sources if s.split == split} for split in ("train", "validation"))
    assert not train & held_out
