"""The one framing of every crop, and the landmarks that define it.

Coordinates are continuous: a picture of S pixels spans 0..S, and the middle of its first pixel is 0.5 (as
MediaPipe's landmarks are). OpenCV counts from the middle of the first pixel; ``warp`` converts.
"""

import cv2
import numpy as np

from singanimation.pipeline.framing import CROP_SIZE, EYES, to_opencv

CANONICAL_EYES = EYES.astype(np.float32)
"""Where the eye centres of every crop lie, in its pixels: the eye at the picture's left first."""

LANDMARK_COUNT = 478
INTEROCULAR = float(CANONICAL_EYES[1, 0] - CANONICAL_EYES[0, 0])

# MediaPipe indices of the points that the 68-point scheme of iBUG 300-W names: jaw 17, brows 10, nose 9,
# eyes 12, outer lips 12, inner lips 8.
USUAL_68 = (
    162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389,
    71, 63, 105, 66, 107, 336, 296, 334, 293, 301,
    168, 197, 5, 4, 75, 97, 2, 326, 305,
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181,
    78, 82, 13, 312, 308, 317, 14, 87,
)  # fmt: skip
NOSE_TIP = 4
MOUTH_CORNERS = (61, 291)
_EYE_CORNERS = ((33, 133), (362, 263))

# Of the definitions tried on faces.parquet, the mean of an eye's corners varies least about its place (1.8
# of 256 px, against 2.4 for the iris, which follows the gaze). Its mean is not quite the documented place;
# this constant step, as shares of the vector between the eyes (outwards, down), makes it so.
_OUTWARDS, _DOWN = 0.0444, 0.0247


def eye_centres(landmarks: np.ndarray) -> np.ndarray:
    """Return the eye centres (..., 2, 2), the eye at the picture's left first, from landmarks (..., 478, 2).

    An eye centre is the mean of the eye's two corners, moved outwards by 4.4% and down by 2.5% of the
    distance between the eyes: so defined, faces of faces.parquet have theirs on average exactly at the
    documented (98, 108) and (158, 108) of 256 pixels. Unlike the iris it does not follow the gaze.
    """
    left, right = (landmarks[..., list(corners), :].mean(-2) for corners in _EYE_CORNERS)
    across = right - left
    down = np.stack([-across[..., 1], across[..., 0]], -1)
    return np.stack([left - _OUTWARDS * across + _DOWN * down, right + _OUTWARDS * across + _DOWN * down], -2)


def five_points(landmarks: np.ndarray) -> np.ndarray:
    """Return eye centres, nose tip and mouth corners (..., 5, 2) from landmarks (..., 478, 2)."""
    rest = landmarks[..., [NOSE_TIP, *MOUTH_CORNERS], :]
    return np.concatenate([eye_centres(landmarks), rest], -2)


def canonical_transform(eyes: np.ndarray, size: int = CROP_SIZE) -> np.ndarray:
    """Return the similarity (2, 3) that takes eye centres (2, 2) of a picture to their canonical places.

    ``size`` is the crop's edge in pixels; the canonical places scale with it. Raises ValueError when both
    eyes are one point, which no similarity can place.
    """
    source = eyes[1].astype(np.float64) - eyes[0]
    squared = float(source @ source)
    if squared < 1e-9:
        raise ValueError("the eye centres are one point: no similarity takes them to their canonical places")
    target = CANONICAL_EYES.astype(np.float64) * (size / CROP_SIZE)
    across = target[1] - target[0]
    cosine = float(source @ across) / squared
    sine = float(source[0] * across[1] - source[1] * across[0]) / squared
    linear = np.array([[cosine, -sine], [sine, cosine]])
    return np.concatenate([linear, (target[0] - linear @ eyes[0])[:, None]], 1)


def apply(transform: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Move points (..., 2) by an affine transform (2, 3)."""
    return (points @ transform[:, :2].T + transform[:, 2]).astype(points.dtype)


def warp(picture: np.ndarray, transform: np.ndarray, size: int, border: int = cv2.BORDER_REPLICATE) -> np.ndarray:
    """Return the picture (H, W, 3) warped by a transform (2, 3) into (size, size, 3), bilinear.

    The transform is in continuous coordinates. A picture that shrinks is softened first, so that no pattern
    appears that was not there.
    """
    scale = float(np.sqrt(abs(np.linalg.det(transform[:, :2]))))
    if scale < 0.95:
        picture = cv2.GaussianBlur(picture, (0, 0), 0.45 * np.sqrt(1 / scale**2 - 1) + 0.05)
    return cv2.warpAffine(picture, to_opencv(transform), (size, size), flags=cv2.INTER_LINEAR, borderMode=border)


def mirror_permutation(mean_shape: np.ndarray) -> np.ndarray:
    """Return which landmark takes which one's place in a mirrored picture: int64 (478,), its own inverse.

    Derived from a mean shape (478, 2) that faces the camera: each point's partner is the nearest one to its
    reflection in the line between the eyes, the whole assignment at least cost.
    """
    from scipy.optimize import linear_sum_assignment

    eyes = eye_centres(mean_shape)
    upright = apply(canonical_transform(eyes), mean_shape.astype(np.float64))
    mirrored = upright * [-1, 1] + [2 * CANONICAL_EYES[:, 0].mean(), 0]
    cost = np.square(upright[:, None] - mirrored[None]).sum(-1)
    return linear_sum_assignment(cost + cost.T)[1].astype(np.int64)
