"""The work on a picture is bounded by its crop; what a data set says of a face is taken only where it can be."""

import itertools

import cv2
import numpy as np
import pytest

from singanimation.pipeline.errors import PictureError
from singanimation.pipeline.face.framing import EYES
from singanimation.pipeline.records import Crop
from singanimation.stages.crop import cut, find_face, paste, paste_edit, similarity
from singanimation.stages.crop import cut as _cut_function
from singanimation.stages.crop.cut import shrunk

MOST_PIXELS = 3_000_000
"""What one filter may touch: the crop's part at the scale it is filtered at, far below the largest pictures."""


@pytest.fixture
def filtered(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Record how many pixels each Gaussian and each warp goes over."""
    pixels: list[int] = []
    for name, sized in (("GaussianBlur", False), ("warpAffine", True)):
        real = getattr(cv2, name)

        def watch(source: np.ndarray, *rest: object, _real=real, _sized=sized, **options: object) -> np.ndarray:
            pixels.append(source.shape[0] * source.shape[1])
            if _sized:
                pixels.append(rest[1][0] * rest[1][1])  # type: ignore[index]
            return _real(source, *rest, **options)

        monkeypatch.setattr(cv2, name, watch)
    return pixels


def _no_face(pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    middle = np.array([[42, 45], [86, 45], [64, 67], [45, 87], [83, 87]], np.float32)
    return np.repeat(middle[None], len(pictures), 0), np.zeros(len(pictures), np.float32)


def _a_face(pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return _no_face(pictures)[0], np.ones(len(pictures), np.float32)


def _eyes_there(crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return EYES[None].astype(np.float32), np.zeros((1, 478, 2), np.float32)


SHAPES = [(16, 60_000), (60_000, 16), (1, 40_000), (33_000, 600), (16, 16), (2_049, 2_047)]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: f"{shape[1]}x{shape[0]}")
@pytest.mark.parametrize("known", ["nothing", "crop", "box", "landmarks"])
def test_pictures_of_any_shape_end_soon(shape: tuple[int, int], known: str, filtered: list[int]) -> None:
    _sought(shape, known)
    assert max(filtered, default=0) < MOST_PIXELS


def test_a_picture_of_9400_pixels_a_side_ends_soon(filtered: list[int]) -> None:
    _sought((9400, 9400), "nothing")
    assert max(filtered, default=0) < MOST_PIXELS


def _sought(shape: tuple[int, int], known: str) -> None:
    height, width = shape
    picture = np.full((height, width, 3), 7, np.uint8)
    options: dict = {"align": _no_face, "eyes_of": _eyes_there}
    if known == "crop":
        options["is_face_crop"] = True
    elif known == "box":
        options["box"] = (0.0, 0.0, float(width), float(height))
    elif known == "landmarks":
        options["landmarks"] = np.array([[0.4 * width, 0.4 * height], [0.6 * width, 0.4 * height]])
    try:
        crop = find_face(picture, **options)
    except PictureError as error:
        assert error.reason in ("no_face", "too_small")
    else:
        assert known == "landmarks" and crop.pixels.shape == (128, 128, 3)


BOXES = [(-1e9, -1e9, 1e9, 1e9), (0, 0, 1e9, 1e9), (1e9, 1e9, 2e9, 2e9), (-50, -50, -10, -10), (300, 300, 200, 200)]
BOXES += [(float("nan"), 0, 10, 10), (0, 0, float("inf"), 10), (0, 0, 0, 0), (399, 0, 500, 300)]


@pytest.mark.parametrize("box", BOXES)
def test_a_box_that_cannot_be_a_faces_is_ignored_or_clipped_and_the_face_found(box: tuple, filtered: list[int]) -> None:
    picture = np.full((300, 400, 3), 90, np.uint8)
    crop = find_face(picture, box=box, align=_a_face, eyes_of=_eyes_there)
    assert crop.pixels.shape == (128, 128, 3) and max(filtered, default=0) < MOST_PIXELS
    if box[0] != 399:
        assert "the face box lies outside the picture and was ignored" in crop.notes


LANDMARKS = {
    "one point": np.full((5, 2), 50.0),
    "two equal eyes": np.array([[50, 50], [50, 50], [60, 90]], float),
    "no numbers": np.full((68, 2), np.nan),
    "infinite": np.array([[0, 0], [np.inf, 0]]),
    "far outside": np.array([[1e7, 1e7], [2e7, 1e7]]),
    "a pixel apart": np.array([[100, 100], [100.5, 100]]),
    "all 478 one point": np.full((478, 2), 3.0),
    "of another picture": np.array([[5_000, 100], [5_050, 100]], float),
}


@pytest.mark.parametrize("landmarks", LANDMARKS.values(), ids=LANDMARKS.keys())
def test_landmarks_that_cannot_be_a_faces_are_ignored_and_the_face_found(landmarks: np.ndarray) -> None:
    picture = np.full((300, 400, 3), 90, np.uint8)
    crop = find_face(picture, landmarks=landmarks, align=_a_face, eyes_of=_eyes_there)
    assert "the landmarks cannot be a face's and were ignored" in crop.notes
    with pytest.raises(PictureError, match="No face was found"):
        find_face(picture, landmarks=landmarks, align=_no_face, eyes_of=_eyes_there)


@pytest.mark.parametrize("others", [[], [[150.0, 190.0], [140.0, 230.0], [160.0, 230.0]]])
def test_eyes_in_either_order_frame_the_face_upright(others: list[list[float]]) -> None:
    left, right = [120.0, 150.0], [180.0, 150.0]
    picture = np.full((300, 400, 3), 90, np.uint8)
    for eyes in ([left, right], [right, left]):
        crop = find_face(picture, landmarks=np.array([*eyes, *others]), align=_no_face, eyes_of=_eyes_there)
        np.testing.assert_allclose(np.array([left, right]) @ crop.matrix[:, :2].T + crop.matrix[:, 2], EYES, atol=1e-6)


def test_a_face_upside_down_stays_so_where_its_mouth_says_it() -> None:
    points = np.array([[180.0, 150.0], [120.0, 150.0], [150.0, 110.0], [160.0, 70.0], [140.0, 70.0]])
    picture = np.full((300, 400, 3), 90, np.uint8)
    crop = find_face(picture, landmarks=points, align=_no_face, eyes_of=_eyes_there)
    np.testing.assert_allclose(points[:2] @ crop.matrix[:, :2].T + crop.matrix[:, 2], EYES, atol=1e-6)


def test_an_eye_finder_that_leads_out_of_the_picture_has_its_reason() -> None:
    def far(crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.array([[[0, 0], [1e-4, 0]]], np.float32), np.zeros((1, 478, 2), np.float32)

    picture = np.full((300, 400, 3), 90, np.uint8)
    for eyes in (far, lambda crops: (np.full((1, 2, 2), 9e9, np.float32), np.zeros((1, 478, 2), np.float32))):
        with pytest.raises(PictureError) as error:
            find_face(picture, landmarks=np.array([[150, 100], [250, 100]]), align=_no_face, eyes_of=eyes)
        assert error.value.reason in ("no_face", "too_small")


@pytest.mark.parametrize("scale", [0.06, 0.11])
def test_a_crop_of_a_large_face_is_what_area_means_of_it_are(scale: float) -> None:
    side = round(128 / scale)
    y, x = np.mgrid[0:side, 0:side] / side
    picture = np.stack([255 * x, 255 * y, 255 * (x * y)], 2).astype(np.uint8)
    found = cut(picture, np.array([[scale, 0, 0], [0, scale, 0]], float))
    expected = cv2.resize(picture, (128, 128), interpolation=cv2.INTER_AREA)
    inner = (slice(3, -3), slice(3, -3))
    assert np.abs(found[inner].astype(int) - expected[inner]).max() <= 3


def test_shrinking_never_goes_below_a_pixel_and_tells_its_factors() -> None:
    small, factors = shrunk(np.zeros((16, 60_000, 3), np.uint8), 640)
    assert small.shape == (1, 640, 3) and factors == (640 / 60_000, 1 / 16)
    same, factors = shrunk(small, 640)
    assert same is small and factors == (1.0, 1.0)


def _crop_of(picture: np.ndarray, left: tuple[float, float], right: tuple[float, float]) -> Crop:
    matrix = similarity(np.array([left, right], float), EYES)
    return Crop(_cut_function(picture, matrix), matrix, np.zeros((478, 2), np.float32), 300.0)


def test_pasting_into_a_large_picture_is_pasting_into_its_part(filtered: list[int]) -> None:
    rng = np.random.default_rng(0)
    small = cv2.resize(rng.integers(0, 256, (30, 40, 3), np.uint8), (1600, 1200), interpolation=cv2.INTER_CUBIC)
    large = np.zeros((6000, 9000, 3), np.uint8)
    large[3000:4200, 5000:6600] = small
    new = np.full((128, 128, 3), 200, np.uint8)
    inside = paste(small, _crop_of(small, (600, 500), (760, 520)), new)
    filtered.clear()
    whole = paste(large, _crop_of(large, (5600, 3500), (5760, 3520)), new)
    assert max(filtered) < MOST_PIXELS
    assert np.abs(whole[3000:4200, 5000:6600].astype(int) - inside).max() <= 1
    changed = whole.copy()
    changed[3000:4200, 5000:6600] = small
    assert (changed == large).all()  # nothing elsewhere


@pytest.mark.parametrize("shape", [(16, 60_000), (60_000, 40), (40_000, 600)])
def test_pasting_into_a_strip_works(shape: tuple[int, int]) -> None:
    picture = np.full((*shape, 3), 90, np.uint8)
    crop = _crop_of(picture, (4, 8), (12, 8))
    new = np.full((128, 128, 3), 200, np.uint8)
    assert paste(picture, crop, new).shape == picture.shape
    attention, flow = np.zeros((128, 128), np.float32), np.zeros((2, 128, 128), np.float32)
    assert paste_edit(picture, crop, attention, new, flow).shape == picture.shape


def test_odd_sizes_boxes_and_landmarks_together_never_fail_otherwise() -> None:
    """All combinations end in a crop or a reason, never in an error of OpenCV's or of arithmetic."""
    rng = np.random.default_rng(3)
    sizes = [(1, 1), (2, 300), (64, 40)]
    boxes = [None, (0, 0, 5, 5), (-3.5, -2, 40, 900), *BOXES[:3]]
    points = [None, *(rng.normal(30, 40, (count, 2)) for count in (2, 5, 68)), *list(LANDMARKS.values())[:3]]
    for (height, width), box, landmarks, align in itertools.product(sizes, boxes, points, (_no_face, _a_face)):
        picture = rng.integers(0, 256, (height, width, 3), np.uint8)
        try:
            crop = find_face(picture, box=box, landmarks=landmarks, align=align, eyes_of=_eyes_there)
        except PictureError as error:
            assert error.reason in ("no_face", "too_small")
        else:
            assert crop.pixels.shape == (128, 128, 3) and np.isfinite(crop.matrix).all()
