"""Each export is read back by the library it is for, and by our own readers."""

import csv
import hashlib
import json
import re
import sys
import tarfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from singanimation.manifests import read
from singanimation.manifests.care.verify import verify
from singanimation.manifests.exports import EXPORTERS, LICENCES, ExportOptions, export
from singanimation.manifests.exports.huggingface import export_huggingface
from singanimation.manifests.exports.records import ExportReport
from singanimation.manifests.exports.selection import records
from singanimation.manifests.exports.webdataset import export_webdataset
from singanimation.manifests.write import write_part
from singanimation.pipeline.datasets import open_input
from singanimation.pipeline.errors import MachineError, ManifestError, OutputError, UsageError
from singanimation.pipeline.expressions import EMOTIONS
from singanimation.pipeline.files.pictures import encode_png, read_picture, read_source
from singanimation.pipeline.records import Row

Rows = Callable[..., list[Row]]
MINI = Path(__file__).resolve().parents[2].parent / "shared" / "raf-mini"


@pytest.fixture
def output(tmp_path: Path, source_rows: Rows) -> Path:
    """Source a (train, its picture embedded) and source b (test, not embedded); 3 labelled variants each."""
    rows = source_rows("a")
    rows[0] = replace(
        rows[0], image=encode_png(np.full((32, 32, 3), 77, np.uint8)), image_path="a.png", width=32, height=32
    )
    write_part(tmp_path / "out" / "manifest", "part-a.parquet", rows)
    write_part(tmp_path / "out" / "manifest", "part-b.parquet", source_rows("b", split="test"))
    return tmp_path / "out"


def test_hugging_face_shards_are_read_by_datasets_and_by_us(
    output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = export(output, "hf", tmp_path / "hf")
    assert report.total == 7 and report.counts["train", "fear", "variant"] == 3
    assert any("1 pictures are not in the manifest" in warning for warning in report.warnings)
    assert any("6 pictures without a label" in warning for warning in report.warnings)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    loaded = datasets.load_dataset(str(tmp_path / "hf"), cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows) for split, rows in loaded.items()} == {"train": 4, "test": 3}
    row = loaded["train"][0]
    assert row["image"].getpixel((0, 0)) == (77, 77, 77) and row["split"] == "train"
    assert loaded["train"].features["label"].names == list(EMOTIONS) and row["label"] == 6
    card = (tmp_path / "hf" / "README.md").read_text()
    for words in (
        "CC0-1.0",
        "| train | fear | 0 | 0 | 3 |",
        "license: other",
        "SIFID of the variants: median 0.1",
        "SinGAN engine: fast (6)",
    ):
        assert words in card
    head = pytest.importorskip("huggingface_hub").DatasetCard(card).data.to_dict()
    assert (head["license_link"], head["size_categories"]) == ("LICENCES.txt", ["n<1K"])
    assert head["configs"][0]["data_files"] == [
        {"split": split, "path": f"data/{split}-*.parquet"} for split in ("test", "train")
    ]
    again = open_input(str(tmp_path / "hf" / "data"))
    assert again.counts() == {"train": {"fear": 3, "neutral": 1}, "test": {"fear": 3}}


def test_without_huggingface_hub_nothing_is_written(
    output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(UsageError, match=r"singanimation\[hub\]"):
        export(output, "hf", tmp_path / "new" / "hf")
    assert not any((tmp_path / "new").iterdir())


def test_the_card_tells_the_settings_of_the_runs_and_no_path(output: Path, tmp_path: Path) -> None:
    run = read(output, columns=["run_id"])["run_id"].astype(str).iloc[0]
    (output / "runs" / run).mkdir(parents=True)
    told = {"seed": 3, "start_scale": ["N-1", "N-2"], "balance": True, "input": "/home/someone/faces", "limit": None}
    (output / "runs" / run / "settings.json").write_text(json.dumps(told))
    (output / "runs" / "torn").mkdir()
    (output / "runs" / "torn" / "settings.json").write_text("{")
    for place, name in ((output, "a"), (output / "manifest", "b")):
        export(place, "hf", tmp_path / name)
        card = (tmp_path / name / "README.md").read_text()
        assert "- run with balance yes, seed 3, start_scale N-1+N-2 (" in card and "someone" not in card


def test_shards_are_split_and_named_by_their_number(output: Path, tmp_path: Path) -> None:
    (tmp_path / "hf").mkdir()
    report = ExportReport(tmp_path / "hf")
    export_huggingface(records(output, ExportOptions(), report), tmp_path / "hf", report, shard_bytes=1)
    names = sorted(path.name for path in (tmp_path / "hf" / "data").iterdir())
    assert names[:3] == [f"test-0000{i}-of-00003.parquet" for i in range(3)] and len(names) == 7


def test_class_folders_are_read_by_torchvision_and_by_us(output: Path, tmp_path: Path) -> None:
    export(output, "imagefolder", tmp_path / "folders")
    torchvision = pytest.importorskip("torchvision")
    loaded = torchvision.datasets.ImageFolder(str(tmp_path / "folders" / "train"))
    assert loaded.classes == ["fear", "neutral"] and len(loaded) == 4
    assert open_input(str(tmp_path / "folders")).counts() == {"train": {"fear": 3, "neutral": 1}, "test": {"fear": 3}}
    rows = list(csv.DictReader((tmp_path / "folders" / "rows.csv").open()))
    assert {row["variant_id"] for row in rows} >= {"a-real", "a-fear-0", "b-fear-2"}
    assert all((tmp_path / "folders" / row["file_name"]).is_file() for row in rows)
    assert "CC0-1.0" in (tmp_path / "folders" / LICENCES).read_text()


def test_the_csv_index_is_read_by_us(output: Path, tmp_path: Path) -> None:
    export(output, "csv", tmp_path / "csv")
    dataset = open_input(str(tmp_path / "csv" / "index.csv"))
    assert dataset.counts() == {"train": {"fear": 3, "neutral": 1}, "test": {"fear": 3}}
    assert {source.group_id for source in dataset.sources} == {"a", "b"}


def test_exported_folders_are_read_back_row_by_row(output: Path, tmp_path: Path) -> None:
    for to in ("csv", "hf", "imagefolder"):
        export(output, to, tmp_path / to)
        dataset = open_input(str(tmp_path / to))
        rows = read(output, status="accepted", kind=("real", "variant")).dropna(subset=["label", "image"])
        assert {source.source_id for source in dataset.sources} == set(rows["variant_id"])
        assert {source.group_id for source in dataset.sources} == {"a", "b"}
        assert {source.licence for source in dataset.sources} == {"CC0-1.0"}
        assert not any("shared" in warning for warning in dataset.warnings)


def test_webdataset_shards_hold_picture_label_and_row(output: Path, tmp_path: Path) -> None:
    export(output, "webdataset", tmp_path / "web")
    with tarfile.open(tmp_path / "web" / "train-000000.tar") as tar:
        names = tar.getnames()
        assert names[-3:] == ["a.png", "a.json", "a.cls"] and len(names) == 12  # synthetic ones first
        row = json.loads(tar.extractfile("a.json").read())
        assert tar.extractfile("a.cls").read() == b"6"
        assert row["variant_id"] == "a-real" and row["split"] == "train" and "image" not in row
        assert read_picture(tar.extractfile("a.png").read()).pixels[0, 0, 0] == 77
    export(output, "webdataset", tmp_path / "again")
    first, second = (tmp_path / name / "train-000000.tar" for name in ("web", "again"))
    assert first.read_bytes() == second.read_bytes()


def test_webdataset_itself_reads_the_shards(output: Path, tmp_path: Path) -> None:
    from webdataset.compat import WebDataset

    (tmp_path / "web").mkdir()
    report = ExportReport(tmp_path / "web")
    export_webdataset(records(output, ExportOptions(), report), tmp_path / "web", report, shard_bytes=1)
    shards = sorted(str(path) for path in (tmp_path / "web").glob("train-*.tar"))
    assert len(shards) == 4
    pipe: Any = WebDataset(shards, shardshuffle=False).decode("rgb8").to_tuple("png", "cls")
    loaded = list(pipe)
    assert sorted(label for _, label in loaded) == [1, 1, 1, 6] and loaded[0][0].shape == (32, 32, 3)


def test_raf_dbs_tree_has_its_names_its_size_and_its_labels(output: Path, tmp_path: Path) -> None:
    report = export(output, "raf-db", tmp_path / "raf")
    dataset = open_input(str(tmp_path / "raf"))
    assert dataset.name == "raf-db" and dataset.counts() == {"train": {"fear": 3, "neutral": 1}, "test": {"fear": 3}}
    lines = (tmp_path / "raf" / "basic" / "EmoLabel" / "list_patition_label.txt").read_text().splitlines()
    assert lines[0] == "test_5001.jpg 2" and "train_20001.jpg 7" in lines and len(lines) == 7
    picture = Image.open(tmp_path / "raf" / "basic" / "Image" / "aligned" / "train_20001_aligned.jpg")
    assert (picture.format, picture.size) == ("JPEG", (100, 100))
    assert any("7 pictures were scaled to 100x100" in warning for warning in report.warnings)
    with pytest.raises(ManifestError, match="no place for pictures without a label"):
        export(output, "raf-db", tmp_path / "raf2", ExportOptions(unlabelled=True))
    assert not (tmp_path / "raf2").exists()


@pytest.mark.skipif(not MINI.is_dir(), reason="../shared/raf-mini is not beside this checkout")
@pytest.mark.parametrize("to", list(EXPORTERS))
def test_raf_mini_through_every_export_and_back(tmp_path: Path, to: str) -> None:
    sources = open_input(str(MINI))
    rows = [
        Row(
            variant_id=f"row-{source.source_id}",
            kind="real",
            dataset=source.dataset,
            source_id=source.source_id,
            source_path=source.source_path,
            source_sha256=read_source(source).sha256,
            split=source.split,
            group_id=source.group_id,
            licence=source.licence,
            label=source.label,
            source_label=source.source_label,
        )
        for source in sources.sources
    ]
    write_part(tmp_path / "out" / "manifest", "part-all.parquet", rows)
    assert verify(tmp_path / "out").clean
    report = export(tmp_path / "out", to, tmp_path / "there", ExportOptions(input=str(MINI)))
    warnings = [warning for warning in report.warnings if "1 class folders are empty (test/disgust)" not in warning]
    assert report.total == 117 and warnings == [] and len(report.warnings) == (to in ("imagefolder", "csv"))
    assert "no redistribution" in (tmp_path / "there" / LICENCES).read_text()
    if to == "webdataset":
        with tarfile.open(tmp_path / "there" / "train-000000.tar") as tar:
            assert sum(name.endswith(".cls") for name in tar.getnames()) == 90
        return
    back = open_input(str(tmp_path / "there" / {"csv": "index.csv", "hf": "data"}.get(to, "")))
    assert back.counts() == sources.counts()
    if to == "raf-db":
        for before, after in zip(sources.sources, back.sources, strict=True):
            assert before.source_id == after.source_id
            assert before.path.read_bytes() == after.path.read_bytes()


def test_options_choose_rows(output: Path, tmp_path: Path) -> None:
    everything = ExportOptions(edits=True, every_status=True, unlabelled=True)
    report = export(output, "csv", tmp_path / "all", everything)
    assert report.total == 21
    assert report.counts["train", "unlabelled", "variant"] == 4 and report.counts["test", "fear", "edit"] == 1
    only = export(output, "csv", tmp_path / "test", ExportOptions(real="none", splits=("test",)))
    assert set(only.counts) == {("test", "fear", "variant")}
    with pytest.raises(ManifestError, match="neither real pictures nor edits nor variants"):
        export(output, "csv", tmp_path / "none", ExportOptions(real="none", variants=False))
    with pytest.raises(ManifestError, match="has nothing to export"):
        export(output, "csv", tmp_path / "none", ExportOptions(splits=("validation",)))


def test_names_from_a_strange_manifest_stay_in_the_folder(tmp_path: Path, source_rows: Rows) -> None:
    rows = [
        replace(row, split="../../up", image_path="../../../evil.png" if row.image else None)
        for row in source_rows("a", rejected=0)
    ]
    write_part(tmp_path / "out" / "manifest", "part-a.parquet", rows)
    for to in ("csv", "imagefolder", "webdataset", "hf"):
        export(tmp_path / "out", to, tmp_path / "deep" / to, ExportOptions(unlabelled=True))
    outside = {path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*evil*")}
    assert outside <= {"deep"} and {path.name for path in tmp_path.iterdir()} == {"out", "deep"}
    names = [row["file_name"] for row in csv.DictReader((tmp_path / "deep" / "csv" / "index.csv").open())]
    assert len(set(names)) == len(names) == 6 and all(".." not in name for name in names)


def test_an_export_is_whole_or_absent_and_overwrites_nothing(
    output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="--to zip: no such layout; use hf, imagefolder"):
        export(output, "zip", tmp_path / "zip")
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "mine.txt").write_text("keep")
    with pytest.raises(OutputError, match="is not empty"):
        export(output, "csv", tmp_path / "used")

    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(MachineError, match="disk is full"):
        export(output, "csv", tmp_path / "new")
    assert {path.name for path in tmp_path.iterdir()} == {"out", "used"}


def test_a_class_that_a_split_lacks_has_its_folder(output: Path, tmp_path: Path) -> None:
    report = export(output, "imagefolder", tmp_path / "folders")
    assert (tmp_path / "folders" / "test" / "neutral").is_dir()
    assert any("1 class folders are empty (test/neutral)" in warning for warning in report.warnings)
    torchvision = pytest.importorskip("torchvision")
    splits = {
        split: torchvision.datasets.ImageFolder(str(tmp_path / "folders" / split), allow_empty=True)
        for split in ("train", "test")
    }
    assert splits["train"].class_to_idx == splits["test"].class_to_idx == {"fear": 0, "neutral": 1}


@pytest.mark.parametrize("to", ["csv", "imagefolder"])
def test_datasets_takes_the_labels_for_classes_not_the_splits(
    output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, to: str
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    export(output, to, tmp_path / to)
    loaded = datasets.load_dataset(str(tmp_path / to), cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows) for split, rows in loaded.items()} == {"train": 4, "test": 3}
    assert loaded["train"].features["label"].names == loaded["test"].features["label"].names == ["fear", "neutral"]


def test_hugging_face_shards_become_tensors(
    output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source_rows: Rows
) -> None:
    rows = [replace(row, created_at=datetime.now(UTC)) for row in source_rows("t", rejected=0)]
    write_part(output / "manifest", "part-t.parquet", rows)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    export(output, "hf", tmp_path / "hf")
    for place in (str(tmp_path / "hf" / "data" / "train-*.parquet"), str(output / "manifest" / "part-t.parquet")):
        loaded = datasets.load_dataset("parquet", data_files=place, split="train", cache_dir=str(tmp_path / "cache"))
        for row in loaded.with_format("torch"):
            assert row["created_at"] is None or row["created_at"].endswith("Z")
        assert loaded.with_format("torch", columns=["image", "label"])[1]["image"].shape == (3, 32, 32)


@pytest.mark.parametrize("length", [60, 120, 180, 240])
def test_long_names_stay_whole_in_tar_files_and_fit_the_disk_elsewhere(
    tmp_path: Path, source_rows: Rows, length: int
) -> None:
    rows = [
        replace(row, image_path=f"{'0' * length}__{row.variant_id}__N-1.png" if row.image else None)
        for row in source_rows("a", rejected=0)
    ]
    write_part(tmp_path / "out" / "manifest", "part-a.parquet", rows)
    keys = {Path(row.image_path).stem for row in rows if row.image_path and row.kind == "variant"}
    options = ExportOptions(unlabelled=True)
    export(tmp_path / "out", "webdataset", tmp_path / "web", options)
    webdataset = pytest.importorskip("webdataset")
    loaded = list(webdataset.WebDataset(str(tmp_path / "web" / "train-000000.tar"), shardshuffle=False))
    assert {sample["__key__"] for sample in loaded} == keys and all("png" in sample for sample in loaded)
    for to in ("csv", "imagefolder", "hf"):
        export(tmp_path / "out", to, tmp_path / to, options)
    names = {path.stem for path in (tmp_path / "csv").rglob("*.png")}
    assert len(names) == 6 and all(name.endswith("__N-1") for name in names)
    assert names == keys or length >= 180


def test_datasets_sees_every_picture_and_the_synthetic_rows_fields_in_webdatasets_shards(
    output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes endings and fields from the first five samples, and drops what only later ones have."""
    for number in range(6):
        (tmp_path / "data" / "train" / "anger").mkdir(parents=True, exist_ok=True)
        pixels = np.full((32, 32, 3), number, np.uint8)
        Image.fromarray(pixels).save(tmp_path / "data" / "train" / "anger" / f"{number}.jpg")
    export(output, "webdataset", tmp_path / "web", ExportOptions(input=str(tmp_path / "data")))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    loaded = datasets.load_dataset(
        "webdataset", data_files=str(tmp_path / "web" / "train-*.tar"), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert len(loaded) == 10 and all(picture is not None for picture in loaded["png"])
    assert sum(row["sifid"] is not None for row in loaded["json"]) == 3
    assert verify_digests(tmp_path / "web" / "train-000000.tar") == 10


def verify_digests(shard: Path) -> int:
    """Return how many pictures of a shard are those that their row's image_sha256 names."""
    with tarfile.open(shard) as tar:
        rows = {name: json.loads(tar.extractfile(name).read()) for name in tar.getnames() if name.endswith(".json")}
        pictures = {name: tar.extractfile(name.replace(".json", ".png")).read() for name in rows}
    return sum(hashlib.sha256(pictures[name]).hexdigest() == row["image_sha256"] for name, row in rows.items())


def test_fields_that_are_null_are_not_in_webdatasets_json(
    output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source_rows: Rows
) -> None:
    later = [replace(row, message="looked at", edit_form="open") for row in source_rows("z") if row.kind != "real"]
    write_part(output / "manifest", "part-z.parquet", [source_rows("z")[0], *later])
    export(output, "webdataset", tmp_path / "web")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    loaded = datasets.load_dataset(
        "webdataset", data_files=str(tmp_path / "web" / "train-*.tar"), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert len(loaded) == 7 and sorted(loaded["cls"]) == [1] * 6 + [6]
    with tarfile.open(tmp_path / "web" / "train-000000.tar") as tar:
        rows = [json.loads(tar.extractfile(name).read()) for name in tar.getnames() if name.endswith(".json")]
    assert all(None not in row.values() for row in rows)
    assert sum(row.get("message") == "looked at" for row in rows) == 3


HOSTILE = ("=1+1", "\r=1+1", "\n@SUM(A1)", "\t-1", " =cmd", "\x00=1", "+1", "\uff1d1", "\u200b=1")


def test_no_cell_is_a_formula_and_no_text_is_a_tag_or_a_line_of_its_own(tmp_path: Path, source_rows: Rows) -> None:
    for index, text in enumerate(HOSTILE):
        rows = [replace(row, group_id=text, licence=text) for row in source_rows(f"s{index}", rejected=0)]
        write_part(tmp_path / "out" / "manifest", f"part-{index}.parquet", rows)
    licence = "<script>alert(1)</script>\n\n---\n# Free for all | [mine](http://x) `x`"
    rows = [replace(row, licence=licence, dataset="a|b\n<b>", split="=x|y") for row in source_rows("l", rejected=0)]
    write_part(tmp_path / "out" / "manifest", "part-l.parquet", rows)
    for to, table in (("csv", "index.csv"), ("imagefolder", "rows.csv"), ("hf", None)):
        export(tmp_path / "out", to, tmp_path / to)
        if table:
            with (tmp_path / to / table).open(newline="") as file:
                cells = [cell for row in csv.reader(file) for cell in row]
            assert not [cell for cell in cells if cell.strip("\x00\u200b\r\n\t ")[:1] in tuple("=+-@\uff1d")]
            shown = {"'" + re.sub(r"[\x00-\x1f]", " ", text) for text in HOSTILE}
            assert shown <= set(cells)
    card = (tmp_path / "hf" / "README.md").read_text()
    assert "<script" not in card and "<b>" not in card and "\n# Free" not in card and "[mine](" not in card
    assert card.count("\n---\n") == 1 and "| =x\\|y | fear | 0 | 0 | 3 |" in card
    licences = (tmp_path / "csv" / LICENCES).read_text().splitlines()
    assert not any(line.startswith("#") or line == "---" for line in licences)
    assert [path.name for path in (tmp_path / "hf" / "data").iterdir() if "x_y" in path.name]
