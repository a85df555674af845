"""The benchmark of usefulness: who is drawn, what edits aim at, scores, intervals, one training, the report."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

import usefulness  # noqa: E402
from useful.arms import ARMS, chosen_pictures  # noqa: E402
from useful.figures import confusion, f1_scores, macro_f1, over_seeds, over_seeds_and_people  # noqa: E402
from useful.finish import DRAWS, FINISHES  # noqa: E402
from useful.kinds import KINDS  # noqa: E402
from useful.network import AUGMENTATIONS, Rows, Way, probabilities, trained  # noqa: E402
from useful.pictures import Faces  # noqa: E402
from useful.report import write_report  # noqa: E402
from useful.synthetic import JUDGED, OF, Maker, Pool, better_half  # noqa: E402

from singanimation.manifests.torch_mixing import MixedBatches  # noqa: E402
from singanimation.pipeline.expressions import EMOTIONS  # noqa: E402


class Painter:
    """Paints the first action unit that an edit aims at into the picture, and counts."""

    digest, drawing = "fake", ""

    def __init__(self) -> None:
        self.made = 0

    def edit(self, crop: np.ndarray, units: np.ndarray, targets: np.ndarray, sides: np.ndarray) -> SimpleNamespace:
        assert sides.shape == targets.shape == (len(targets), 17)
        self.made += len(targets)
        shades = (255 * targets[:, 0]).astype(np.uint8)
        return SimpleNamespace(pictures=np.broadcast_to(shades[:, None, None, None], (len(targets), 128, 128, 3)))


@pytest.fixture
def faces() -> Faces:
    """28 people with one picture each, four a class, the class written into the grey; every fourth is tested."""
    labels = np.arange(28) % 7
    crops = np.broadcast_to((30 * labels + 20).astype(np.uint8)[:, None, None, None], (28, 128, 128, 3)).copy()
    people = np.array([f"p{index}" for index in range(28)])
    return Faces("toy", crops, np.full((28, 17), 0.1, np.float32), labels, people, np.arange(28) >= 21)


@pytest.fixture
def painter() -> Painter:
    return Painter()


@pytest.fixture
def maker(faces: Faces, painter: Painter, tmp_path: Path) -> Maker:
    return Maker(faces, cast(Any, painter), tmp_path)


def test_settings_draw_so_many_a_class_and_no_tested_person(faces: Faces) -> None:
    chosen = chosen_pictures(faces.labels, ~faces.tested, "2", 0)
    assert np.bincount(faces.labels[chosen]).tolist() == [2] * 7 and not faces.tested[chosen].any()
    assert len(chosen_pictures(faces.labels, ~faces.tested, "all", 0)) == 21
    assert chosen.tolist() != chosen_pictures(faces.labels, ~faces.tested, "2", 1).tolist()
    many = np.repeat(np.arange(7), 300)
    rare = np.bincount(many[chosen_pictures(many, np.ones(2100, bool), "rare", 0)])
    assert rare.tolist() == [30, 30, 30, 250, 30, 30, 250]


def test_edits_go_to_every_other_emotion_and_are_made_once(painter: Painter, maker: Maker) -> None:
    pool = maker.pool("table", [0, 1], 0)
    assert pool.pictures.shape == (12, 64, 64) and pool.weights.shape == (12, 7)
    assert sorted(pool.classes.tolist()) == sorted([*range(1, 7), 0, *range(2, 7)])
    assert np.array_equal(pool.weights.argmax(1), pool.classes)
    again = maker.pool("table", [0, 1], 1)
    assert np.array_equal(again.pictures, pool.pictures) and painter.made == 12


def test_the_better_half_is_the_half_of_each_class_that_it_sees_best() -> None:
    seen = np.zeros((6, 7))
    seen[:, 2], seen[:, 5] = [0.9, 0.1, 0.5, 0, 0, 0], [0, 0, 0, 0.2, 0.8, 0.3]
    pictures = np.arange(6, dtype=np.uint8)[:, None, None] * np.ones((1, 64, 64), np.uint8)
    classes = np.array([2, 2, 2, 5, 5, 5])
    pool = Pool(pictures, np.eye(7, dtype=np.float32)[classes], classes, np.zeros((6, 17)), np.arange(6))
    kept = better_half(pool, seen)
    assert kept.pictures[:, 0, 0].tolist() == [0, 2, 4, 5] and kept.classes.tolist() == [2, 2, 5, 5]


@pytest.mark.parametrize("engine", [name for name in FINISHES if name])
def test_variants_are_drawn_of_an_edit_and_kept(engine: str, maker: Maker, painter: Painter) -> None:
    one = replace(maker, edits=1)
    edit, pool = one.pool("table", [0], 0), one.pool(f"{engine} of table", [0], 0)
    assert pool.pictures.shape == (DRAWS, 64, 64) and pool.classes.tolist() == edit.classes.tolist() * DRAWS
    assert pool.sources.tolist() == [0] * DRAWS and np.array_equal(pool.units, edit.units.repeat(DRAWS, 0))
    made = painter.made
    assert np.array_equal(one.pool(f"{engine} of table", [0], 1).pictures, pool.pictures) and painter.made == made


def test_edits_that_look_more_like_their_source_are_left_out(maker: Maker) -> None:
    class Judge:
        digest = "fake"

        def __call__(self, crops: np.ndarray) -> np.ndarray:
            return np.eye(7)[[0, 5, 0, 5, 0, 5]][: len(crops)]

    with pytest.raises(ValueError, match="--judge"):
        maker.pool("judged of table", [0], 0)
    judged = replace(maker, judge=Judge())
    kept, all_ = judged.pool("judged of table", [0], 0), judged.pool("table", [0], 0)
    stay = [label for label, seen in zip(all_.classes.tolist(), [0, 5, 0, 5, 0, 5], strict=True) if seen != 0]
    assert kept.classes.tolist() == stay


def test_donors_are_real_pictures_of_this_training_alone(maker: Maker) -> None:
    assert sorted(maker.pool("donors", [0, 1, 2], 0).classes.tolist()) == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_gives_labels_that_sum_to_1(kind: str, faces: Faces) -> None:
    aims = KINDS[kind](faces, 3, range(21), np.random.default_rng(0))
    assert {aim.emotion for aim in aims} <= set(EMOTIONS) and len(aims) == 6
    for aim in aims:
        assert sum(aim.weights) == pytest.approx(1) and 0 <= aim.units.min() <= aim.units.max() <= 1


def test_every_arm_names_kinds_and_augmentations_that_there_are() -> None:
    for arm in ARMS.values():
        for kind in arm.kinds:
            assert kind.rpartition(OF)[2] in KINDS and kind.rpartition(OF)[0] in {*FINISHES, JUDGED}
        assert arm.augmentation in AUGMENTATIONS


def test_no_edits_are_made_that_no_batch_would_draw(maker: Maker) -> None:
    assert ARMS["real + classic"].classes() == [] and ARMS["forms, then real"].classes() == [*range(7)]
    rare = ARMS["forms .5 of rare classes, then real"].classes()
    assert rare == [0, 1, 2, 4, 5]
    assert sorted(maker.pool("forms", [0, 3], 0, rare).classes.tolist()) == [0, 1, 1, 2, 2, 4, 4, 5, 5]


def test_scores_of_a_small_example() -> None:
    counts = confusion(np.array([0, 0, 1, 1, 1]), np.array([[0, 1, 1, 1, 0], [0, 0, 1, 1, 1]]))
    assert counts.shape == (2, 7, 7) and counts[0, 1, 0] == 1
    assert f1_scores(counts)[0][:2] == pytest.approx([0.5, 2 / 3]) and np.isnan(f1_scores(counts)[0, 2])
    assert macro_f1(counts) == pytest.approx([0.5, 1.0])  # fear, the second, is left out


def test_intervals_hold_the_mean_and_grow_when_people_are_drawn_too() -> None:
    random = np.random.default_rng(0)
    truth = np.tile([0, 2, 3, 4, 5, 6], 20)
    people = np.repeat(np.arange(30), 4)
    worse = np.where(random.random((6, 120)) < 0.5, truth, 0)
    better = np.where(random.random((6, 120)) < 0.8, truth, 0)
    seeds = over_seeds(macro_f1(confusion(truth, better)) - macro_f1(confusion(truth, worse)))
    both = over_seeds_and_people(truth, people, better, worse, draws=200)
    assert seeds.mean == pytest.approx(both.mean) and 0.1 < both.low < seeds.low < seeds.mean < seeds.high < both.high


@pytest.mark.parametrize("augmentation", AUGMENTATIONS)
def test_augmentations_keep_shape_and_nearly_the_range(augmentation: str) -> None:
    pictures = torch.rand(6, 1, 64, 64) - 0.5
    changed = AUGMENTATIONS[augmentation](torch.Generator().manual_seed(0))(pictures)
    assert changed.shape == pictures.shape and changed.abs().max() < 2
    assert torch.equal(changed, pictures) == (augmentation == "none")


@pytest.mark.parametrize("units", [0.0, 1.0])
def test_a_training_learns_grey_levels(units: float, faces: Faces) -> None:
    pictures = torch.from_numpy(faces.crops[:, ::2, ::2, 0].copy())
    labels = torch.from_numpy((faces.labels > 3).astype(int))
    batches = MixedBatches(labels.tolist(), [], 16, 80, 0.0)
    rows = Rows(pictures, torch.eye(7)[labels], labels[:, None].float().expand(-1, 17))
    model = trained(rows, batches, Way(80, 0, "none", units, widths=(8, 16)))
    assert (probabilities(model, pictures).argmax(1) == labels).float().mean() > 0.9


def test_action_units_change_what_is_learnt(faces: Faces) -> None:
    rows = Rows(torch.from_numpy(faces.crops[:, ::2, ::2, 0].copy()), torch.eye(7)[faces.labels], torch.rand(28, 17))
    batches = MixedBatches(faces.labels.tolist(), [], 8, 3, 0.0)
    seen = [probabilities(trained(rows, batches, Way(3, 0, units=units)), rows.pictures) for units in (0.0, 0.0, 5.0)]
    assert torch.equal(seen[0], seen[1]) and not torch.allclose(seen[0], seen[2])


def test_validation_holds_back_a_third_of_the_training_people_and_all_tested_ones(faces: Faces) -> None:
    folds = [faces.validation(seed) for seed in range(3)]
    assert (np.sum([fold.tested for fold in folds], 0) == ~faces.tested).all()
    for fold in folds:
        assert (
            not (fold.trained & (fold.tested | faces.tested)).any()
            and (fold.tested | fold.trained | faces.tested).all()
        )
    assert faces.validation(3).name == folds[0].name != folds[1].name


@pytest.mark.parametrize("validate", [False, True])
def test_runs_become_a_report(validate: bool, faces: Faces, maker: Maker, tmp_path: Path) -> None:
    lines = []
    for seed in range(2):
        tests = [faces.validation(seed) if validate else faces]
        usefulness._write_tests(tmp_path / "tests.json", tests)
        for name in ("real + classic", "table .5", "table .5, together, units"):
            lines.append(usefulness.one_run(ARMS[name], usefulness.Plan("1", seed, 3, 8), maker, tests))
    assert len(lines[0]["answers"][tests[0].name if not validate else "toy, fold 0"]) > 0
    assert lines[0]["synthetic"] == 0 and lines[1]["synthetic"] == 6 * lines[1]["real"]
    text = write_report(tmp_path, lines, json.loads((tmp_path / "tests.json").read_text()))
    assert "### 1 pictures a class" in text and "| table .5 | 2 | " in text
    rows = json.loads((tmp_path / "report.json").read_text())
    assert [row["arm"] for row in rows] == ["real + classic", "table .5", "table .5, together, units"]
    assert rows[1]["paired"] == 2 and len(rows[1]["gain"]) == 3 and "gain" not in rows[0]
    assert ("gain_people" in rows[1]) != validate
