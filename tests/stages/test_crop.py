import numpy as np
import pytest

from singanimation.pipeline.errors import PictureError, WeightsError
from singanimation.pipeline.face.mesh import eyes_first
from singanimation.pipeline.records import Crop
from singanimation.stages.crop import (
    EYES,
    cut,
    detect_faces,
    find_face,
    load_yunet,
    paste,
    paste_edit,
    scale_of,
    similarity,
)


def _smooth_picture(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x / 23) * 60 + np.cos(y / 31) * 60 + 128, x * 255 / width, y * 255 / height]
    return np.clip(np.stack(waves, 2), 0, 255).astype(np.uint8)


def _matrix(scale: float, degrees: float, shift: tuple[float, float]) -> np.ndarray:
    c, s = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))
    return np.array([[c, -s, shift[0]], [s, c, shift[1]]])


def _eye_dots():
    """An eye finder for pictures whose eyes are a red and a blue dot."""

    def find(crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        eyes = []
        for channel in (0, 2):
            weight = crops[0, :, :, channel].astype(float) - crops[0, :, :, 1]
            weight = np.clip(weight - 40, 0, None)
            y, x = np.mgrid[0:128, 0:128] + 0.5
            eyes.append([(weight * x).sum() / weight.sum(), (weight * y).sum() / weight.sum()])
        return np.array([eyes], np.float32), np.zeros((1, 478, 2), np.float32)

    return find


def _dotted(left: tuple[int, int], right: tuple[int, int]) -> np.ndarray:
    picture = np.full((300, 400, 3), 90, np.uint8)
    y, x = np.mgrid[0:300, 0:400] + 0.5
    for (cx, cy), channel in ((left, 0), (right, 2)):
        picture[((x - cx) ** 2 + (y - cy) ** 2) < 49, channel] = 255
    return picture


def _never_align(pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    raise AssertionError("landmarks were given: no aligner is needed")


def test_similarity_of_two_points_is_exact() -> None:
    matrix = similarity(np.array([[100.0, 150.0], [180.0, 190.0]]), EYES)
    points = np.array([[100.0, 150.0], [180.0, 190.0]]) @ matrix[:, :2].T + matrix[:, 2]
    np.testing.assert_allclose(points, EYES, atol=1e-9)


def test_eyes_of_a_tilted_face_end_at_their_places() -> None:
    left, right = (150, 120), (230, 150)
    picture = _dotted(left, right)
    crop = find_face(
        picture, landmarks=np.array([(155, 117), (226, 154)], float), align=_never_align, eyes_of=_eye_dots()
    )
    found = _eye_dots()(crop.pixels[None])[0][0]
    np.testing.assert_allclose(found, EYES, atol=0.5)
    mapped = np.array([left, right]) @ crop.matrix[:, :2].T + crop.matrix[:, 2]
    np.testing.assert_allclose(mapped, EYES, atol=0.8)


@pytest.mark.parametrize(
    ("count", "eyes"), [(5, ([0], [1])), (68, (range(36, 42), range(42, 48))), (478, ([33, 133], [362, 263]))]
)
def test_the_eyes_are_found_among_landmarks_of_every_scheme(count: int, eyes: tuple) -> None:
    points = np.random.default_rng(0).uniform(0, 300, (count, 2))
    for places, centre in zip(eyes, [(155.0, 117.0), (226.0, 154.0)], strict=True):
        points[list(places)] = centre
    first = eyes_first(points)[:2]
    assert np.abs(first - [(155, 117), (226, 154)]).max() < 5  # MediaPipe's scheme steps a little outwards


def test_a_face_below_48_pixels_is_refused_and_named() -> None:
    picture = _dotted((150, 120), (160, 120))
    with pytest.raises(PictureError, match="at least 48 px") as caught:
        find_face(
            picture,
            landmarks=np.array([(150, 120), (160, 120)], float),
            align=_never_align,
            eyes_of=lambda crops: (EYES[None].astype(np.float32), np.zeros((1, 478, 2), np.float32)),
        )
    assert caught.value.reason == "too_small"


def test_a_picture_without_a_face_is_no_face() -> None:
    picture = _smooth_picture(200, 220)

    def unsure(pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        points = np.array([[[40, 50], [88, 50], [64, 70], [48, 92], [82, 92]]], np.float32)
        return points, np.array([0.1], np.float32)

    with pytest.raises(PictureError) as caught:
        find_face(picture, align=unsure, eyes_of=_eye_dots())
    assert caught.value.reason == "no_face"


def test_an_unchanged_crop_leaves_every_byte_of_the_picture() -> None:
    picture = _smooth_picture(300, 260)
    matrix = _matrix(0.7, 8, (-20, -35))
    crop = Crop(cut(picture, matrix), matrix, np.zeros((478, 2), np.float32), 180.0)
    assert np.array_equal(paste(picture, crop, crop.pixels.copy()), picture)


@pytest.mark.parametrize("scale", [0.45, 1.0, 1.6])
def test_an_edit_lands_where_the_face_is_and_nowhere_else(scale: float) -> None:
    picture = _smooth_picture(400, 400)
    centre = np.array([200.0, 200.0])
    matrix = _matrix(scale, 5, (0, 0))
    matrix[:, 2] = 64 - matrix[:, :2] @ centre
    crop = Crop(cut(picture, matrix), matrix, np.zeros((478, 2), np.float32), 128 / scale)
    edited = crop.pixels.copy()
    edited[54:74, 54:74] = 255
    pasted = paste(picture, crop, edited)
    assert (pasted[197:203, 197:203] >= 250).all()
    reach = int(40 / scale)
    outside = np.ones((400, 400), bool)
    outside[200 - reach : 200 + reach, 200 - reach : 200 + reach] = False
    assert np.array_equal(pasted[outside], picture[outside])


def test_a_wholly_new_crop_leaves_no_border_in_the_picture() -> None:
    picture = _smooth_picture(400, 400)
    matrix = _matrix(0.5, 0, (-36, -36))
    crop = Crop(cut(picture, matrix), matrix, np.zeros((478, 2), np.float32), 256.0)
    brighter = np.clip(crop.pixels.astype(int) + 40, 0, 255).astype(np.uint8)
    steps = np.abs(np.diff(paste(picture, crop, brighter).astype(int) - picture, axis=1)).max()
    assert steps <= 6  # 40 grey levels spread over the feather, not one step of 40


def test_cutting_is_the_same_from_a_huge_picture_and_from_its_part() -> None:
    picture = _smooth_picture(900, 1200)
    matrix = _matrix(0.6, 12, (-250, -180))
    moved = matrix.copy()
    moved[:, 2] += matrix[:, :2] @ np.array([0.0, 100.0])
    whole, part = cut(picture, matrix), cut(picture[100:], moved)
    assert np.abs(whole.astype(int) - part.astype(int)).max() <= 1
    assert scale_of(matrix) == pytest.approx(0.6)


def test_the_cascade_finds_the_astronaut() -> None:
    from skimage.data import astronaut

    x0, y0, x1, y1 = detect_faces(astronaut())[0]
    assert x0 < 224 < x1 and y0 < 120 < y1


class _YuNet:
    """Stands for OpenCV's FaceDetectorYN: a bright square is a face of its size, in pictures of 400 px or less."""

    size = (0, 0)

    def setInputSize(self, size: tuple[int, int]) -> None:
        self.size = tuple(size)

    def detect(self, picture: np.ndarray) -> tuple[int, np.ndarray | None]:
        assert picture.shape[1::-1] == self.size
        rows, columns = np.nonzero(picture[..., 0] > 200)  # BGR: the square is blue
        if max(self.size) > 400 or not len(rows):
            return 0, None
        x, y, side = columns.min(), rows.min(), columns.max() + 1 - columns.min()
        return 2, np.array([[x, y, side / 2, side / 2, *[0] * 10, 0.9], [x, y, side, side, *[0] * 10, 0.8]], np.float32)


def test_yunet_sees_bgr_and_what_fills_a_picture_in_a_smaller_copy_and_its_boxes_are_the_pictures(
    tmp_path, monkeypatch
) -> None:
    (tmp_path / "yunet.onnx").touch()
    monkeypatch.setattr("cv2.FaceDetectorYN.create", lambda *_: _YuNet())
    detector = load_yunet(tmp_path / "yunet.onnx", "8f2383e4dd3cfbb4")
    assert detector.name == "yunet@8f2383e4dd3c"
    picture = np.zeros((960, 1280, 3), np.uint8)
    picture[160:480, 320:640, 2] = 255  # blue of RGB
    np.testing.assert_allclose(detector.boxes(picture), [[320, 160, 640, 480], [320, 160, 480, 320]], atol=4)
    assert detector.boxes(np.zeros((100, 100, 3), np.uint8)).shape == (0, 4)
    crop_view = []

    def look(squares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        crop_view.append(squares[0])
        return np.array([[[40, 50], [88, 50], [64, 70], [48, 92], [82, 92]]], np.float32), np.array([0.1], np.float32)

    with pytest.raises(PictureError):
        find_face(picture, align=look, eyes_of=_eye_dots(), detector=detector)
    share = (crop_view[0][..., 2] > 200).mean()
    assert share == pytest.approx(1 / detector.grow**2, abs=0.03)  # the first look is at the largest box, grown


def test_a_file_that_is_no_yunet_is_named(tmp_path) -> None:
    with pytest.raises(WeightsError, match=r"none\.onnx does not exist.*weights fetch yunet"):
        load_yunet(tmp_path / "none.onnx")
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(WeightsError, match=r"text\.onnx is no YuNet network"):
        load_yunet(tmp_path / "text.onnx")


def _centred(scale: float, degrees: float, size: int) -> Crop:
    picture = _smooth_picture(size, size)
    matrix = _matrix(scale, degrees, (0, 0))
    matrix[:, 2] = 64 - matrix[:, :2] @ np.array([size / 2, size / 2])
    return Crop(cut(picture, matrix), matrix, np.zeros((478, 2), np.float32), 128 / scale)


@pytest.mark.parametrize("scale", [0.3, 1.28])
def test_an_edit_that_keeps_everything_leaves_every_byte(scale: float) -> None:
    crop, picture = _centred(scale, 9, 400), _smooth_picture(400, 400)
    still, black = np.zeros((2, 128, 128), np.float32), np.zeros((128, 128, 3), np.uint8)
    assert np.array_equal(paste_edit(picture, crop, np.ones((128, 128), np.float32), black, still), picture)


def test_a_flow_moves_the_pictures_own_pixels_at_its_own_resolution() -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 255, (512, 512, 3), np.uint8)  # detail that no 128 px crop could carry
    crop = _centred(0.25, 0, 512)
    flow = np.zeros((2, 128, 128), np.float32)
    flow[0] = 2.0  # two crop pixels are eight of the picture's
    pasted = paste_edit(picture, crop, np.ones((128, 128), np.float32), np.zeros((128, 128, 3), np.uint8), flow)
    assert np.array_equal(pasted[200:300, 200:300], picture[200:300, 208:308])
    # at the crop's border the flow has faded to under a hundredth
    assert np.abs(pasted[:, :2].astype(int) - picture[:, :2]).max() < 20


def test_paint_covers_what_attention_gives_up_and_fades_at_the_crops_border() -> None:
    crop, picture = _centred(0.5, 0, 400), _smooth_picture(400, 400)
    white = np.full((128, 128, 3), 255, np.uint8)
    pasted = paste_edit(picture, crop, np.zeros((128, 128), np.float32), white, None)
    assert (pasted[180:220, 180:220] == 255).all()
    assert np.array_equal(pasted[:70], picture[:70])
    assert np.abs(np.diff(pasted[:, 200].astype(int), axis=0)).max() < 40


@pytest.mark.parametrize(("begins", "found"), [(0.8, True), (0.55, False)])
def test_a_face_that_was_surely_seen_on_the_way_is_found(begins: float, found: bool) -> None:
    points = np.array([[46.2, 51.2], [81.8, 51.2], [64.0, 69.1], [48.7, 85.6], [79.4, 85.6]], np.float32)
    looks = iter([begins] + [0.3] * 20)

    def align(pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return points[None], np.array([next(looks)], np.float32)

    def eyes_of(crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return EYES[None].astype(np.float32), np.zeros((1, 478, 2), np.float32)

    picture = np.full((160, 160, 3), 90, np.uint8)
    if found:
        crop = find_face(picture, is_face_crop=True, align=align, eyes_of=eyes_of)
        assert crop.pixels.shape == (128, 128, 3) and 90 < crop.face_size < 160
    else:
        with pytest.raises(PictureError, match="No face"):
            find_face(picture, is_face_crop=True, align=align, eyes_of=eyes_of)
