"""Find the face in a picture.

A data set's own landmarks or box come first, then the whole picture where it is itself a face crop, then a
detector; from a rough framing an aligner walks to the upright face, and the eye centres settle it.
"""

from collections.abc import Callable

import cv2
import numpy as np

from singanimation.pipeline.errors import PictureError
from singanimation.pipeline.face.framing import CROP_SIZE, EYES, chain, scale_of, similarity
from singanimation.pipeline.files.untrusted import shown
from singanimation.pipeline.records import Crop
from singanimation.stages.crop.cut import cut, seen_part, shrunk
from singanimation.stages.crop.detectors import HAAR, FaceDetector
from singanimation.stages.crop.known import Box, usable_box, usable_eyes

SMALLEST_FACE = 48.0
"""Faces whose crop covers fewer pixels of the picture than this on a side are refused."""

SMALL_FACE = 96.0
"""Faces below this side are taken, and said to be small."""

LONGEST_SEARCHED = 2048
"""Pixels: larger pictures are searched in a copy of this longest side; the crop itself is cut from the picture."""

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
# How sure the aligner must have been on its way where it is not at its end.
_SURE = 0.6
# How many times the picture's longest side a crop may show.
_MOST_AROUND = 6.0


def find_face(
    picture: np.ndarray,
    *,
    box: Box | None = None,
    landmarks: np.ndarray | None = None,
    is_face_crop: bool = False,
    align: Aligner,
    eyes_of: EyeFinder,
    detector: FaceDetector = HAAR,
) -> Crop:
    """Cut the (largest) face out of ``picture`` (H, W, 3) uint8 RGB.

    ``box`` (x0, y0, x1, y1) and ``landmarks`` (K >= 2, 2) are what the data set knows, in pixels of the picture: 68,
    468 and 478 points by their schemes, of other numbers the first two are the eye centres. ``detector`` looks where
    the data set knows nothing, or what cannot be (one point, a box outside the picture). The work is bounded by the
    crop: large pictures are searched in a smaller copy. Raises PictureError ``no_face`` or ``too_small``.
    """
    notes: list[str] = []
    shape = picture.shape[:2]
    eyes = usable_eyes(landmarks, shape, notes)
    known = usable_box(box, shape, notes)
    try:
        matrix = (
            similarity(eyes, EYES)
            if eyes is not None
            else _search(picture, known, is_face_crop, detector, align, notes)
        )
        if matrix is None:
            raise PictureError("no_face", "No face was found in this picture; a face box or landmarks would help.")
        matrix, points = _refine(picture, matrix, eyes_of)
    except (cv2.error, ArithmeticError) as error:
        raise PictureError("no_face", f"The face could not be framed ({shown(error)}).") from error
    side = CROP_SIZE / scale_of(matrix)
    if side < SMALLEST_FACE:
        raise PictureError("too_small", f"The face is {side:.0f} px wide; at least {SMALLEST_FACE:.0f} px are needed.")
    if side < SMALL_FACE:
        notes.append(f"small face: {side:.0f} px")
    seen = seen_part(picture.shape, matrix)
    return Crop(cut(picture, matrix), matrix, points.astype(np.float32), float(side), tuple(notes), seen)


def _search(
    picture: np.ndarray,
    box: Box | None,
    is_face_crop: bool,
    detector: FaceDetector,
    align: Aligner,
    notes: list[str],
) -> np.ndarray | None:
    """Look for the face in a copy whose longest side is at most LONGEST_SEARCHED; return the picture's own matrix."""
    small, shrink = shrunk(picture, LONGEST_SEARCHED)
    if box is not None:
        box = (box[0] * shrink[0], box[1] * shrink[1], box[2] * shrink[0], box[3] * shrink[1])
    matrix = _from_guesses(small, _guesses(small, box, is_face_crop, detector, notes), align)
    if matrix is None or small is picture:
        return matrix
    # one factor for both axes: what rounding to whole pixels took from the shorter one, the refinement mends
    return chain(matrix, np.array([[max(shrink), 0, 0], [0, max(shrink), 0]], float))


def _guesses(
    picture: np.ndarray,
    box: Box | None,
    is_face_crop: bool,
    detector: FaceDetector,
    notes: list[str],
) -> list[np.ndarray]:
    """Rough framings to try in turn: (2, 3) matrices onto the aligner's square."""
    height, width = picture.shape[:2]
    whole = _square_matrix((0, 0, width, height), 1.0)
    if box is not None:
        return [_square_matrix(box, grow) for grow in (1.25, 1.0, 1.5)]
    if is_face_crop:
        return [whole, _square_matrix((0, 0, width, height), 1.3)]
    boxes = detector.boxes(picture)
    if len(boxes) > 1:
        notes.append(f"several faces: took the largest of {len(boxes)}")
    guesses = [_square_matrix(tuple(found), detector.grow) for found in boxes[:3]]
    if max(height, width) <= 1.6 * min(height, width):  # detectors miss faces that fill the picture
        guesses += [whole, _square_matrix((0, 0, width, height), 1.4)]
    return guesses


def _square_matrix(box: tuple[float, ...], grow: float) -> np.ndarray:
    x0, y0, x1, y1 = box
    side = max(x1 - x0, y1 - y0, 1.0) * grow
    scale = _ALIGN_SIZE / side
    middle = np.array([(x0 + x1) / 2, (y0 + y1) / 2])
    return np.hstack([np.eye(2) * scale, (_ALIGN_SIZE / 2 - scale * middle)[:, None]])


def _from_guesses(picture: np.ndarray, guesses: list[np.ndarray], align: Aligner, rounds: int = 3) -> np.ndarray | None:
    """Let the aligner walk from each rough framing towards the upright face; None where it sees no face.

    It sees one where its last look is above the threshold, or one on the way was surely so: then that is its framing.
    """
    wanted = (_TEMPLATE - _TEMPLATE[:2].mean(0)) * (_ALIGN_SIZE / _ALIGN_VIEW / (EYES[1, 0] - EYES[0, 0]))
    wanted += np.array([_ALIGN_SIZE / 2, _ALIGN_SIZE * 0.40])
    for matrix in guesses:
        surest, on_the_way = 0.0, None
        for _ in range(rounds):
            points, confidence = align(cut(picture, matrix, _ALIGN_SIZE)[None])
            step = similarity(points[0].astype(float), wanted)
            if not 0.2 < scale_of(step) < 5:
                break
            matrix = chain(step, matrix)
            if confidence[0] > surest:
                surest, on_the_way = float(confidence[0]), matrix
        _, confidence = align(cut(picture, matrix, _ALIGN_SIZE)[None])
        if confidence[0] >= 0.5:
            return chain(similarity(wanted, _TEMPLATE), matrix)
        # a face that the aligner has walked away from: deep frowns end below the threshold more often than they begin
        if on_the_way is not None and surest >= _SURE:
            return chain(similarity(wanted, _TEMPLATE), on_the_way)
    return None


def _refine(
    picture: np.ndarray, matrix: np.ndarray, eyes_of: EyeFinder, rounds: int = 2
) -> tuple[np.ndarray, np.ndarray]:
    """Move the predicted eye centres onto their places; return the matrix and the final crop's landmarks."""
    for _ in range(rounds):
        eyes, _points = eyes_of(cut(picture, _seen(picture, matrix))[None])
        matrix = chain(similarity(eyes[0].astype(float), EYES), matrix)
    _, points = eyes_of(cut(picture, _seen(picture, matrix))[None])
    return matrix, points[0]


def _seen(picture: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Return ``matrix``. Raises PictureError where it shows next to nothing of the picture, whatever led to it."""
    scale = scale_of(matrix)
    longest = max(picture.shape[:2])
    middle = (np.full(2, CROP_SIZE / 2) - matrix[:, 2]) @ matrix[:, :2] / max(scale, 1e-12) ** 2
    far = not np.isfinite(matrix).all() or scale * longest < CROP_SIZE / _MOST_AROUND
    if far or (middle < -longest).any() or (middle > 2 * longest).any():
        raise PictureError("no_face", "The face found lies outside the picture, or is far larger than it.")
    return matrix
