"""The torch Dataset gives pictures with hard or soft labels, also through a DataLoader's workers."""

import functools
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from singanimation.manifests.care.compact import compact
from singanimation.manifests.torch_dataset import ManifestDataset
from singanimation.manifests.write import write_part
from singanimation.pipeline.errors import ManifestError
from singanimation.pipeline.files.pictures import encode_png
from singanimation.pipeline.records import Row

Rows = Callable[..., list[Row]]
WEIGHTS = (0.0, 0.25, 0.0, 0.0, 0.0, 0.0, 0.75)


@pytest.fixture
def output(tmp_path: Path, source_rows: Rows) -> Path:
    rows = source_rows("a")
    rows[2] = replace(
        rows[2],
        label="neutral",
        label_weights=WEIGHTS,
        label_origin="interpolated",
        image=encode_png(np.full((32, 32, 3), 51, np.uint8)),
        image_sha256=None,
    )
    write_part(tmp_path / "manifest", "part-a.parquet", rows)
    write_part(tmp_path / "manifest", "part-b.parquet", source_rows("b", split="test"))
    return tmp_path


def test_items_are_pictures_in_0_to_1_with_hard_labels(output: Path) -> None:
    data = ManifestDataset(output, split="train")
    picture, label = data[0]
    assert len(data) == 3 and label == 6
    assert picture.shape == (3, 32, 32) and picture.dtype == torch.float32
    assert torch.allclose(picture, torch.full((3, 32, 32), 51 / 255))
    assert sorted(data.targets) == [1, 1, 6] and data.groups == ["a"] * 3 and len(set(data.sources)) == 1
    both = ManifestDataset(output)
    assert set(both.groups) == {"a", "b"} and len(set(both.sources)) == 2


def test_soft_labels_are_the_rows_weights_or_one_hot(output: Path) -> None:
    data = ManifestDataset(output, split="train", labels="soft")
    assert data[0][1].tolist() == list(WEIGHTS)
    assert data[1][1].tolist() == [0, 1, 0, 0, 0, 0, 0]


def test_three_lines_of_a_training_script_work_with_workers(output: Path) -> None:
    data = ManifestDataset(output, transform=lambda pixels: torch.from_numpy(pixels.mean((0, 1))))
    loader = torch.utils.data.DataLoader(data, batch_size=4, shuffle=True, num_workers=1)
    batches = [(pictures.shape, labels.tolist()) for pictures, labels in loader]
    assert [shape for shape, _ in batches] == [(4, 3), (2, 3)]
    assert sorted(label for _, labels in batches for label in labels) == [1, 1, 1, 1, 1, 6]


def test_compacted_manifests_give_the_same_items(output: Path) -> None:
    before = [(float(picture.sum()), label) for picture, label in ManifestDataset(output)]
    compact(output)
    assert [(float(picture.sum()), label) for picture, label in ManifestDataset(output)] == before


def test_choices_without_a_row_and_unknown_labels_say_so(output: Path) -> None:
    with pytest.raises(ManifestError, match="no labelled picture with split=validation"):
        ManifestDataset(output, split="validation")
    with pytest.raises(ManifestError, match="labels='firm'"):
        ManifestDataset(output, labels="firm")  # pyright: ignore[reportArgumentType] - that is the point
    assert len(ManifestDataset(output, status=("accepted", "rejected"), kind="variant")) == 8


def test_v2_transforms_get_what_they_transform(output: Path) -> None:
    """Numpy arrays pass through torchvision's v2 without a word; a training would go unaugmented."""
    v2 = pytest.importorskip("torchvision.transforms.v2")
    dark = v2.Lambda(lambda picture: picture // 2)
    made = [dark, v2.Compose([dark]), torch.nn.Sequential(dark), functools.partial(v2.Compose([dark]))]
    for transform in (*made, v2.Compose([v2.ToImage(), dark])):
        picture, _ = ManifestDataset(output, split="train", transform=transform)[0]
        assert picture.shape == (3, 32, 32) and picture.dtype == torch.uint8
        assert int(picture.max()) == 25, transform


def test_a_transform_that_changes_nothing_is_told_of_once(output: Path) -> None:
    v2 = pytest.importorskip("torchvision.transforms.v2")
    inner = v2.RandomHorizontalFlip(1.0)
    data = ManifestDataset(output, split="train", transform=lambda pixels: inner(pixels))
    with pytest.warns(UserWarning, match=r"v2\.ToImage\(\)"):
        data[0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data[1]


def test_action_units_are_those_aimed_at_else_those_measured(tmp_path: Path, source_rows: Rows) -> None:
    aimed, measured = tuple([0.5] * 17), tuple([0.25] * 17)
    rows = [
        replace(row, au_target=None, status="accepted")
        for row in source_rows("a")
        if row.kind == "variant" and row.label
    ]
    rows[-1] = replace(rows[-1], au_target=aimed, au_measured=measured)
    rows[-2] = replace(rows[-2], au_measured=measured)
    write_part(tmp_path / "manifest", "part-a.parquet", rows)
    data = ManifestDataset(tmp_path, kind=None, units=True)
    assert sorted(tuple(data[index][2].tolist()) for index in range(len(data))) == [measured, aimed]
    pictures, labels, units = next(iter(torch.utils.data.DataLoader(data, batch_size=2)))
    assert pictures.shape == (2, 3, 32, 32) and labels.shape == (2,) and units.shape == (2, 17)
    write_part(
        tmp_path / "none" / "manifest", "part-a.parquet", [replace(r, au_target=None, au_measured=None) for r in rows]
    )
    with pytest.raises(ManifestError, match="with action units"):
        ManifestDataset(tmp_path / "none", units=True)
