"""How well a generator does what it is asked, and nothing else, measured by an AU estimator it was not trained with."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from singanimation.pipeline.expressions import AU_INDEX, AU_NAMES
from singanimation.stages.ganimation.edit import ExpressionEditor
from singanimation.stages.ganimation.geometry import landmarks as mesh

EYE_UNITS = ("AU01", "AU02", "AU04", "AU05", "AU07", "AU45")
MOUTH_UNITS = ("AU10", "AU12", "AU14", "AU15", "AU17", "AU20", "AU23", "AU25", "AU26")
STRENGTHS = (0.0, 0.33, 0.66, 1.0)
LITTLE = 0.35
"""Faces with less of an AU than this can be asked for more of it."""

REGION_GROWTH = 0.25
"""How far the eye and the mouth region reach beyond their landmarks' hull, in interocular distances."""

Judge = Callable[[np.ndarray], np.ndarray]
"""uint8 (N, 128, 128, 3) crops -> AUs float32 (N, 17), 0..1."""


@dataclass(frozen=True)
class UnitFigures:
    """One AU asked for at strength 1, over ``faces`` faces that had little of it.

    ``asked`` and ``measured``: mean change of the AU; ``rising``: share of faces on which the measured AU rises
    over strengths 0, 0.33, 0.66, 1; ``others``: mean change of every other AU; ``eye_change`` and
    ``mouth_change``: mean absolute difference (0..255) in the eye and the mouth region; ``background_change``: the
    same outside the face's oval.
    """

    unit: str
    faces: int
    asked: float
    measured: float
    rising: float
    others: dict[str, float]
    eye_change: float
    mouth_change: float
    background_change: float


def evaluate_units(
    editor: ExpressionEditor,
    judge: Judge,
    crops: np.ndarray,
    units: np.ndarray,
    landmarks: np.ndarray,
    names: Sequence[str] = AU_NAMES,
) -> list[UnitFigures]:
    """Ask for each AU on the faces that have little of it.

    ``crops`` uint8 (N, 128, 128, 3); ``units`` float32 (N, 17), as the editor's estimator reads them;
    ``landmarks`` float32 (N, 478, 2), crop pixels.
    """
    regions = [_regions(points) for points in landmarks]
    before = judge(crops)
    figures = []
    for name in names:
        chosen = np.flatnonzero(units[:, AU_INDEX[name]] < LITTLE)
        if len(chosen):
            figures.append(_one_unit(name, editor, judge, crops[chosen], units[chosen], before[chosen],
                                     [regions[index] for index in chosen]))  # fmt: skip
    return figures


def _one_unit(
    name: str,
    editor: ExpressionEditor,
    judge: Judge,
    crops: np.ndarray,
    units: np.ndarray,
    before: np.ndarray,
    regions: list[tuple[np.ndarray, np.ndarray, np.ndarray]],
) -> UnitFigures:
    column = AU_INDEX[name]
    full, courses = [], []
    for crop, source in zip(crops, units, strict=True):
        targets = np.repeat(source[None], len(STRENGTHS), 0)
        targets[:, column] += np.array(STRENGTHS, np.float32) * (1 - source[column])
        pictures = editor.edit(crop, source, targets).pictures
        full.append(pictures[-1])
        courses.append(pictures)
    edited = np.stack(full)
    change = judge(edited) - before
    course = judge(np.concatenate(courses)).reshape(len(crops), len(STRENGTHS), -1)[:, :, column]
    difference = np.abs(edited.astype(np.float32) - crops).mean(3)
    eye, mouth, background = (
        float(np.mean([d[region[index]].mean() for d, region in zip(difference, regions, strict=True)]))
        for index in range(3)
    )
    return UnitFigures(
        unit=name,
        faces=len(crops),
        asked=float((1 - units[:, column]).mean()),
        measured=float(change[:, column].mean()),
        rising=float((np.diff(course, axis=1) > 0).all(1).mean()),
        others={other: float(change[:, index].mean()) for other, index in AU_INDEX.items() if other != name},
        eye_change=eye,
        mouth_change=mouth,
        background_change=background,
    )


def _regions(points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the eye region, the mouth region and the background of a face, bool (128, 128) each."""
    unit = float(np.linalg.norm(points[mesh.IRIS_RIGHT] - points[mesh.IRIS_LEFT]))
    lids_and_brows = [*mesh.BROW, *mesh.LOWER_LID, *mesh.EYE_CORNERS]
    left = points[lids_and_brows]
    middle = points[[mesh.IRIS_LEFT, mesh.IRIS_RIGHT]].mean(0)
    right = points[_mirrored(points, lids_and_brows, middle)]
    eye = _hull(np.concatenate([left, right]), REGION_GROWTH * unit)
    mouth = _hull(points[list(mesh.LIPS)], REGION_GROWTH * unit)
    return eye, mouth, ~_hull(points[list(mesh.OVAL)], REGION_GROWTH * unit)


def _mirrored(points: np.ndarray, indices: list[int], middle: np.ndarray) -> list[int]:
    """Find each point's partner across the line between the eyes' middle and the chin."""
    flipped = points[indices] * [-1, 1] + [2 * middle[0], 0]
    distances = np.linalg.norm(flipped[:, None] - points[None, :468], axis=2)
    return distances.argmin(1).tolist()


def _hull(points: np.ndarray, grow: float) -> np.ndarray:
    mask = np.zeros((128, 128), np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.rint(points).astype(np.int32)), 1)
    size = 2 * int(round(grow)) + 1
    return cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))).astype(bool)
