"""Real pictures in exports: every one of the data set, of every split, as every reader shows it, and counted."""

import hashlib
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from singanimation.manifests import read
from singanimation.manifests.care.verify import verify
from singanimation.manifests.exports import EXPORTERS, ExportOptions, export, make_options
from singanimation.manifests.torch_dataset import ManifestDataset
from singanimation.manifests.write import write_part
from singanimation.pipeline.datasets import open_input
from singanimation.pipeline.errors import DatasetError, UsageError
from singanimation.pipeline.files.pictures import read_picture
from singanimation.pipeline.records import Row

Rows = Callable[..., list[Row]]
WIDE = np.linspace(0, 200, 40 * 24, dtype=np.uint8).reshape(24, 40)


def _save(path: Path, pixels: np.ndarray, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three train pictures and two test ones; one has no label that we know."""
    shades = {"train/anger/a.png": 10, "train/fear/b.png": 20, "train/contempt/c.png": 30}
    for name, shade in (shades | {"test/anger/d.png": 40, "test/fear/e.png": 50}).items():
        _save(tmp_path / "data" / name, np.full((32, 32, 3), shade, np.uint8))
    return tmp_path / "data"


@pytest.fixture
def output(tmp_path: Path, data: Path, source_rows: Rows) -> Path:
    """What a run of the train split leaves: a with variants, b without a face; nothing embedded."""
    out = tmp_path / "out"
    for name, failed in (("train/anger/a.png", False), ("train/fear/b.png", True)):
        rows = source_rows(Path(name).stem, label=Path(name).parent.name)
        sha256 = hashlib.sha256((data / name).read_bytes()).hexdigest()
        told = {"dataset": "data", "source_id": name, "source_path": name, "source_sha256": sha256}
        rows = [replace(row, **told, au_source=(0.5,) * 17) for row in rows]
        if failed:
            rows = [replace(rows[0], status="failed", reason="no_face", message="no face was found")]
        write_part(out / "manifest", f"part-{Path(name).stem}.parquet", rows)
    return out


@pytest.mark.parametrize("to", list(EXPORTERS))
def test_every_labelled_real_picture_of_every_split_goes_out(output: Path, data: Path, tmp_path: Path, to: str) -> None:
    report = export(output, to, tmp_path / to, ExportOptions(input=str(data)))
    real = {(split, label): n for (split, label, kind), n in report.counts.items() if kind == "real"}
    assert real == {("train", "anger"): 1, ("train", "fear"): 1, ("test", "anger"): 1, ("test", "fear"): 1}
    assert report.kinds() == {"real": 4, "variant": 3}
    assert any("4 pictures without a label" in warning for warning in report.warnings)


def test_real_and_splits_choose(output: Path, data: Path, tmp_path: Path) -> None:
    def counts(name: str, real: str, splits: str | None) -> dict[str, int]:
        options = make_options(real=real, splits=splits, input=str(data))
        report = export(output, "csv", tmp_path / name, options)
        kinds: dict[str, int] = {}
        for (split, _, kind), count in report.counts.items():
            kinds[f"{split} {kind}"] = kinds.get(f"{split} {kind}", 0) + count
        return kinds

    assert counts("a", "all", "train,test") == {"train real": 2, "test real": 2, "train variant": 3}
    assert counts("b", "train", "all") == {"train real": 2, "train variant": 3}
    assert counts("c", "none", None) == {"train variant": 3}
    assert counts("d", "all", "test") == {"test real": 2}
    for wrong in ({"real": "some", "splits": None}, {"real": "all", "splits": " , "}):
        with pytest.raises(UsageError):
            make_options(**wrong)
    with pytest.raises(DatasetError):
        export(output, "csv", tmp_path / "e", ExportOptions(input=str(tmp_path / "nowhere")))
    assert not (tmp_path / "e").exists()


def test_rows_say_what_the_runs_measured_and_what_goes_out(output: Path, data: Path, tmp_path: Path) -> None:
    export(output, "hf", tmp_path / "hf", ExportOptions(input=str(data), unlabelled=True))
    rows = read(tmp_path / "hf" / "data", kind="real").set_index("source_id")
    assert len(rows) == 5 and set(rows["status"]) == {"accepted"}
    assert rows.loc["train/anger/a.png", "variant_id"] == "a-real" and rows["variant_id"].is_unique
    assert rows.loc["train/anger/a.png", "au_source"][0] == 0.5 and rows.loc["test/fear/e.png", "au_source"] is None
    assert rows.loc["train/fear/b.png", "message"] == "no face was found"
    assert set(rows["image_sha256"]) == {hashlib.sha256(image["bytes"]).hexdigest() for image in rows["image"]}
    assert set(rows["width"]) == {32} and rows.loc["train/contempt/c.png", "source_label"] == "contempt"
    faults = [fault.check for fault in verify(tmp_path / "hf" / "data").faults]
    assert set(faults) <= {"parents"}  # the edits stayed behind
    assert len(ManifestDataset(tmp_path / "hf" / "data", split="test")) == 2


def test_what_is_missing_is_said(output: Path, data: Path, tmp_path: Path) -> None:
    report = export(output, "csv", tmp_path / "without")
    assert any("2 pictures are not in the manifest" in w and "--input DATA" in w for w in report.warnings)
    assert any("Only train pictures" in warning for warning in report.warnings)
    report = export(output, "csv", tmp_path / "splits", ExportOptions(input=str(data), splits=("train", "validation")))
    assert any("no split validation; those there are: test, train" in warning for warning in report.warnings)
    _save(tmp_path / "other" / "anger" / "x.png", WIDE)
    report = export(output, "csv", tmp_path / "strange", ExportOptions(input=str(tmp_path / "other")))
    assert any("No source of the manifest is in" in warning for warning in report.warnings)
    (data / "test" / "fear" / "e.png").write_bytes(b"\x89PNG torn")
    report = export(output, "csv", tmp_path / "torn", ExportOptions(input=str(data)))
    assert any("1 pictures cannot be read" in w and "e.png" in w for w in report.warnings)


@pytest.mark.parametrize("change", ["deleted", "replaced"])
def test_variants_of_pictures_that_changed_are_named(output: Path, data: Path, tmp_path: Path, change: str) -> None:
    (data / "train" / "anger" / "a.png").unlink()
    if change == "replaced":
        _save(data / "train" / "anger" / "a.png", WIDE)
    report = export(output, "csv", tmp_path / "csv", ExportOptions(input=str(data)))
    assert any("3 synthetic pictures were made" in w and "augment prune" in w for w in report.warnings)
    assert report.counts["train", "anger", "real"] == (change == "replaced")


def test_a_data_set_under_another_name_gives_no_picture_twice(output: Path, data: Path, tmp_path: Path) -> None:
    rows = [row for row in read(output, kind="real").to_dict("records") if row["status"] == "accepted"]
    assert len(rows) == 1
    data.rename(tmp_path / "moved")
    report = export(output, "hf", tmp_path / "hf", ExportOptions(input=str(tmp_path / "moved")))
    assert report.kinds() == {"real": 4, "variant": 3} and len(report.warnings) == 1
    assert "a-real" in set(read(tmp_path / "hf" / "data", kind="real")["variant_id"])


ORIGINALS = {
    "TIFF": ("a.tiff", {}),
    "TIFF, big-endian ending": ("a.TIF", {}),
    "PPM": ("a.ppm", {}),
    "PGM": ("a.pgm", {}),
    "GIF": ("a.gif", {}),
    "BMP": ("a.bmp", {}),
    "WebP": ("a.webp", {"lossless": True}),
}


@pytest.mark.parametrize("kind", ORIGINALS)
def test_originals_of_any_kind_go_out_as_every_reader_knows_them(
    output: Path, tmp_path: Path, source_rows: Rows, kind: str
) -> None:
    name, options = ORIGINALS[kind]
    pixels = WIDE if name.endswith((".pgm", ".gif")) else np.stack([WIDE] * 3, 2)
    _save(tmp_path / "set" / "anger" / name, pixels, **options)
    torchvision = pytest.importorskip("torchvision")
    for to in ("imagefolder", "csv", "webdataset"):
        export(output, to, tmp_path / to, ExportOptions(input=str(tmp_path / "set")))
    loaded = torchvision.datasets.ImageFolder(str(tmp_path / "imagefolder" / "train"))
    assert len(loaded) == 4 and loaded.classes == ["anger", "fear"]
    picture = next(np.asarray(picture) for picture, label in loaded if label == 0)
    assert np.array_equal(picture[:, :, 0], WIDE)
    assert {path.suffix for path in (tmp_path / "csv" / "pictures").rglob("*.*")} == {".png"}
    webdataset = pytest.importorskip("webdataset")
    shard = str(tmp_path / "webdataset" / "train-000000.tar")
    assert len(list(webdataset.WebDataset(shard, shardshuffle=False).decode("rgb8").to_tuple("png", "cls"))) == 4


def _changed(kind: str, path: Path) -> np.ndarray:
    """Save WIDE in a form that readers take differently; return what all should show (grey)."""
    path.parent.mkdir(parents=True)
    colour = np.stack([WIDE] * 3, 2)
    if kind.startswith("turned"):
        exif = Image.Exif()
        exif[0x0112] = 6
        Image.fromarray(colour).save(path.with_suffix(kind.split()[1]), exif=exif, quality=100)
        return np.rot90(WIDE, -1)
    if kind == "16 bits":
        Image.fromarray(WIDE.astype(np.uint16) * 256).save(path)
    elif kind == "palette":
        Image.fromarray(WIDE).convert("P").save(path)
    elif kind == "transparent":
        Image.fromarray(np.concatenate([colour, np.full((24, 40, 1), 255, np.uint8)], 2)).save(path)
    return WIDE


@pytest.mark.parametrize("kind", ["turned .jpg", "turned .png", "16 bits", "palette", "transparent"])
def test_readers_that_ignore_orientation_depth_and_palette_see_the_same(
    output: Path, tmp_path: Path, kind: str
) -> None:
    expected = _changed(kind, tmp_path / "set" / "anger" / "a.png")
    for to in ("imagefolder", "hf"):
        export(output, to, tmp_path / to, ExportOptions(input=str(tmp_path / "set"), variants=False))
    (file,) = (tmp_path / "imagefolder" / "train" / "anger").iterdir()
    frame = read(tmp_path / "hf" / "data", kind="real")
    for data in (file.read_bytes(), frame["image"].iloc[0]["bytes"]):
        raw = Image.open(io.BytesIO(data))  # as a reader that looks at nothing but the pixels
        assert raw.mode in ("L", "RGB") and raw.size == expected.shape[::-1]
        error = np.abs(np.asarray(raw.convert("L")).astype(int) - expected)
        assert error.max() <= (8 if kind == "turned .jpg" else 1)
    assert (frame["width"].iloc[0], frame["height"].iloc[0]) == expected.shape[::-1]


def test_plain_files_keep_their_bytes(output: Path, tmp_path: Path) -> None:
    saved = [_save(tmp_path / "set" / "anger" / name, np.stack([WIDE] * 3, 2)) for name in ("a.jpg", "b.png")]
    export(output, "imagefolder", tmp_path / "x", ExportOptions(input=str(tmp_path / "set"), variants=False))
    written = sorted((tmp_path / "x" / "train" / "anger").iterdir())
    assert [path.read_bytes() for path in written] == [path.read_bytes() for path in saved]
    assert [path.name for path in written] == ["a.jpg", "b.png"]


def test_tables_of_pictures_give_theirs(output: Path, tmp_path: Path) -> None:
    pixels = " ".join(["128"] * 48 * 48)
    lines = ["emotion,pixels,Usage", f"0,{pixels},Training", f"3,{pixels.replace('128', '90')},PublicTest"]
    (tmp_path / "fer").mkdir()
    (tmp_path / "fer" / "fer2013.csv").write_text("\n".join(lines) + "\n")
    assert len(open_input(str(tmp_path / "fer")).sources) == 2
    report = export(output, "imagefolder", tmp_path / "x", ExportOptions(input=str(tmp_path / "fer"), variants=False))
    files = sorted(path for path in (tmp_path / "x").rglob("*.png"))
    assert report.kinds() == {"real": 2} and len(files) == 2 and len({file.stem for file in files}) == 2
    assert {read_picture(file).pixels.shape for file in files} == {(48, 48, 3)}
