"""The embedded estimator and aligner: their signatures, and how good the shipped weights are."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
import torch

from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.face.framing import CROP_SIZE, EYES, INTEROCULAR, apply, to_canonical
from singanimation.pipeline.face.mesh import eye_centres
from singanimation.stages.action_units.alignment import converge
from singanimation.stages.action_units.estimators import FACE_THRESHOLD, EmbeddedAligner, EmbeddedEstimator
from singanimation.stages.action_units.evaluation import evaluate, score
from singanimation.stages.action_units.network import to_network_input
from singanimation.stages.action_units.training.aligner_objective import FACE_SHARE
from singanimation.stages.action_units.training.augmentation import STRONG, jittered_frame
from singanimation.stages.action_units.training.faces import load_faces, load_warped, load_wide_faces
from singanimation.stages.action_units.weights import load_network

FACES = Path(__file__).resolve().parents[3] / "shared" / "faces"
needs_faces = pytest.mark.skipif(not FACES.is_dir(), reason=f"the faces to measure on are not at {FACES}")
ASTRONAUT_EYES = np.array([[203.0, 104.0], [248.0, 106.0]])  # by hand, in scikit-image's picture


@pytest.fixture(scope="module")
def estimator():
    return EmbeddedEstimator.load()


@pytest.fixture(scope="module")
def aligner():
    return EmbeddedAligner.load()


@pytest.fixture(scope="module")
def crops():
    return np.random.default_rng(0).integers(0, 256, (5, 128, 128, 3), np.uint8)


def alignment_errors(
    aligner: EmbeddedAligner, pictures: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator, rounds: int = 3
) -> dict[str, float]:
    """Return how far the eyes lie from their places after ``rounds``, from random bad frames.

    In percent of the distance between the eyes: ``start_median``, ``median``, ``p95``; and ``within_10``, the
    share of faces whose eyes end within 10%.
    """
    starts, ends = [], []
    zoom = CROP_SIZE / (FACE_SHARE * pictures.shape[1])
    for picture, points in zip(pictures, landmarks, strict=True):
        frame = jittered_frame(rng, STRONG, tuple(points.mean(0)), CROP_SIZE, zoom, mirror=False)
        final, _ = converge(aligner, picture, frame, rounds)
        eyes = eye_centres(points)
        truth = apply(to_canonical(eyes), eyes)
        for transform, errors in ((frame, starts), (final, ends)):
            errors.append(100 * np.linalg.norm(apply(transform, eyes) - truth, axis=1).mean() / INTEROCULAR)
    return {
        "start_median": float(np.median(starts)),
        "median": float(np.median(ends)),
        "p95": float(np.percentile(ends, 95)),
        "within_10": float((np.array(ends) < 10).mean()),
    }


def test_results_have_the_promised_shapes_and_ranges(estimator, crops):
    units, landmarks = estimator(crops)
    assert units.shape == (5, 17) and units.dtype == np.float32 and 0 <= units.min() <= units.max() <= 1
    assert landmarks.shape == (5, 478, 2) and landmarks.dtype == np.float32


def test_no_crops_give_no_results(estimator, aligner):
    assert estimator(np.zeros((0, 128, 128, 3), np.uint8)).action_units.shape == (0, 17)
    assert aligner(np.zeros((0, 50, 50, 3), np.uint8)).points.shape == (0, 5, 2)


def test_a_crops_result_does_not_depend_on_its_neighbours(estimator, crops):
    together = estimator(crops)
    alone = estimator(crops[3:4])
    np.testing.assert_allclose(alone.action_units[0], together.action_units[3], atol=1e-5)
    np.testing.assert_allclose(alone.landmarks[0], together.landmarks[3], atol=1e-3)


def test_a_mirrored_crop_has_the_same_action_units_and_mirrored_landmarks(estimator, crops):
    units, landmarks = estimator(crops)
    mirrored_units, mirrored = estimator(crops[:, :, ::-1])
    np.testing.assert_allclose(mirrored_units, units, atol=1e-5)
    back = mirrored[:, estimator.network.mirror.numpy()] * [-1, 1] + [128, 0]
    np.testing.assert_allclose(back, landmarks, atol=1e-3)


@pytest.mark.parametrize(
    "shape,dtype", [((1, 64, 64, 3), np.uint8), ((128, 128, 3), np.uint8), ((1, 128, 128, 3), np.float32)]
)
def test_pictures_of_another_kind_are_refused(estimator, shape, dtype):
    with pytest.raises(UsageError, match="an estimator takes uint8 pictures"):
        estimator(np.zeros(shape, dtype))


def test_a_feature_sees_18_pixels_and_no_more(estimator, crops):
    before = estimator.features(crops[:1]).reshape(32, 32, 64)
    changed = crops[:1].copy()
    changed[0, 60, 60] ^= 255
    after = estimator.features(changed).reshape(32, 32, 64)
    rows, columns = np.nonzero(np.abs(after - before).max(-1) > 1e-6)
    assert before.shape == (32, 32, 64)
    assert rows.size and max(np.ptp(rows), np.ptp(columns)) * 4 <= 18
    assert (15, 15) in set(zip(rows.tolist(), columns.tolist(), strict=True))


@pytest.mark.parametrize("turn,scale,shift", [(0, 1, 0), (25, 1.25, 10), (-25, 0.8, -10)])
def test_the_aligner_brings_a_badly_framed_face_upright(aligner, turn, scale, shift):
    picture = skimage.data.astronaut()
    middle = ASTRONAUT_EYES.mean(0) + [0, 20 + shift]
    zoom = scale * 43.6 / np.linalg.norm(ASTRONAUT_EYES[1] - ASTRONAUT_EYES[0])
    linear = zoom * np.array([[np.cos(a := np.radians(turn)), -np.sin(a)], [np.sin(a), np.cos(a)]])
    rough = np.concatenate([linear, ([64, 64] - linear @ middle)[:, None]], 1)
    transform, face = converge(aligner, picture, rough)
    assert np.linalg.norm(apply(transform, ASTRONAUT_EYES) - EYES, axis=1).max() < 4
    assert face > FACE_THRESHOLD


@pytest.mark.parametrize("name", ["moon", "retina", "horse", "clock", "cell"])
def test_pictures_without_a_face_are_told(aligner, name):
    picture = getattr(skimage.data, name)()
    if picture.dtype == bool:
        picture = picture.astype(np.uint8) * 255
    picture = picture if picture.ndim == 3 else cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB)
    square = cv2.resize(picture, (200, 200), interpolation=cv2.INTER_AREA)
    assert aligner(square[None]).face[0] < FACE_THRESHOLD


def test_the_estimator_says_what_the_network_says(crops):
    inputs = to_network_input(torch.from_numpy(crops))
    action_units, landmarks = load_network()(inputs)
    plain = EmbeddedEstimator.load(mirrored=False)(crops)
    np.testing.assert_allclose(plain.action_units, action_units, atol=1e-5)
    np.testing.assert_allclose(np.array(plain.landmarks), landmarks, atol=1e-3)


@needs_faces
def test_the_shipped_weights_hold_on_people_they_never_saw(estimator):
    figures = evaluate(estimator, load_faces(FACES / "faces.parquet", "validation"), None)
    units = figures["photographs"]["action_units"]
    floor = {
        "AU12": 0.95,
        "AU25": 0.95,
        "AU26": 0.95,
        "AU06": 0.95,
        "AU10": 0.95,
        "AU04": 0.93,
        "AU01": 0.88,
        "AU02": 0.88,
        "AU07": 0.88,
        "AU45": 0.88,
    }
    assert not {name: units[name] for name, least in floor.items() if units[name]["correlation"] < least}
    assert not {name: units[name] for name in floor if units[name]["mean_absolute_error"] > 0.06}
    assert figures["photographs"]["landmark_error_68"] < 4
    assert figures["photographs_realigned"]["landmark_error_68"] < 4


@needs_faces
def test_the_shipped_weights_hold_on_warped_faces(estimator):
    warped = load_warped(FACES / "warped.parquet", "validation")
    units = score(estimator, warped.crops()[::3], warped.action_units[::3])["action_units"]
    assert min(units[name]["correlation"] for name in ("AU06", "AU12", "AU25")) > 0.95
    assert min(units[name]["correlation"] for name in ("AU01", "AU02", "AU04", "AU07", "AU10", "AU26", "AU45")) > 0.8


@needs_faces
def test_the_aligner_converges_on_people_it_never_saw(aligner):
    pictures, landmarks = load_wide_faces(FACES / "faces.parquet", "validation")
    errors = alignment_errors(aligner, pictures[::3], landmarks[::3], np.random.default_rng(0))
    assert errors["start_median"] > 20
    assert errors["median"] < 6 and errors["within_10"] > 0.9
