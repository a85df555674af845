"""New, undamaged, the same expression: what the checks of variants let pass, and what not."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut

from singanimation.pipeline.expressions import AU_NAMES
from singanimation.stages.sifid.trials import shuffled
from singanimation.stages.singan import make_regenerator
from singanimation.stages.singan.checks import (
    LIKENESS,
    WINDOWS,
    VariantChecks,
    difference,
    fine_detail,
    mean_pairwise_difference,
    window_likeness,
)
from singanimation.stages.singan.figures.detail import own_bands, registered_bands

UNITS = np.full(17, 0.4, np.float32)
JUDGED = tuple(AU_NAMES.index(name) for name in ("AU12", "AU25"))


@pytest.fixture(scope="module")
def face() -> np.ndarray:
    """The astronaut's face with her eyes near where an aligned crop has them."""
    return cv2.resize(astronaut()[40:200, 145:305], (128, 128), interpolation=cv2.INTER_AREA)


def shifted(picture: np.ndarray, pixels: int) -> np.ndarray:
    return cv2.warpAffine(
        picture, np.array([[1, 0, pixels], [0, 1, pixels]], float), (128, 128), borderMode=cv2.BORDER_REPLICATE
    )


@pytest.mark.parametrize("name", list(WINDOWS))
def test_a_part_that_is_painted_over_is_damage_and_named(face, name):
    top, left, height, width = WINDOWS[name]
    painted = face.copy()
    painted[top : top + height, left : left + width] = face[60:64, 40:90].reshape(-1, 3).mean(0)
    fault = VariantChecks().damaged(face, painted)
    assert fault is not None and fault.reason == "damaged"
    assert any(part in fault.message.lower() for part in WINDOWS)


def test_a_moved_darker_and_grainy_face_is_not_damaged(face):
    rng = np.random.default_rng(0)
    moved = shifted(face, 3) * 0.8 + rng.normal(0, 6, face.shape)
    assert VariantChecks().damaged(face, np.clip(moved, 0, 255).astype(np.uint8)) is None


def test_likeness_is_that_of_the_closed_form_and_one_for_the_same_and_for_what_is_faint():
    window, rng = WINDOWS["the mouth"], np.random.default_rng(0)
    first = rng.normal(0, 10, (128, 128))
    other = rng.normal(0, 10, (128, 128))
    assert window_likeness(first, first, window) == pytest.approx(1)
    # of a half as strong copy 2 * 0.5 / (1 + 0.25), of an unrelated one nothing, up to what counts as faint
    assert window_likeness(first, first / 2, window) == pytest.approx(0.8, abs=0.02)
    assert window_likeness(first, other, window) == pytest.approx(0, abs=0.1)
    assert window_likeness(first / 50, other / 50, window) > 0.98


def test_the_windows_lie_over_the_same_places_of_larger_pictures():
    window, detail = WINDOWS["the eye on the left"], np.zeros((256, 256))
    top, left, height, width = (2 * value for value in window)
    detail[top : top + height, left : left + width] = np.random.default_rng(0).normal(0, 10, (height, width))
    other = np.zeros_like(detail)
    assert window_likeness(detail, other, window) < 0.1
    assert window_likeness(detail, other, WINDOWS["the mouth"]) == 1


@pytest.mark.parametrize("name", list(WINDOWS))
def test_a_part_whose_pieces_lie_in_another_order_is_damage_and_named(face, name):
    top, left, height, width = WINDOWS[name]
    scrambled = face.copy()
    window = scrambled[top : top + height, left : left + width]
    window[:] = shuffled(window, np.random.default_rng(1), 6)
    fault = VariantChecks().damaged(face, scrambled)
    assert fault is not None and name.split()[1] in fault.message.lower()


def test_each_window_has_a_limit_of_its_own(face):
    strict = VariantChecks(likeness={"eye": 0.5, "brow": 0.5, "mouth": 1.01})
    fault = strict.damaged(face, face)
    assert fault is not None and "The mouth" in fault.message and "below 1.01" in fault.message


def test_mottled_skin_is_damage(face):
    rough = cv2.GaussianBlur(np.random.default_rng(0).normal(0, 1, face.shape[:2]).astype(np.float32), (0, 0), 2.5)
    mottled = np.clip(face + (rough * 12 / rough.std())[..., None], 0, 255).astype(np.uint8)
    fault = VariantChecks(likeness={"eye": -1, "brow": -1, "mouth": -1}).damaged(face, mottled)
    assert fault is not None and fault.reason == "damaged" and "mottled" in fault.message


def test_rough_skin_hides_more_mottling_than_smooth_skin(face):
    rng = np.random.default_rng(0)
    spots, wrinkles = (cv2.GaussianBlur(rng.normal(0, 1, (128, 128)).astype(np.float32), (0, 0), 2.5) for _ in range(2))
    spots, wrinkles = (values / values.std() for values in (spots, wrinkles))
    checks = VariantChecks(likeness={"eye": -1, "brow": -1, "mouth": -1})
    flat = np.full(face.shape, 120, np.uint8)
    rough = np.clip(flat + 30 * wrinkles[..., None], 0, 255).astype(np.uint8)
    for edit, damaged in ((flat, True), (rough, False)):
        variant = np.clip(edit + 6 * spots[..., None], 0, 255).astype(np.uint8)
        assert (checks.damaged(edit, variant) is not None) == damaged


def test_the_windows_grow_with_the_picture(face):
    double = cv2.resize(face, (256, 256), interpolation=cv2.INTER_CUBIC)
    assert VariantChecks().damaged(double, double) is None
    erased = double.copy()
    erased[72:112, 56:116] = 120
    assert VariantChecks().damaged(double, erased) is not None


def test_an_action_unit_that_moved_away_is_drift_only_where_it_is_judged():
    checks = VariantChecks(judged_units=JUDGED)
    moved = UNITS.copy()
    moved[AU_NAMES.index("AU12")] = 0.75
    fault = checks.drifted(UNITS, moved)
    assert (
        fault is not None and fault.reason == "au_drift" and "AU12 moved from 0.40 on the edit to 0.75" in fault.message
    )
    other = UNITS.copy()
    other[AU_NAMES.index("AU20")] = 1.0
    assert checks.drifted(UNITS, other) is None
    assert VariantChecks(judged_units=()).drifted(UNITS, moved) is None


def test_a_drift_of_just_the_limit_passes():
    moved = UNITS.copy()
    moved[JUDGED[0]] = UNITS[JUDGED[0]] + 0.25
    assert VariantChecks(judged_units=JUDGED, au_drift=0.25 + 1e-6).drifted(UNITS, moved) is None


def test_a_copy_of_the_edit_and_of_an_earlier_variant_are_told(face):
    checks, moved = VariantChecks(redraws=False), shifted(face, 4)
    grain = np.clip(face + np.random.default_rng(0).normal(0, 5, face.shape), 0, 255).astype(np.uint8)
    assert "all but the edit" in checks.copied(face, grain, []).message
    assert checks.copied(face, moved, []) is None
    assert "all but an earlier variant" in checks.copied(face, moved, [shifted(face, -4), moved]).message


def test_a_mere_warp_is_a_copy_where_the_engine_claims_to_redraw(face):
    warped = make_regenerator("warp").fit(face[None], [1], ["N-1"]).draw(0, "N-1", [1])[0]
    assert "the edit, moved" in VariantChecks(redraws=True).copied(face, warped, []).message
    assert VariantChecks(redraws=False).copied(face, warped, []) is None


def test_new_fine_detail_is_no_copy_though_it_looks_alike_when_shrunk(face):
    white = np.random.default_rng(0).normal(0, 1, (128, 128)).astype(np.float32)
    strokes = cv2.GaussianBlur(white, (0, 0), 1.0) - cv2.GaussianBlur(white, (0, 0), 1.8)
    redrawn = np.clip(face + (strokes * 8 / strokes.std())[..., None], 0, 255).astype(np.uint8)
    assert difference(face, redrawn, face) < 0.04
    assert VariantChecks().copied(face, redrawn, []) is None


def test_grain_counts_little_in_a_difference_and_a_shift_much(face):
    grain = np.clip(face + np.random.default_rng(0).normal(0, 5, face.shape), 0, 255).astype(np.uint8)
    assert difference(face, grain, face) < 0.03 < 0.1 < difference(face, shifted(face, 3), face)


def test_the_difference_is_in_deviations_of_the_edit():
    columns = np.tile(np.linspace(0, 255, 128), (128, 1)).astype(np.uint8)
    edit = np.repeat(columns[..., None], 3, 2)
    darker = np.clip(edit.astype(int) - 0, 0, 255).astype(np.uint8)
    assert difference(edit, darker, edit) == 0
    flat, lighter = np.full_like(edit, 100), np.full_like(edit, 110)
    # the deviation of 0..255 in equal steps is 255 / sqrt(12), a little less after shrinking
    assert difference(flat, lighter, edit) == pytest.approx(10 / (255 / 12**0.5), rel=0.03)


def test_pairwise_differences_agree_with_single_ones(face):
    variants = np.stack([shifted(face, 2), shifted(face, -3), shifted(face, 5)])
    mean, least = mean_pairwise_difference(variants, face)
    pairs = [difference(variants[a], variants[b], face) for a, b in ((0, 1), (0, 2), (1, 2))]
    assert mean == pytest.approx(np.mean(pairs), rel=1e-4) and least == pytest.approx(min(pairs), rel=1e-4)


def test_the_first_fault_is_the_gravest(face):
    checks = VariantChecks(judged_units=JUDGED, redraws=False)
    moved = UNITS + 0.5
    assert checks.first_fault((face, face), (UNITS, UNITS), []).reason == "near_copy"
    assert checks.first_fault((face, face), (UNITS, moved), []).reason == "au_drift"
    assert checks.first_fault((face, face[::-1].copy()), (UNITS, moved), []).reason == "damaged"
    assert checks.first_fault((face, shifted(face, 4)), (UNITS, UNITS), []) is None


def test_the_limits_are_said_in_words():
    said = VariantChecks(judged_units=JUDGED).describe()
    assert "new detail below 0.05" in said and "(eye)" in said and "mottled" in said and "AU12, AU25" in said
    assert "near_copy below 0.04" in VariantChecks(redraws=False).describe()
    assert "not judged" in VariantChecks().describe()


def test_a_smeared_eye_is_damage_and_named():
    """Of an earlier engine's variant: the eye on the right is scrambled, the one on the left sound."""
    picture = np.asarray(Image.open(Path(__file__).with_name("smeared_eye.png")))
    edit, variant = picture[:, :128], picture[:, 128:]
    assert VariantChecks().damaged(edit, variant) is not None
    fault = VariantChecks(likeness={"eye": LIKENESS["eye"], "brow": -1, "mouth": -1}).damaged(edit, variant)
    assert fault is not None and "The eye on the right is not that of the edit" in fault.message
    own, drawn = (fine_detail(each) for each in (own_bands(edit), registered_bands(edit, variant)))
    assert window_likeness(own, drawn, WINDOWS["the eye on the left"]) > LIKENESS["eye"] + 0.1
