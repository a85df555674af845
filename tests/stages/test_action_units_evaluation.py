"""Figures of an estimator, against values worked out by hand."""

import numpy as np
import pytest

from singanimation.pipeline.expressions import AU_INDEX, AU_NAMES
from singanimation.pipeline.face.framing import CROP_WITH_MARGIN
from singanimation.pipeline.face.mesh import eye_centres
from singanimation.stages.action_units.estimators import AUResult
from singanimation.stages.action_units.evaluation import (
    FEWEST_KNOWN,
    correlation,
    landmark_error,
    score,
    seen_change,
)
from singanimation.stages.action_units.training.faces import FaceCrops


class Shifted:
    """An estimator that knows the labels and adds 0.1 to each; its landmarks are 3 px to the right."""

    name, digest = "shifted", "0"

    def __init__(self, labels: np.ndarray, landmarks: np.ndarray) -> None:
        self.labels, self.points = labels, landmarks

    def __call__(self, crops: np.ndarray) -> AUResult:
        return AUResult(
            self.labels[: len(crops)] + np.float32(0.1), self.points[: len(crops)] + np.array([3, 0], np.float32)
        )


@pytest.fixture
def case():
    rng = np.random.default_rng(0)
    labels = rng.uniform(0, 0.9, (6, 17)).astype(np.float32)
    labels[:, AU_INDEX["AU09"]] = 0
    landmarks = np.tile(rng.uniform(0, 128, (1, 478, 2)), (6, 1, 1)).astype(np.float32)
    return np.zeros((6, 128, 128, 3), np.uint8), labels, landmarks


def test_scores_are_those_of_the_shift(case):
    crops, labels, landmarks = case
    figures = score(Shifted(labels, landmarks), crops, labels, landmarks)
    eyes = eye_centres(landmarks[0])
    between = np.linalg.norm(eyes[1] - eyes[0])
    assert figures["faces"] == 6 and list(figures["action_units"]) == list(AU_NAMES)
    assert figures["action_units"]["AU12"]["correlation"] == pytest.approx(1, abs=1e-5)
    assert figures["action_units"]["AU12"]["mean_absolute_error"] == pytest.approx(0.1, abs=1e-6)
    assert figures["landmark_error_68"] == pytest.approx(300 / between, rel=1e-4)
    assert figures["landmark_error_478"] == pytest.approx(300 / between, rel=1e-4)


def test_a_constant_label_has_no_correlation(case):
    crops, labels, landmarks = case
    figures = score(Shifted(labels, landmarks), crops, labels)
    assert figures["action_units"]["AU09"]["correlation"] is None
    assert "landmark_error_68" not in figures


def test_correlation_is_pearsons():
    assert correlation(np.array([1.0, 2, 3]), np.array([2.0, 4, 6])) == pytest.approx(1)
    assert correlation(np.array([1.0, 2, 3]), np.array([3.0, 0, 3])) == pytest.approx(0)


def test_only_the_named_points_count(case):
    _, _, landmarks = case
    moved = landmarks.copy()
    moved[:, 7] += 50
    assert landmark_error(moved, landmarks, (0, 1, 2)) == 0
    assert landmark_error(moved, landmarks, (7,)) > 0


class Dull:
    """An estimator that reads a crop's brightness (0..255 for 0..1) in every unit, and sees half of it in AU20."""

    name, digest = "dull", "0"

    def __call__(self, crops: np.ndarray) -> AUResult:
        units = np.repeat(crops.mean((1, 2, 3))[:, None] / 255, 17, 1).astype(np.float32)
        units[:, AU_INDEX["AU20"]] *= 0.5
        return AUResult(units, None)


def faces_of(brightness: np.ndarray, ids: list[str], *, warped: bool) -> FaceCrops:
    count = len(ids)
    pictures = np.tile(brightness[:, None, None, None], (1, CROP_WITH_MARGIN, CROP_WITH_MARGIN, 3)).astype(np.uint8)
    units = np.repeat(brightness[:, None] / 255, 17, 1).astype(np.float32)
    nothing = np.zeros((count, 0), np.float32)
    landmarks = np.zeros((count, 478, 2), np.float32)
    return FaceCrops(pictures, units, landmarks, nothing, np.full(count, warped), (), tuple(ids))


def test_the_share_of_a_known_change_that_is_seen_is_read_off_warped_faces():
    faces = faces_of(np.array([51.0, 102.0]), ["a", "b"], warped=False)
    ids = ["b", "a", "stranger"] * FEWEST_KNOWN
    warped = faces_of(np.linspace(120, 250, len(ids)).round(), ids, warped=True)
    shares = seen_change(Dull(), faces, warped)
    assert shares["AU12"] == pytest.approx(1, abs=1e-3) and shares["AU20"] == pytest.approx(0.5, abs=1e-3)
    still = faces_of(np.full(len(ids), 53.0), ["a"] * len(ids), warped=True)
    assert set(seen_change(Dull(), faces, still).values()) == {None}
    nameless = faces_of(np.full(1, 200.0), ["stranger"], warped=True)
    assert set(seen_change(Dull(), faces, nameless).values()) == {None}
