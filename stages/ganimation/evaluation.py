"""How well edits do what they are asked, and nothing else, as one or more AU networks judge them.

The editor is a callable, so that a generator and the geometry teacher are measured alike.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from singanimation.pipeline.expressions import AU_INDEX, AU_NAMES
from singanimation.stages.ganimation.face_regions import SHOWN_IN, FaceRegions, face_regions
from singanimation.stages.ganimation.geometry.regions import EYE_UNITS, MOUTH_UNITS

STRENGTHS = (0.0, 0.33, 0.66, 1.0)
LITTLE, MUCH = 0.35, 0.5
"""Faces with less of an AU than ``LITTLE`` are asked for more of it, those with more than ``MUCH`` for none."""

WANTED = {
    "AU01": 0.4, "AU02": 0.4, "AU04": 0.3, "AU05": 0.2, "AU07": 0.15, "AU10": 0.3, "AU12": 0.5, "AU15": 0.2,
    "AU17": 0.3, "AU20": 0.3, "AU23": 0.15, "AU25": 0.5, "AU26": 0.5, "AU45": 0.5,
}  # fmt: skip
"""The mean measured change that an edit to 1 should reach."""

SEEN = 6.0
"""Mean absolute difference (0..255) from which a unit that no label can judge is seen in its own region."""

CROSS_TALK = 2.0
"""Mean absolute difference (0..255) that AUs of the eyes may cause around the mouth, and the other way round."""

Judge = Callable[[np.ndarray], np.ndarray]
"""uint8 (N, 128, 128, 3) crops -> AUs float32 (N, 17), 0..1."""

Edit = Callable[[int, np.ndarray], np.ndarray]
"""A face's number and target AUs float32 (K, 17) -> its edits uint8 (K, 128, 128, 3)."""


@dataclass(frozen=True)
class EditedFaces:
    """N faces to edit.

    ``crops`` uint8 (N, 128, 128, 3); ``units`` float32 (N, 17), the AUs that targets start from; ``landmarks`` float32
    (N, 478, 2) in crop pixels.
    """

    crops: np.ndarray
    units: np.ndarray
    landmarks: np.ndarray


@dataclass(frozen=True)
class UnitFigures:
    """One AU asked for at strength 1, over ``faces`` faces that had little of it.

    ``asked``: the mean change; ``measured``: the same as each judge sees it; ``rising``: share of faces on which it
    rises over strengths 0, 0.33, 0.66, 1; ``others``: mean change of every other AU (first judge). Mean absolute
    differences, 0..255: ``eye_change``, ``mouth_change``, ``background_change``; ``shown``: in the AU's own region
    (``SHOWN_IN``), else None; ``still``: over the whole crop at strength 0. ``lowered``: mean change by judge, where
    ``lowered_on`` faces with much of the AU were asked for none.
    """

    unit: str
    faces: int
    asked: float
    measured: dict[str, float]
    rising: dict[str, float]
    others: dict[str, float]
    eye_change: float
    mouth_change: float
    background_change: float
    shown: float | None
    still: float
    lowered_on: int
    lowered: dict[str, float] = field(default_factory=dict)

    @property
    def cross_talk(self) -> float | None:
        """The change in the region that the AU has to leave alone (None for AU06 and AU09, which may reach both)."""
        if self.unit in EYE_UNITS:
            return self.mouth_change
        return self.eye_change if self.unit in MOUTH_UNITS else None


def evaluate_units(
    edit: Edit, judges: Mapping[str, Judge], faces: EditedFaces, names: Sequence[str] = AU_NAMES
) -> list[UnitFigures]:
    """Ask for each AU of ``names`` on the faces that have little of it, and for none on those with much of it."""
    regions = [face_regions(points) for points in faces.landmarks]
    before = {name: judge(faces.crops) for name, judge in judges.items()}
    figures = []
    for name in names:
        column = faces.units[:, AU_INDEX[name]]
        chosen = np.flatnonzero(column < LITTLE)
        if len(chosen):
            raised = _raised(name, edit, judges, faces, chosen, before, regions)
            lowered = _lowered(name, edit, judges, faces, np.flatnonzero(column > MUCH), before)
            figures.append(UnitFigures(unit=name, faces=len(chosen), **raised, **lowered))
    return figures


def _raised(
    name: str,
    edit: Edit,
    judges: Mapping[str, Judge],
    faces: EditedFaces,
    chosen: np.ndarray,
    before: Mapping[str, np.ndarray],
    regions: Sequence[FaceRegions],
) -> dict[str, object]:
    column = AU_INDEX[name]
    courses = []
    for index in chosen:
        targets = np.repeat(faces.units[index][None], len(STRENGTHS), 0)
        targets[:, column] += np.array(STRENGTHS, np.float32) * (1 - faces.units[index, column])
        courses.append(edit(int(index), targets))
    pictures = np.stack(courses)
    judged = {key: _by_face(judge, pictures) for key, judge in judges.items()}
    change = {key: units[:, -1] - before[key][chosen] for key, units in judged.items()}
    first = next(iter(change.values())).mean(0)
    difference = np.abs(pictures[:, -1].astype(np.float32) - faces.crops[chosen]).mean(3)
    still = np.abs(pictures[:, 0].astype(np.float32) - faces.crops[chosen]).mean()

    def within(region: str) -> float:
        masks = [getattr(regions[index], region) for index in chosen]
        return float(np.mean([one[mask].mean() for one, mask in zip(difference, masks, strict=True) if mask.any()]))

    return {
        "asked": float((1 - faces.units[chosen, column]).mean()),
        "measured": {key: float(units[:, column].mean()) for key, units in change.items()},
        "rising": {key: _rising(units[:, :, column]) for key, units in judged.items()},
        "others": {other: float(first[index]) for other, index in AU_INDEX.items() if other != name},
        "eye_change": within("eyes"),
        "mouth_change": within("mouth"),
        "background_change": within("background"),
        "shown": within(SHOWN_IN[name]) if name in SHOWN_IN else None,
        "still": float(still),
    }


def _lowered(
    name: str,
    edit: Edit,
    judges: Mapping[str, Judge],
    faces: EditedFaces,
    chosen: np.ndarray,
    before: Mapping[str, np.ndarray],
) -> dict[str, object]:
    if not len(chosen):
        return {"lowered_on": 0}
    column = AU_INDEX[name]
    targets = faces.units[chosen].copy()
    targets[:, column] = 0
    pictures = np.concatenate([edit(int(index), target[None]) for index, target in zip(chosen, targets, strict=True)])
    lowered = {key: float((judge(pictures) - before[key][chosen])[:, column].mean()) for key, judge in judges.items()}
    return {"lowered_on": len(chosen), "lowered": lowered}


def _by_face(judge: Judge, pictures: np.ndarray) -> np.ndarray:
    """Judge (N, K, 128, 128, 3): AUs (N, K, 17)."""
    return judge(pictures.reshape(-1, *pictures.shape[2:])).reshape(*pictures.shape[:2], -1)


def _rising(course: np.ndarray) -> float:
    """Share of the rows of (N, K) that rise at every step."""
    return float((np.diff(course, axis=1) > 0).all(1).mean())
