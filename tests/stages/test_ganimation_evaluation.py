"""The measuring of edits, with editors and judges whose answers are known."""

import numpy as np
import pytest

from singanimation.pipeline.expressions import AU_INDEX
from singanimation.stages.expansion.evaluation.face_regions import SHOWN_IN, face_regions
from singanimation.stages.expansion.evaluation.figures import EditedFaces, UnitFigures, evaluate_units
from singanimation.stages.expansion.geometry import load_mean_landmarks

UNIT = 43.6


def points() -> np.ndarray:
    return load_mean_landmarks().numpy() * UNIT + np.array([64.0, 45.1], np.float32)


def faces(*units: float) -> EditedFaces:
    """Grey faces whose AU12 is as given."""
    values = np.zeros((len(units), 17), np.float32)
    values[:, AU_INDEX["AU12"]] = units
    crops = np.full((len(units), 128, 128, 3), 100, np.uint8)
    return EditedFaces(crops, values, np.repeat(points()[None], len(units), 0))


def judge_brightness(crops: np.ndarray) -> np.ndarray:
    """AU12 is how bright the mouth's middle is, 100 being 0 and 200 being 1."""
    units = np.zeros((len(crops), 17), np.float32)
    units[:, AU_INDEX["AU12"]] = (crops[:, 90, 64, 0].astype(np.float32) - 100) / 100
    return units


def brighten(index: int, targets: np.ndarray) -> np.ndarray:
    """Brighten the mouth by 50 for an AU12 of 1, and nothing else."""
    mask = face_regions(points()).mouth
    pictures = np.full((len(targets), 128, 128, 3), 100, np.uint8)
    for picture, target in zip(pictures, targets, strict=True):
        picture[mask] = 100 + round(50 * float(target[AU_INDEX["AU12"]]))
    return pictures


def measured(editor=brighten, units: tuple[float, ...] = (0.0, 0.2, 0.9)) -> UnitFigures:
    return evaluate_units(editor, {"known": judge_brightness}, faces(*units), ["AU12"])[0]


def test_only_faces_with_little_of_a_unit_are_asked_for_it_and_those_with_much_to_lose_it() -> None:
    figures = measured()
    assert figures.faces == 2 and figures.asked == pytest.approx(0.9)
    assert figures.measured["known"] == pytest.approx(0.5)
    assert figures.rising["known"] == 1.0
    assert figures.lowered_on == 1 and figures.lowered["known"] == pytest.approx(0.0)


def test_changes_are_reported_where_they_are() -> None:
    figures = measured()
    assert figures.mouth_change == pytest.approx(50, abs=1)
    assert figures.eye_change == figures.background_change == figures.cross_talk == 0
    assert figures.shown is None and 0 < figures.still < 2


def test_an_edit_that_does_nothing_measures_nothing() -> None:
    figures = measured(lambda index, targets: np.full((len(targets), 128, 128, 3), 100, np.uint8))
    assert figures.measured["known"] == figures.rising["known"] == figures.still == 0


def test_units_that_no_label_judges_are_measured_in_their_own_region() -> None:
    for name, region in SHOWN_IN.items():
        mask = getattr(face_regions(points()), region)

        def edit(index: int, targets: np.ndarray, mask: np.ndarray = mask) -> np.ndarray:
            pictures = np.full((len(targets), 128, 128, 3), 100, np.uint8)
            pictures[-1, mask] = 110
            return pictures

        (figures,) = evaluate_units(edit, {"known": judge_brightness}, faces(0.0), [name])
        assert figures.shown == pytest.approx(10)


def test_regions_lie_where_the_face_has_them() -> None:
    regions = face_regions(points())
    for region in regions:
        assert np.abs(region.astype(int) - region[:, ::-1]).mean() < 0.02
    assert regions.eyes[45, 42] and regions.eyes[45, 86] and not regions.eyes[90, 64]
    assert regions.mouth[90, 64] and not (regions.mouth & regions.eyes).any()
    assert regions.background[5, 5] and not regions.background[60, 64]
    assert regions.cheeks[68, 35] and regions.cheeks[68, 93] and not regions.cheeks[:, 60:68].any()
    assert regions.nose_root[48, 64] and regions.corners.sum() > 100
