"""Which of the 478 MediaPipe face-mesh landmarks are what, and what is read from them alone.

Coordinates are continuous, as MediaPipe's are: the middle of a picture's first pixel is 0.5. Groups of the eyes are
given for the eye at the left of the picture, from its outer to its inner corner; ``MIRROR`` names their partners at the
right. Groups of the mouth run from left to right.
"""

import numpy as np

POINTS = 478
IRIS_LEFT, IRIS_RIGHT = 468, 473
IRISES = tuple(range(468, 478))
CHIN, UPPER_LIP_TOP, NOSE_BASE, NOSE_TIP = 152, 0, 2, 4

BROW_BELOW = (46, 53, 52, 65, 55)
BROW = (70, 63, 105, 66, 107, *BROW_BELOW)

EYE_CORNERS = (33, 133)
UPPER_LID = (246, 161, 160, 159, 158, 157, 173)
LOWER_LID = (7, 163, 144, 145, 153, 154, 155)
UPPER_LID_SKIN = (247, 30, 29, 27, 28, 56, 190)
LOWER_LID_SKIN = (25, 110, 24, 23, 22, 26, 112)
UPPER_SOCKET = (113, 225, 224, 223, 222, 221, 189)
LOWER_SOCKET = (31, 228, 229, 230, 231, 232, 233)
LID_RINGS = {
    "upper_lid": UPPER_LID,
    "lower_lid": LOWER_LID,
    "upper_skin": UPPER_LID_SKIN,
    "lower_skin": LOWER_LID_SKIN,
    "upper_socket": UPPER_SOCKET,
    "lower_socket": LOWER_SOCKET,
}

MOUTH_CORNERS = (61, 291)
INNER_CORNERS = (78, 308)
# from the lips' outer edge to their inner line, nine points each
UPPER_LIP = (
    (185, 40, 39, 37, 0, 267, 269, 270, 409),
    (184, 74, 73, 72, 11, 302, 303, 304, 408),
    (183, 42, 41, 38, 12, 268, 271, 272, 407),
    (191, 80, 81, 82, 13, 312, 311, 310, 415),
)
LOWER_LIP = (
    (146, 91, 181, 84, 17, 314, 405, 321, 375),
    (77, 90, 180, 85, 16, 315, 404, 320, 307),
    (96, 89, 179, 86, 15, 316, 403, 319, 325),
    (95, 88, 178, 87, 14, 317, 402, 318, 324),
)
INNER_UPPER = (78, *UPPER_LIP[3], 308)
INNER_LOWER = (78, *LOWER_LIP[3], 308)
ALL_UPPER_LIP = tuple(index for ring in UPPER_LIP for index in ring)
ALL_LOWER_LIP = tuple(index for ring in LOWER_LIP for index in ring)
LIPS = ALL_UPPER_LIP + ALL_LOWER_LIP + MOUTH_CORNERS + INNER_CORNERS

CHEEKS = (50, 280, 101, 330)
"""Points on bare skin, both sides: where the skin's colour is read."""

OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
"""The outline of the face, clockwise from the top of the forehead."""

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

_MIDLINE = (
    0, 1, 2, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 94, 151, 152, 164, 168, 175, 195, 197, 199, 200,
)  # fmt: skip
_FIRST_AT_RIGHT = 248
_IRIS_PARTNERS = (473, 476, 475, 474, 477, 468, 471, 470, 469, 472)


def _mirror() -> np.ndarray:
    """The mesh counts its points of one side, then those of the other in the same order; irises come last."""
    left = [index for index in range(_FIRST_AT_RIGHT) if index not in _MIDLINE]
    right = range(_FIRST_AT_RIGHT, IRIS_LEFT)
    partner = np.arange(POINTS)
    partner[left], partner[right], partner[list(IRISES)] = right, left, _IRIS_PARTNERS
    partner.setflags(write=False)
    return partner


MIRROR = _mirror()
"""Each landmark's mirror image: int64 (478,), its own inverse. In a mirrored picture, partners change places."""

_CORNERS_OF_EYES = (EYE_CORNERS, (362, 263))

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
    left, right = (landmarks[..., list(corners), :].mean(-2) for corners in _CORNERS_OF_EYES)
    across = right - left
    down = np.stack([-across[..., 1], across[..., 0]], -1)
    return np.stack([left - _OUTWARDS * across + _DOWN * down, right + _OUTWARDS * across + _DOWN * down], -2)


def five_points(landmarks: np.ndarray) -> np.ndarray:
    """Return eye centres, nose tip and mouth corners (..., 5, 2) from landmarks (..., 478, 2)."""
    rest = landmarks[..., [NOSE_TIP, *MOUTH_CORNERS], :]
    return np.concatenate([eye_centres(landmarks), rest], -2)


def eyes_first(points: np.ndarray) -> np.ndarray:
    """Return points (K, 2) of a known scheme with the eye centres before them, the eye at the picture's left first.

    Known are MediaPipe's 468 and 478 points and the 68 of iBUG (eyes 36..41 and 42..47); of any other number the first
    two are taken for the eye centres.
    """
    if len(points) in (468, 478):
        return np.concatenate([eye_centres(points), points])
    if len(points) == 68:
        return np.concatenate([points[36:42].mean(0)[None], points[42:48].mean(0)[None], points])
    return points
