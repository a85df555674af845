"""Figures that can tell: each on pictures where the right answer is known."""

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from singanimation.stages.sifid.trials import blurred, noisy, shuffled
from singanimation.stages.singan import make_regenerator
from singanimation.stages.singan.face_parts import parts_of
from singanimation.stages.singan.figures.detail import (
    BANDS,
    NewDetail,
    blotches,
    detail_spread,
    drawn_detail,
    new_detail,
)
from singanimation.stages.singan.figures.two_sample import two_sample_accuracy


@pytest.fixture(scope="module")
def face() -> np.ndarray:
    """The astronaut's face with her eyes near where an aligned crop has them."""
    return cv2.resize(astronaut()[40:200, 145:305], (128, 128), interpolation=cv2.INTER_AREA)


@pytest.fixture(scope="module")
def warped(face: np.ndarray) -> np.ndarray:
    return make_regenerator("warp").fit(face[None], [1], ["N-1"]).draw(0, "N-1", range(4))


@pytest.fixture(scope="module")
def another(face: np.ndarray) -> np.ndarray:
    """Another drawing of the same face: eyes and mouth of its mirror image."""
    other, mirrored = face.copy(), face[:, ::-1]
    for part in ("eyes", "mouth"):
        other[parts_of(128)[part]] = mirrored[parts_of(128)[part]]
    return other


def of_band(found: NewDetail, band: str) -> float:
    return float(np.mean([value for (name, _), value in found.items() if name == band]))


def test_a_warped_and_tinted_copy_has_no_new_detail(face, warped):
    for variant in warped:
        found = new_detail(face, variant)
        assert drawn_detail(found) < 0.05 and of_band(found, "2-4") < 0.1


def test_grain_is_new_in_the_finest_band_alone(face):
    found = new_detail(face, noisy(face, np.random.default_rng(0)))
    assert of_band(found, "<2") > 0.2 and drawn_detail(found) < 0.05


def test_a_blurred_copy_has_nothing_new(face):
    assert drawn_detail(new_detail(face, blurred(face, 1.0))) < 0.1


def test_another_drawing_is_new_in_every_band_where_it_is_drawn(face, another):
    found = new_detail(face, another)
    for band in BANDS:
        assert found[band, "eyes"] > 0.3 and found[band, "mouth"] > 0.3, band
        assert found[band, "eyes"] > 2 * found[band, "skin"], band


def test_patches_in_another_order_are_all_new(face):
    found = new_detail(face, shuffled(face, np.random.default_rng(0)))
    assert min(of_band(found, band) for band in BANDS) > 0.8


def test_the_same_picture_has_no_new_detail_at_all(face):
    assert max(new_detail(face, face).values()) < 0.01


def test_detail_differs_among_drawings_and_not_among_warps(face, warped, another):
    assert detail_spread(face, np.stack([face, another])) > 3 * detail_spread(face, warped)
    assert detail_spread(face, np.stack([face, face])) == 0


def test_blotches_are_counted_in_grey_levels_on_smooth_skin(face):
    rough = np.random.default_rng(0).normal(0, 1, face.shape[:2]).astype(np.float32)
    rough = cv2.GaussianBlur(rough, (0, 0), 2.5)
    mottled = np.clip(face + (rough * 8 / rough.std())[..., None], 0, 255).astype(np.uint8)
    assert blotches(face, face) < 0.1
    assert 4.5 < blotches(face, mottled) < 9
    lighter = np.clip(face * 0.9 + 12, 0, 255).astype(np.uint8)
    assert blotches(face, lighter) < 1


def test_a_classifier_cannot_tell_a_copy_nor_a_warped_one(face, warped):
    assert abs(two_sample_accuracy(face, face[None]) - 0.5) < 0.06
    assert two_sample_accuracy(face, warped) < 0.65


def test_a_classifier_learns_grain_and_blur(face):
    rng = np.random.default_rng(0)
    assert two_sample_accuracy(face, np.stack([noisy(face, rng, 0.04) for _ in range(3)])) > 0.8
    assert two_sample_accuracy(face, blurred(face)[None]) > 0.75
