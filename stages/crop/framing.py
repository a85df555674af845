"""The one framing of all crops, and how pictures are cut to it.

128 x 128 pixels, eye centres at (42.2, 45.1) and (85.8, 45.1), by a similarity (rotation, scale, shift).
Coordinates are continuous: the middle of the first pixel is at 0.5.
"""

import cv2
import numpy as np

from singanimation.pipeline.framing import CROP_SIZE, to_opencv


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
        picture = cv2.GaussianBlur(picture, (0, 0), smoothing(scale))
    flags = cv2.INTER_LINEAR if scale < 1 else cv2.INTER_CUBIC
    return cv2.warpAffine(picture, to_opencv(matrix), (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE)


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
