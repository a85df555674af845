"""WebDataset shards and the hub's data sets as input, from local copies; no test needs a network."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from singanimation.pipeline.datasets import Dataset, open_input
from singanimation.pipeline.errors import DatasetError
from singanimation.pipeline.files.pictures import encode_png

OWNER, NAME, COMMIT = "someone", "faces-of-all-kinds", "0" * 40
ADDRESS = f"hf://datasets/{OWNER}/{NAME}"


def png(shade: int) -> bytes:
    return encode_png(np.full((20, 20, 3), shade, np.uint8))


def tar(path: Path, *members: tuple[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def told(dataset: Dataset) -> list[tuple[str, str | None, str, str]]:
    return [(source.source_id, source.label, source.split, source.group_id) for source in dataset.sources]


def sample(key: str, shade: int, **fields: Any) -> list[tuple[str, bytes]]:
    texts = {name: json.dumps(value) if name == "json" else str(value) for name, value in fields.items()}
    return [(f"{key}.png", png(shade)), *((f"{key}.{name}", text.encode()) for name, text in texts.items())]


@pytest.mark.parametrize("ending", [".tar", ".tar.gz"])
def test_shards_are_read_by_json_class_and_name(tmp_path: Path, ending: str) -> None:
    row = {"emotion": "happy", "person": "p7", "licence": "CC0-1.0"}
    tar(tmp_path / f"train-000000{ending}", *sample("a/0001", 1, json=row), *sample("0002", 2, cls="sad"))
    tar(tmp_path / f"test-000000{ending}", *sample("0003", 3, txt="fear"), *sample("0004", 4))
    dataset = open_input(str(tmp_path))
    assert told(dataset) == [
        ("0002", "sadness", "train", "0002"),
        ("0003", "fear", "test", "0003"),
        ("0004", None, "test", "0004"),
        ("a/0001", "happiness", "train", "p7"),
    ]
    assert dataset.sources[3].data == png(1) and dataset.sources[3].licence == "CC0-1.0"
    (first, *_) = open_input(str(tmp_path / f"test-000000{ending}")).sources
    assert (first.source_id, first.split) == ("0003", "test")


def test_numbers_need_names_as_everywhere(tmp_path: Path) -> None:
    tar(tmp_path / "shard-000000.tar", *sample("a", 1, cls=0), *sample("b", 2, cls=1))
    assert not open_input(str(tmp_path)).labelled
    (tmp_path / "classnames.txt").write_text("angry\nhappy\n")
    assert [source.label for source in open_input(str(tmp_path)).sources] == ["anger", "happiness"]
    (tmp_path / "classnames.txt").unlink()
    (tmp_path / "label_map.csv").write_text("0,fear\n1,sad\n")
    assert [source.label for source in open_input(str(tmp_path)).sources] == ["fear", "sadness"]
    tar(tmp_path / "shard-000000.tar", *sample("a", 1, cls=1), *sample("b", 2, cls=7))
    (tmp_path / "label_map.csv").unlink()
    dataset = open_input(str(tmp_path))
    assert [source.label for source in dataset.sources] == ["surprise", "neutral"]
    assert any("RAF-DB's order" in warning for warning in dataset.warnings)


def test_edits_and_rejected_variants_of_ours_are_left_out(tmp_path: Path) -> None:
    rows = [("real", "accepted"), ("edit", "accepted"), ("variant", "rejected"), ("variant", "accepted")]
    members = [
        member
        for index, (kind, status) in enumerate(rows)
        for member in sample(
            f"k{index}", index, json={"kind": kind, "status": status, "label_name": "fear", "label": 1}
        )
    ]
    tar(tmp_path / "train-000000.tar", *members)
    dataset = open_input(str(tmp_path))
    assert [source.source_id for source in dataset.sources] == ["k0", "k3"]
    assert any("2 samples are edits or rejected variants" in warning for warning in dataset.warnings)


@pytest.mark.parametrize("damage", ["text", "empty", "cut", "links", "no pictures", "json"])
def test_damaged_and_hostile_shards_are_told(tmp_path: Path, damage: str) -> None:
    path = tar(tmp_path / "s.tar", *sample("a", 1, cls="happy"), *sample("b", 2, cls="sad"), ("../../c.png", png(3)))
    data = path.read_bytes()
    if damage == "cut":
        path.write_bytes(data[: 512 * 7])
        dataset = open_input(str(path))
        assert dataset.sources[0].label == "happiness" and any("end early" in warning for warning in dataset.warnings)
        return
    if damage == "links":
        with tarfile.open(path, "w") as archive:
            for name, kind in (("l.png", tarfile.SYMTYPE), ("h.png", tarfile.LNKTYPE), ("f.png", tarfile.FIFOTYPE)):
                info = tarfile.TarInfo(name)
                info.type, info.linkname = kind, "/etc/passwd"
                archive.addfile(info)
    elif damage == "no pictures":
        tar(path, ("a.cls", b"happy"))
    elif damage == "json":
        tar(path, ("a.png", png(1)), ("a.json", b"[" * 90_000), ("b.png", png(2)), ("b.json", b"[1]"))
        assert any("2 samples have a .json that is no object" in warning for warning in open_input(str(path)).warnings)
        return
    else:
        path.write_bytes(b"" if damage == "empty" else b"this is no archive" * 99)
    with pytest.raises(DatasetError) as error:
        open_input(str(path))
    assert "s.tar" in str(error.value) and str(error.value).isprintable()


def test_shards_by_the_webdataset_library_itself(tmp_path: Path) -> None:
    writers = pytest.importorskip("webdataset")
    with writers.TarWriter(str(tmp_path / "val-000000.tar")) as sink:
        sink.write({"__key__": "one", "png": np.full((20, 20, 3), 9, np.uint8), "json": {"label": "disgusted"}})
        sink.write({"__key__": "two", "jpg": np.full((20, 20, 3), 9, np.uint8), "cls": 3})
    assert told(open_input(str(tmp_path))) == [
        ("one", "disgust", "validation", "one"),
        ("two", None, "validation", "two"),
    ]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A local hub cache that holds one data set, and no network."""
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    repo = tmp_path / "hub" / f"datasets--{OWNER}--{NAME}"
    snapshot, blobs = repo / "snapshots" / COMMIT, repo / "blobs"
    for folder in (snapshot / "data", repo / "refs", blobs):
        folder.mkdir(parents=True)
    (repo / "refs" / "main").write_text(COMMIT)
    for split, label, shade in (("train", "happy", 1), ("test", "sad", 2)):
        blob = blobs / split  # the cache holds links to blobs
        pd.DataFrame({"image": [{"bytes": png(shade), "path": None}], "labels": [label]}).to_parquet(blob)
        (snapshot / "data" / f"{split}-00000-of-00001.parquet").symlink_to(blob)
    (snapshot / "README.md").write_text("---\nlicense: cc0-1.0\ntags: [faces]\n---\n# Faces\n")
    return snapshot


@pytest.mark.parametrize(
    "address", [ADDRESS, f"{ADDRESS}@main", f"{ADDRESS}/data", f"{ADDRESS}@{COMMIT}/", f"{ADDRESS}@main/data"]
)
def test_a_data_set_of_the_hub_is_read_from_the_local_cache(cache: Path, address: str) -> None:
    dataset = open_input(address)
    assert (dataset.name, dataset.licence) == (NAME, "cc0-1.0")
    assert [(source.label, source.split, source.licence, source.dataset) for source in dataset.sources] == [
        ("sadness", "test", "cc0-1.0", NAME),
        ("happiness", "train", "cc0-1.0", NAME),
    ]


def test_one_file_of_it_and_files_that_are_not_there(cache: Path) -> None:
    (source,) = open_input(f"{ADDRESS}/data/test-00000-of-00001.parquet").sources
    assert (source.label, source.split) == ("sadness", "test")
    for inner in ("gone", "../../../../etc"):
        with pytest.raises(DatasetError, match="the data set holds no"):
            open_input(f"{ADDRESS}/{inner}")


@pytest.mark.parametrize("address", ["hf://datasets/someone/other", f"{ADDRESS}@nowhere"])
def test_without_a_network_what_is_not_cached_is_one_sentence(cache: Path, address: str) -> None:
    with pytest.raises(DatasetError) as error:
        open_input(address)
    assert "is not in the local cache and could not be fetched" in str(error.value) and "hf download" in str(
        error.value
    )
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(
    "address", ["hf://", "hf://models/a/b", "hf://datasets/alone", "hf://datasets/a//b", "hf://datasets/a/b c"]
)
def test_addresses_that_are_none_are_one_sentence(address: str) -> None:
    with pytest.raises(DatasetError, match="hf://datasets/OWNER/NAME"):
        open_input(address)


@pytest.mark.parametrize("head", ["license: [a, b]", "license:\n  - mit", "nothing: 1", "[", "license: &a [*a]"])
def test_any_card_is_data(cache: Path, head: str) -> None:
    (cache / "README.md").write_text(f"---\n{head}\n---\n")
    assert open_input(ADDRESS).licence in {"a", "mit", None}


def test_the_shards_of_a_hub_set_may_be_tar_files(cache: Path) -> None:
    for shard in (cache / "data").iterdir():
        shard.unlink()
    tar(cache / "train-000000.tar", *sample("a", 1, json={"label_name": "fear"}))
    (source,) = open_input(ADDRESS).sources
    assert (source.label, source.split, source.dataset) == ("fear", "train", NAME)
