"""Find a face, cut it out upright at one framing for everything, and put an edit of it back.

The framing: 128 x 128 pixels, eye centres at (42.2, 45.1) and (85.8, 45.1), by a similarity (rotation, scale,
shift) from landmarks. Coordinates are continuous: the middle of the first pixel is at 0.5. A data set's own landmarks or box come first, then the whole picture where it is itself
a face crop, then OpenCV's Haar cascade.
"""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from singanimation.pipeline.errors import PictureError
from singanimation.pipeline.records import Crop

CROP_SIZE = 128
EYES = np.array([[42.2, 45.1], [85.8, 45.1]])
"""Where the eye centres lie in every crop, in pixels (x, y), left of the picture first."""

SMALLEST_FACE = 48.0
"""Faces whose crop covers fewer pixels of the picture than this on a side are refused."""

SMALL_FACE = 96.0
"""Faces below this side are taken, and said to be small."""

FEATHER = 10.0
"""Pixels of the crop over which an edit fades out towards the crop's border."""

Aligner = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""uint8 (N, S, S, 3) roughly framed faces -> points float32 (N, 5, 2) in their pixels (eyes, nose tip, mouth
corners; left of the picture first) and how much of a face each is, float32 (N,), 0..1 around a threshold of 0.5."""

EyeFinder = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""uint8 (N, 128, 128, 3) crops -> eye centres float32 (N, 2, 2) and landmarks float32 (N, 478, 2), crop pixels."""

# Where the five points lie in a crop: mean of the training faces, used to turn points into a framing.
_TEMPLATE = np.array([[42.2, 45.1], [85.8, 45.1], [64.0, 67.0], [45.3, 87.2], [82.9, 87.2]])
_ALIGN_SIZE = 128
# The side of the square that the aligner likes to see, in interocular distances of an upright face.
_ALIGN_VIEW = 3.6


def find_face(
    picture: np.ndarray,
    *,
    box: tuple[float, float, float, float] | None = None,
    landmarks: np.ndarray | None = None,
    is_face_crop: bool = False,
    align: Aligner,
    eyes_of: EyeFinder,
) -> Crop:
    """Cut the (largest) face out of ``picture`` (H, W, 3) uint8 RGB.

    ``box`` (x0, y0, x1, y1) and ``landmarks`` (K >= 2, 2; the first two are the eye centres) are what the data
    set knows, in pixels of the picture. Raises PictureError ``no_face`` or ``too_small``.
    """
    notes: list[str] = []
    matrix = None
    if landmarks is not None and len(landmarks) >= 2:
        matrix = similarity(np.asarray(landmarks[:2], float), EYES)
    else:
        matrix = _from_guesses(picture, _guesses(picture, box, is_face_crop, notes), align)
    if matrix is None:
        raise PictureError("no_face", "No face was found in this picture; a face box or landmarks would help.")
    matrix, points = _refine(picture, matrix, eyes_of)
    side = CROP_SIZE / scale_of(matrix)
    if side < SMALLEST_FACE:
        raise PictureError("too_small", f"The face is {side:.0f} px wide; at least {SMALLEST_FACE:.0f} px are needed.")
    if side < SMALL_FACE:
        notes.append(f"small face: {side:.0f} px")
    return Crop(cut(picture, matrix), matrix, points.astype(np.float32), float(side), tuple(notes))


def paste(picture: np.ndarray, crop: Crop, pixels: np.ndarray) -> np.ndarray:
    """Return ``picture`` (H, W, 3) with the face of ``crop`` replaced by ``pixels`` (128, 128, 3), uint8.

    Pixels that equal the crop leave the picture exactly as it was, so that only what changed is taken over (the
    picture's own detail stays elsewhere), and the change fades out towards the crop's border.
    """
    change = np.abs(pixels.astype(np.float32) - crop.pixels.astype(np.float32)).max(2)
    if not change.any():
        return picture.copy()
    # from 2/255 (rounding) to 10/255 (seen) a pixel goes over from the picture's own to the new one
    weight = np.clip((cv2.GaussianBlur(cv2.dilate(change, np.ones((5, 5))), (0, 0), 1.5) - 2) / 8, 0, 1)
    weight *= _feather()
    height, width = picture.shape[:2]
    scale = scale_of(crop.matrix)
    source = pixels.astype(np.float32)
    if scale > 1:  # the picture is coarser than the crop: smooth before thinning out
        source = cv2.GaussianBlur(source, (0, 0), _smoothing(1 / scale))
    inverse = _opencv(cv2.invertAffineTransform(crop.matrix))
    flags = cv2.INTER_CUBIC if scale < 1 else cv2.INTER_LINEAR
    new = cv2.warpAffine(source, inverse, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    mask = cv2.warpAffine(weight.astype(np.float32), inverse, (width, height), flags=cv2.INTER_LINEAR)[..., None]
    return np.clip(np.rint(picture * (1 - mask) + new * mask), 0, 255).astype(np.uint8)


def similarity(points: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return the (2, 3) similarity that maps ``points`` (K, 2) to ``targets`` (K, 2), least squares.

    Two points give the exact one; mirror images are not allowed (Umeyama, PAMI 1991, without reflection).
    """
    mean_p, mean_t = points.mean(0), targets.mean(0)
    p, t = points - mean_p, targets - mean_t
    norm = max(float((p**2).sum()), 1e-9)
    cosine = float((p * t).sum()) / norm
    sine = float((p[:, 0] * t[:, 1] - p[:, 1] * t[:, 0]).sum()) / norm
    rotation = np.array([[cosine, -sine], [sine, cosine]])
    return np.hstack([rotation, (mean_t - rotation @ mean_p)[:, None]])


def scale_of(matrix: np.ndarray) -> float:
    """Return how many pixels of the crop one pixel of the picture becomes under the (2, 3) ``matrix``."""
    return float(np.hypot(matrix[0, 0], matrix[1, 0]))


def cut(picture: np.ndarray, matrix: np.ndarray, size: int = CROP_SIZE) -> np.ndarray:
    """Return the (size, size, 3) uint8 crop that ``matrix`` takes from ``picture``; outside, the edge repeats."""
    scale = scale_of(matrix)
    picture, matrix = _region(picture, matrix, size)
    if scale < 1:
        picture = cv2.GaussianBlur(picture, (0, 0), _smoothing(scale))
    flags = cv2.INTER_LINEAR if scale < 1 else cv2.INTER_CUBIC
    return cv2.warpAffine(picture, _opencv(matrix), (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE)


def _opencv(matrix: np.ndarray) -> np.ndarray:
    """Our coordinates put the middle of the first pixel at 0.5, OpenCV's at 0."""
    linear = matrix[:, :2]
    return np.hstack([linear, (matrix[:, 2] + linear @ np.array([0.5, 0.5]) - 0.5)[:, None]])


def _smoothing(scale: float) -> float:
    """The Gaussian that keeps a shrinking by ``scale`` < 1 free of aliasing, in pixels of the larger picture."""
    return max(0.6 * float(np.sqrt(max(1 / scale**2 - 1, 0))), 0.05)


def _region(picture: np.ndarray, matrix: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Keep only the part of a large picture that the crop sees, so that its cost does not grow with the picture."""
    corners = np.array([[0, 0], [size, 0], [0, size], [size, size]], float)
    inverse = cv2.invertAffineTransform(matrix)
    seen = corners @ inverse[:, :2].T + inverse[:, 2]
    margin = 4 * _smoothing(min(scale_of(matrix), 1)) + 4
    height, width = picture.shape[:2]
    x0, y0 = (max(int(v - margin), 0) for v in seen.min(0))
    x1, y1 = (int(v + margin) + 1 for v in seen.max(0))
    x0, y0 = min(x0, width - 1), min(y0, height - 1)
    part = picture[y0 : max(min(y1, height), y0 + 1), x0 : max(min(x1, width), x0 + 1)]
    moved = matrix.copy()
    moved[:, 2] += matrix[:, :2] @ np.array([x0, y0], float)
    return part, moved


@lru_cache(maxsize=1)
def _feather() -> np.ndarray:
    """(128, 128) float32: 1 inside, falling smoothly to 0 over the last FEATHER pixels before the border."""
    distance = np.minimum(np.arange(CROP_SIZE) + 0.5, CROP_SIZE - np.arange(CROP_SIZE) - 0.5)
    ramp = np.clip(np.minimum(distance[:, None], distance[None, :]) / FEATHER, 0, 1)
    return (ramp * ramp * (3 - 2 * ramp)).astype(np.float32)


@lru_cache(maxsize=1)
def _cascade() -> cv2.CascadeClassifier:
    return cv2.CascadeClassifier(str(Path(cv2.data.haarcascades) / "haarcascade_frontalface_default.xml"))


def detect_faces(picture: np.ndarray) -> np.ndarray:
    """Return Haar's face boxes of ``picture`` (H, W, 3), float64 (K, 4) x0, y0, x1, y1, largest first."""
    shrink = min(1.0, 640 / max(picture.shape[:2]))
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    if shrink < 1:
        grey = cv2.resize(grey, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    smallest = max(int(32 * shrink), 20)
    found = _cascade().detectMultiScale(cv2.equalizeHist(grey), 1.1, 5, minSize=(smallest, smallest))
    boxes = np.array([(x, y, x + w, y + h) for x, y, w, h in found], float).reshape(-1, 4) / shrink
    return boxes[np.argsort(-(boxes[:, 2] - boxes[:, 0]), kind="stable")]


def _guesses(
    picture: np.ndarray,
    box: tuple[float, float, float, float] | None,
    is_face_crop: bool,
    notes: list[str],
) -> list[np.ndarray]:
    """Rough framings to try in turn: (2, 3) matrices onto the aligner's square."""
    height, width = picture.shape[:2]
    whole = _square_matrix((0, 0, width, height), 1.0)
    if box is not None:
        return [_square_matrix(box, grow) for grow in (1.25, 1.0, 1.5)]
    if is_face_crop:
        return [whole, _square_matrix((0, 0, width, height), 1.3)]
    boxes = detect_faces(picture)
    if len(boxes) > 1:
        notes.append(f"several faces: took the largest of {len(boxes)}")
    guesses = [_square_matrix(tuple(found), 1.35) for found in boxes[:3]]
    if max(height, width) <= 1.6 * min(height, width):  # the cascade misses faces that fill the picture
        guesses += [whole, _square_matrix((0, 0, width, height), 1.4)]
    return guesses


def _square_matrix(box: tuple[float, ...], grow: float) -> np.ndarray:
    x0, y0, x1, y1 = box
    side = max(x1 - x0, y1 - y0, 1.0) * grow
    scale = _ALIGN_SIZE / side
    middle = np.array([(x0 + x1) / 2, (y0 + y1) / 2])
    return np.hstack([np.eye(2) * scale, (_ALIGN_SIZE / 2 - scale * middle)[:, None]])


def _from_guesses(picture: np.ndarray, guesses: list[np.ndarray], align: Aligner, rounds: int = 3) -> np.ndarray | None:
    """Let the aligner walk from each rough framing towards the upright face; None where it sees no face."""
    wanted = (_TEMPLATE - _TEMPLATE[:2].mean(0)) * (_ALIGN_SIZE / _ALIGN_VIEW / (EYES[1, 0] - EYES[0, 0]))
    wanted += np.array([_ALIGN_SIZE / 2, _ALIGN_SIZE * 0.40])
    for matrix in guesses:
        for _ in range(rounds):
            points, confidence = align(cut(picture, matrix, _ALIGN_SIZE)[None])
            step = similarity(points[0].astype(float), wanted)
            if not 0.2 < scale_of(step) < 5:
                break
            matrix = _chain(step, matrix)
        _, confidence = align(cut(picture, matrix, _ALIGN_SIZE)[None])
        if confidence[0] >= 0.5:
            return _chain(similarity(wanted, _TEMPLATE), matrix)
    return None


def _refine(
    picture: np.ndarray, matrix: np.ndarray, eyes_of: EyeFinder, rounds: int = 2
) -> tuple[np.ndarray, np.ndarray]:
    """Move the predicted eye centres onto their places; return the matrix and the final crop's landmarks."""
    for _ in range(rounds):
        eyes, _points = eyes_of(cut(picture, matrix)[None])
        matrix = _chain(similarity(eyes[0].astype(float), EYES), matrix)
    _, points = eyes_of(cut(picture, matrix)[None])
    return matrix, points[0]


def _chain(second: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Return the (2, 3) matrix that applies ``first``, then ``second``."""
    return np.hstack([second[:, :2] @ first[:, :2], (second[:, :2] @ first[:, 2] + second[:, 2])[:, None]])
