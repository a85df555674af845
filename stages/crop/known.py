"""What a data set says of a face, taken only where it can be: landmarks and boxes come in all states."""

import numpy as np

from singanimation.pipeline.face.mesh import eyes_first

LEAST_EYES = 2.0
"""Pixels between the eyes below which landmarks are taken for no face's."""

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in pixels of the picture."""


def usable_eyes(landmarks: np.ndarray | None, shape: tuple[int, int], notes: list[str]) -> np.ndarray | None:
    """Return the eye centres (2, 2) that landmarks give, the picture's left one first; None where they cannot be.

    Points that are one, no numbers, or far outside the picture (of another picture, or in other units) are ignored.
    """
    if landmarks is None or len(landmarks) < 2:
        return None
    points = eyes_first(np.asarray(landmarks, float))
    eyes = points[:2]
    apart = float(np.hypot(*(eyes[1] - eyes[0]))) if np.isfinite(eyes).all() else 0.0
    height, width = shape
    room = 0.5 * np.array([width, height], float)
    inside = bool((eyes >= -room).all() and (eyes <= np.array([width, height]) + room).all())
    if apart < LEAST_EYES or not inside:
        notes.append("the landmarks cannot be a face's and were ignored")
        return None
    others = points[2:][np.isfinite(points[2:]).all(1)]
    if len(others) and float(np.ptp(others, 0).max()) > LEAST_EYES:
        below = others.mean(0) - eyes.mean(0)
        along = eyes[1] - eyes[0]
        swapped = along[0] * below[1] - along[1] * below[0] < 0  # the mouth would lie above the eyes
    else:
        swapped = eyes[0, 0] > eyes[1, 0]
    return eyes[::-1] if swapped else eyes


def usable_box(box: Box | None, shape: tuple[int, int], notes: list[str]) -> Box | None:
    """Return a box, None for one that cannot be a face's: outside the picture, or reaching far beyond it."""
    if box is None:
        return None
    height, width = shape
    x0, y0, x1, y1 = box
    outside = not np.isfinite(box).all() or min(x1, width) <= max(x0, 0) or min(y1, height) <= max(y0, 0)
    if outside or min(x0 / width, y0 / height) < -0.5 or max(x1 / width, y1 / height) > 1.5:
        notes.append("the face box lies outside the picture and was ignored")
        return None
    return box
