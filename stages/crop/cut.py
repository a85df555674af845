"""Pictures cut to the framing of ``pipeline.face.framing`` for everything that a run ships.

Its rule against aliasing (0.6 of the shrinking's Gaussian) is not that of ``action_units.warp`` (0.45): the shipped
networks were trained with that one, the shipped pictures have always been cut with this one.
"""

import cv2
import numpy as np

from singanimation.pipeline.face.framing import CROP_SIZE, scale_of, to_opencv

COARSEST = 1 / 8
"""Below this scale a Gaussian over the picture would cost more than anything else: area means come first."""

SHRUNK_TO = 0.5
"""The scale that is left after the area means."""


def cut(picture: np.ndarray, matrix: np.ndarray, size: int = CROP_SIZE) -> np.ndarray:
    """Return the (size, size, 3) uint8 crop that ``matrix`` takes from ``picture``; outside, the edge repeats."""
    scale = scale_of(matrix)
    picture, matrix = _region(picture, matrix, size)
    if scale < COARSEST:
        longest = int(max(picture.shape[:2]) * scale / SHRUNK_TO)
        picture, shrink = shrunk(picture, max(longest, 1))
        matrix = np.hstack([matrix[:, :2] / np.array(shrink), matrix[:, 2:]])
        scale = SHRUNK_TO
    if scale < 1:
        picture = cv2.GaussianBlur(picture, (0, 0), smoothing(scale))
    flags = cv2.INTER_LINEAR if scale < 1 else cv2.INTER_CUBIC
    return cv2.warpAffine(picture, to_opencv(matrix), (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE)


def shrunk(picture: np.ndarray, longest: int) -> tuple[np.ndarray, tuple[float, float]]:
    """Return ``picture`` (H, W, ...) by area means with at most ``longest`` pixels a side, and the factors of x and y.

    Never less than a pixel a side; a picture that is small enough comes back as it is.
    """
    height, width = picture.shape[:2]
    factor = longest / max(height, width)
    if factor >= 1:
        return picture, (1.0, 1.0)
    size = (max(round(width * factor), 1), max(round(height * factor), 1))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA), (size[0] / width, size[1] / height)


def seen_part(shape: tuple[int, ...], matrix: np.ndarray, size: int = CROP_SIZE) -> np.ndarray | None:
    """Return which pixels bool (size, size) of a crop lie in a picture of ``shape`` (H, W, ...), None where all do."""
    height, width = shape[:2]
    inverse = cv2.invertAffineTransform(matrix)
    x, y = np.meshgrid(np.arange(size) + 0.5, np.arange(size) + 0.5)
    at_x, at_y = (row[0] * x + row[1] * y + row[2] for row in inverse)
    seen = (at_x >= 0) & (at_x <= width) & (at_y >= 0) & (at_y <= height)
    return None if seen.all() else seen


def smoothing(scale: float) -> float:
    """The Gaussian that keeps a shrinking by ``scale`` < 1 free of aliasing, in pixels of the larger picture."""
    return max(0.6 * float(np.sqrt(max(1 / scale**2 - 1, 0))), 0.05)


def _region(picture: np.ndarray, matrix: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Keep only the part of a large picture that the crop sees, so that its cost does not grow with the picture."""
    corners = np.array([[0, 0], [size, 0], [0, size], [size, size]], float)
    inverse = cv2.invertAffineTransform(matrix)
    seen = corners @ inverse[:, :2].T + inverse[:, 2]
    margin = 4 * smoothing(min(scale_of(matrix), 1)) + 4
    height, width = picture.shape[:2]
    x0, y0 = (max(int(v - margin), 0) for v in seen.min(0))
    x1, y1 = (int(v + margin) + 1 for v in seen.max(0))
    x0, y0 = min(x0, width - 1), min(y0, height - 1)
    part = picture[y0 : max(min(y1, height), y0 + 1), x0 : max(min(x1, width), x0 + 1)]
    moved = matrix.copy()
    moved[:, 2] += matrix[:, :2] @ np.array([x0, y0], float)
    return part, moved
