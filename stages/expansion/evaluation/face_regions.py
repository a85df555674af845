"""Where on a face an edit may, must and must not change pixels: boolean masks from its landmarks."""

from typing import NamedTuple

import cv2
import numpy as np

from singanimation.pipeline.face import mesh
from singanimation.pipeline.face.framing import CROP_SIZE

GROWTH = 0.25
"""How far the eye and the mouth region reach beyond their landmarks' hull, in interocular distances."""

# on one side of the face
_CHEEK = (116, 117, 118, 101, 36, 205, 187, 123)
_NOSE_ROOT = (55, 193, 188, 196, 197, 168, 8)
_CORNER = (61, 78)
_CORNER_GROWTH = 0.20


class FaceRegions(NamedTuple):
    """Masks of one crop, bool (128, 128) each.

    ``eyes``: brows to lower lids, and ``mouth``: the lips, both grown by a quarter of the interocular distance;
    ``background``: outside the face's oval, so grown; ``cheeks``, ``nose_root`` and ``corners`` (of the mouth): where
    AU06, AU09 and AU14 show.
    """

    eyes: np.ndarray
    mouth: np.ndarray
    background: np.ndarray
    cheeks: np.ndarray
    nose_root: np.ndarray
    corners: np.ndarray


SHOWN_IN = {"AU06": "cheeks", "AU09": "nose_root", "AU14": "corners"}
"""The region in which a unit that no label can judge has to be seen."""


def face_regions(points: np.ndarray) -> FaceRegions:
    """Return the regions of a face from its landmarks (478, 2) in pixels of the crop."""
    unit = float(np.linalg.norm(points[mesh.IRIS_RIGHT] - points[mesh.IRIS_LEFT]))
    grown = GROWTH * unit
    eyes = _both_sides(points, (*mesh.BROW, *mesh.LOWER_LID, *mesh.EYE_CORNERS))
    left, right = points[list(_CHEEK)], points[_partners(_CHEEK)]
    corners = [_hull(points[list(group)], _CORNER_GROWTH * unit) for group in (_CORNER, _partners(_CORNER))]
    return FaceRegions(
        eyes=_hull(eyes, grown),
        mouth=_hull(points[list(mesh.LIPS)], grown),
        background=~_hull(points[list(mesh.OVAL)], grown),
        cheeks=_hull(left, 0) | _hull(right, 0),
        nose_root=_hull(_both_sides(points, _NOSE_ROOT), 0),
        corners=corners[0] | corners[1],
    )


def _both_sides(points: np.ndarray, indices: tuple[int, ...]) -> np.ndarray:
    return np.concatenate([points[list(indices)], points[_partners(indices)]])


def _partners(indices: tuple[int, ...]) -> list[int]:
    return mesh.MIRROR[list(indices)].tolist()


def _hull(points: np.ndarray, grow: float) -> np.ndarray:
    mask = np.zeros((CROP_SIZE, CROP_SIZE), np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.rint(points).astype(np.int32)), 1)
    size = 2 * int(round(grow)) + 1
    return cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))).astype(bool)
