"""Batches of real and synthetic rows: shares that change, balanced classes, decks, and the loader over manifests."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from singanimation.manifests.torch_dataset import ManifestDataset
from singanimation.manifests.torch_mixing import (
    MixedBatches,
    falling,
    mixed_loader,
    recommended_share,
    recommended_units,
    two_steps,
)
from singanimation.manifests.write import write_part
from singanimation.pipeline.errors import ManifestError
from singanimation.pipeline.records import Row

REAL = [3] * 50 + [6] * 40 + [1] * 2
SYNTHETIC = [1] * 30 + [3] * 10 + [6] * 5


def _synthetic(batch: list[int]) -> int:
    return sum(index >= len(REAL) for index in batch)


def test_shares_follow_the_trainings_progress() -> None:
    plans = {0.25: [8] * 10, two_steps(0.5): [32] * 5 + [0] * 5, two_steps(0.4, 0.5): [16] * 4 + [0] * 6}
    for share, wanted in plans.items():
        batches = list(MixedBatches(REAL, SYNTHETIC, 32, 10, share))
        assert np.abs(np.subtract([_synthetic(batch) for batch in batches], wanted)).max() <= 2
        assert {len(batch) for batch in batches} == {32}
    counts = [_synthetic(batch) for batch in MixedBatches(REAL, SYNTHETIC, 32, 8, falling(1.0, 0.0))]
    assert counts[0] >= 30 and counts[-1] <= 6 and sum(counts) == pytest.approx(32 * 8 * 0.5, rel=0.15)


def test_a_share_is_met_in_every_class_over_the_training() -> None:
    classes = np.array(REAL + SYNTHETIC)
    drawn = np.array([i for batch in MixedBatches(REAL, SYNTHETIC, 6, 350, 0.3) for i in batch])
    for label in (1, 3, 6):
        synthetic = drawn[classes[drawn] == label] >= len(REAL)
        assert len(synthetic) == 700 and synthetic.sum() == pytest.approx(210, abs=1)


def test_a_class_may_have_a_share_of_its_own() -> None:
    classes = np.array(REAL + SYNTHETIC)
    shares = [0, 0.75, 0, 0, 0, 0, 0.25]
    drawn = np.array([i for batch in MixedBatches(REAL, SYNTHETIC, 6, 200, shares) for i in batch])
    found = {label: (drawn[classes[drawn] == label] >= len(REAL)).mean() for label in (1, 3, 6)}
    assert found == pytest.approx({1: 0.75, 3: 0, 6: 0.25}, abs=0.01)


def test_classes_come_equally_often_and_every_picture_before_any_again() -> None:
    classes = np.array(REAL + SYNTHETIC)
    drawn = [index for batch in MixedBatches(REAL, SYNTHETIC, 30, 60, 0.5) for index in batch]
    assert [int((classes[drawn] == label).sum()) for label in (1, 3, 6)] == [600] * 3
    times = Counter(drawn)
    for label in (1, 3, 6):
        for part in (range(len(REAL)), range(len(REAL), len(classes))):
            each = [times[index] for index in part if int(classes[index]) == label]
            assert max(each) - min(each) <= 1


def test_a_class_without_synthetic_pictures_takes_real_ones_and_the_other_way_round() -> None:
    classes = np.array([3] * 4 + [6] * 4 + [1] * 4)
    for share, wanted in ((0.5, {1, 3, 6}), (0.0, {3, 6}), (1.0, {1})):
        drawn = [i for batch in MixedBatches([3] * 4 + [6] * 4, [1] * 4, 6, 10, share) for i in batch]
        assert set(classes[drawn].tolist()) == wanted


def test_the_same_seed_gives_the_same_batches() -> None:
    made = [list(MixedBatches(REAL, SYNTHETIC, 8, 5, 0.5, seed)) for seed in (0, 0, 1)]
    assert made[0] == made[1] != made[2]


def test_a_batchs_synthetic_pictures_are_made_of_its_real_ones() -> None:
    """Six people with a real picture each, and an edit of each to all other classes."""
    real = [*range(6)]
    pairs = [(own, other) for own in real for other in real if other != own]
    sources, synthetic = [own for own, _ in pairs], [other for _, other in pairs]
    batches = list(MixedBatches(real, synthetic, 8, 90, 0.5, sources=(real, sources)))
    for batch in batches:
        people = {index for index in batch if index < 6}
        within = {other for own, other in pairs if own in people}
        strangers = [pairs[index - 6] for index in batch if index >= 6 and pairs[index - 6][0] not in people]
        assert all(other not in within for _, other in strangers)
    drawn = np.concatenate(batches)
    assert (drawn >= 6).mean() == pytest.approx(0.5, abs=0.01)
    assert np.bincount(np.array([*real, *synthetic])[drawn]).tolist() == [120] * 6
    assert list(MixedBatches(real, synthetic, 8, 90, 0.5, sources=(real, sources))) == batches


def test_a_source_gives_all_its_pictures_in_turn() -> None:
    batches = list(MixedBatches([3], [6] * 5, 2, 10, [0, 0, 0, 0, 0, 0, 1], sources=(["a"], ["a"] * 5)))
    assert Counter(index for batch in batches for index in batch) == {0: 10} | dict.fromkeys(range(1, 6), 2)


def test_sources_that_are_not_all_named_are_refused() -> None:
    with pytest.raises(ManifestError, match="name of its source"):
        MixedBatches(REAL, SYNTHETIC, 8, 5, sources=(["a"], ["a"]))


def test_shares_of_another_number_of_classes_are_refused() -> None:
    with pytest.raises(ManifestError, match="one a class"):
        list(MixedBatches(REAL, SYNTHETIC, 8, 5, [0.5, 0.5]))


@pytest.mark.parametrize("share", [1.5, -0.1, float("nan"), lambda progress: progress + 2])
def test_a_share_outside_0_to_1_is_refused(share: float | Callable[[float], float]) -> None:
    with pytest.raises(ManifestError, match="between 0 and 1"):
        list(MixedBatches(REAL, SYNTHETIC, 8, 5, share))


def test_nothing_to_draw_from_is_refused() -> None:
    with pytest.raises(ManifestError, match="no pictures to draw from"):
        list(MixedBatches([], SYNTHETIC, 8, 5, 0.0))
    assert len(list(MixedBatches(REAL, [], 8, 5, 0.5))) == 5
    with pytest.raises(ManifestError, match="at least 1"):
        MixedBatches(REAL, SYNTHETIC, 0, 5)


def test_the_recipe_hangs_on_how_many_real_pictures_there_are() -> None:
    few, even, rare = (
        [recommended_share(classes)(progress) for progress in (0.0, 0.55, 0.65, 0.9)]
        for classes in ([*range(7)] * 20, [*range(7)] * 50 + [3] * 20, [*range(7)] * 30 + [3, 6] * 220)
    )
    assert few == [0.5, 0.5, 0.25, 0.25]
    assert recommended_units([*range(7)] * 30) == 0 and recommended_units([*range(7)] * 31) == 5
    assert even == [[0.5] * 7, [0.5] * 7, 0.0, 0.0]
    assert rare[:3] == [[0.5, 0.5, 0.5, 0.0, 0.5, 0.5, 0.0]] * 2 + [0.0]


def test_a_loader_mixes_two_parts_of_a_manifest(tmp_path: Path, source_rows: Callable[..., list[Row]]) -> None:
    write_part(tmp_path / "manifest", "part-a.parquet", source_rows("a"))
    write_part(tmp_path / "manifest", "part-b.parquet", source_rows("b", split="test"))
    real, synthetic = (ManifestDataset(tmp_path, split=split, labels="soft") for split in ("train", "test"))
    batches = list(mixed_loader(real, synthetic, batch_size=6, steps=3, share=two_steps()))
    assert len(batches) == 3
    for pictures, labels in batches:
        assert pictures.shape == (6, 3, 32, 32) and labels.shape == (6, 7)
        assert torch.allclose(labels.sum(1), torch.ones(6))
    with pytest.raises(ManifestError, match="the same"):
        mixed_loader(ManifestDataset(tmp_path), synthetic, batch_size=6, steps=3)
