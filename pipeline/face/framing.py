"""The one framing that every crop has, and the arithmetic of transforms (2, 3) between pictures and crops.

Coordinates are continuous: a picture of S pixels spans 0..S, and the middle of its first pixel is 0.5.
"""

import numpy as np

CROP_SIZE = 128

MARGIN = 16
"""Pixels around a crop that a training's jitter may move into it."""

CROP_WITH_MARGIN = CROP_SIZE + 2 * MARGIN

EYES = np.array([[42.2, 45.1], [85.8, 45.1]])
"""Where the eye centres of every crop lie, in its pixels (x, y): the eye at the picture's left first."""

INTEROCULAR = float(np.float32(EYES[1, 0]) - np.float32(EYES[0, 0]))
"""Pixels between the eyes of a crop, in single precision: the shipped networks were trained with just this number."""


def chain(second: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Return the transform (2, 3) that applies ``first``, then ``second``."""
    return np.hstack([second[:, :2] @ first[:, :2], (second[:, :2] @ first[:, 2] + second[:, 2])[:, None]])


def to_opencv(matrix: np.ndarray) -> np.ndarray:
    """Return ``matrix`` (2, 3) for OpenCV, which counts from the middle of the first pixel."""
    linear = matrix[:, :2]
    return np.hstack([linear, (matrix[:, 2] + linear @ np.array([0.5, 0.5]) - 0.5)[:, None]])


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


def to_canonical(eyes: np.ndarray, size: int = CROP_SIZE) -> np.ndarray:
    """Return the similarity (2, 3) that takes eye centres (2, 2) of a picture to their places in a crop.

    ``size`` is the crop's edge in pixels; the places scale with it. Raises ValueError when both eyes are one point,
    which no similarity can place.
    """
    if float(np.square(eyes[1].astype(np.float64) - eyes[0]).sum()) < 1e-9:
        raise ValueError("the eye centres are one point: no similarity takes them to their places in a crop")
    return similarity(eyes.astype(np.float64), EYES * (size / CROP_SIZE))


def apply(transform: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Move points (..., 2) by an affine transform (2, 3)."""
    return (points @ transform[:, :2].T + transform[:, 2]).astype(points.dtype)
