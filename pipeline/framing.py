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


def chain(second: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Return the transform (2, 3) that applies ``first``, then ``second``."""
    return np.hstack([second[:, :2] @ first[:, :2], (second[:, :2] @ first[:, 2] + second[:, 2])[:, None]])


def to_opencv(matrix: np.ndarray) -> np.ndarray:
    """Return ``matrix`` (2, 3) for OpenCV, which counts from the middle of the first pixel."""
    linear = matrix[:, :2]
    return np.hstack([linear, (matrix[:, 2] + linear @ np.array([0.5, 0.5]) - 0.5)[:, None]])
