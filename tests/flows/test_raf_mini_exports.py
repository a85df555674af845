"""raf-mini augmented with the fake models, its real pictures embedded, through every export and into each library."""

import io
from collections import Counter
from pathlib import Path
from typing import Any

import fake_models
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from singanimation.flows.source.outcome import SourceJob
from singanimation.flows.source.row_ids import Identity
from singanimation.flows.source.work import augment_source, file_sha256
from singanimation.manifests import read
from singanimation.manifests.care.verify import verify
from singanimation.manifests.exports import LICENCES, export
from singanimation.manifests.torch_dataset import ManifestDataset
from singanimation.pipeline.datasets import open_input
from singanimation.pipeline.expressions import EMOTIONS
from singanimation.pipeline.settings import make_settings

MINI = Path(__file__).resolve().parents[2].parent / "shared" / "raf-mini"
pytestmark = pytest.mark.skipif(not MINI.is_dir(), reason="../shared/raf-mini is not beside this checkout")


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A variant of every picture, train and test."""
    out = tmp_path_factory.mktemp("raf") / "out"
    settings = make_settings(input=str(MINI), per_image=1, include_real=True)
    models = fake_models.load(settings)
    for source in open_input(str(MINI)).sources:
        identity = Identity(source, file_sha256(source), settings, models.fingerprint)
        augment_source(SourceJob(identity, {}, "run", out / "manifest"), models)
    assert verify(out).clean
    return out


@pytest.fixture(scope="module")
def expected(output: Path) -> pd.DataFrame:
    """The rows that go out, by id."""
    rows = read(output, status="accepted", kind=("real", "variant")).dropna(subset="label").set_index("variant_id")
    assert set(rows["kind"]) == {"real", "variant"} and len(rows) > 150
    return rows


def counts(rows: pd.DataFrame) -> Counter:
    return Counter(zip(rows["split"].astype(str), rows["label"], strict=True))


def sent(output: Path, to: str, folder: Path) -> Path:
    report = export(output, to, folder / to)
    assert report.warnings == [] and "no redistribution" in (folder / to / LICENCES).read_text()
    return folder / to


def test_datasets_reads_the_hugging_face_shards(output, expected, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets

    loaded = datasets.load_dataset(str(sent(output, "hf", tmp_path)), cache_dir=str(tmp_path / "cache"))
    found = Counter((split, label) for split, rows in loaded.items() for label in rows["label"])
    assert found == counts(expected) and loaded["train"].features["label"].names == list(EMOTIONS)
    row = loaded["test"][0]
    stored = expected.loc[row["variant_id"], "image"]["bytes"]
    np.testing.assert_array_equal(np.asarray(row["image"]), np.asarray(Image.open(io.BytesIO(stored))))


def test_image_folder_reads_the_class_folders(output, expected, tmp_path):
    from torchvision.datasets import ImageFolder

    folder = sent(output, "imagefolder", tmp_path)
    found = Counter()
    for split in ("train", "test"):
        data = ImageFolder(str(folder / split))
        found.update((split, EMOTIONS.index(data.classes[label])) for label in data.targets)
        assert data[0][0].size == (100, 100)
    assert found == counts(expected)


def test_webdataset_reads_the_shards(output, expected, tmp_path):
    from webdataset.compat import WebDataset

    folder = sent(output, "webdataset", tmp_path)
    found = Counter()
    for split in ("train", "test"):
        shards = [str(path) for path in sorted(folder.glob(f"{split}-*.tar"))]
        data: Any = WebDataset(shards, shardshuffle=False).decode("rgb8").to_tuple("png;jpg", "cls", "json")
        for picture, label, row in data:
            found[split, label] += 1
            assert picture.shape == (100, 100, 3) and row["label"] == label and row["variant_id"] in expected.index
    assert found == counts(expected)


def test_code_for_raf_db_reads_its_tree(output, expected, tmp_path):
    folder = sent(output, "raf-db", tmp_path) / "basic"
    # as DAN and POSTER read it: names and labels from the list, `_aligned` put before the ending
    listed = pd.read_csv(folder / "EmoLabel" / "list_patition_label.txt", sep=" ", header=None, names=["name", "label"])
    found = Counter(zip(listed["name"].str.split("_").str[0], listed["label"] - 1, strict=True))
    assert found == counts(expected)
    for name in listed["name"]:
        with Image.open(folder / "Image" / "aligned" / name.replace(".jpg", "_aligned.jpg")) as picture:
            assert (picture.size, picture.mode, picture.format) == ((100, 100), "RGB", "JPEG")
    back = open_input(str(folder.parent))
    assert back.name == "raf-db" and len(back.sources) == len(expected)
    # real pictures keep their names
    real = {Path(name).name for name in expected.query("kind == 'real'")["source_path"]}
    assert real <= {path.name for path in (folder / "Image" / "aligned").iterdir()}


def test_the_csv_index_and_the_torch_dataset_hold_the_same(output, expected, tmp_path):
    folder = sent(output, "csv", tmp_path)
    listed = pd.read_csv(folder / "index.csv", keep_default_na=False)
    assert (
        counts(listed)
        == counts(expected)
        == Counter(
            (split, label) for split in ("train", "test") for label in ManifestDataset(output, split=split).targets
        )
    )
    for name, row in zip(listed["file_name"], listed["variant_id"], strict=True):
        assert (folder / name).read_bytes() == expected.loc[row, "image"]["bytes"]
    pictures, labels = next(iter(torch.utils.data.DataLoader(ManifestDataset(output), batch_size=8)))
    assert pictures.shape == (8, 3, 100, 100) and labels.shape == (8,)
    again = open_input(str(sent(output, "hf", tmp_path) / "data"))
    assert open_input(str(folder / "index.csv")).counts() == again.counts()
    assert listed["licence"].unique().tolist() == expected["licence"].unique().tolist()
