"""How well edits do what they are asked, and nothing else, as one or more AU networks judge them.

The editor is a callable, so that a generator and the geometry teacher are measured alike.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypedDict

import numpy as np

from singanimation.pipeline.expressions import AU_INDEX, AU_NAMES
from singanimation.stages.expansion.evaluation.face_regions import SHOWN_IN, face_regions
from singanimation.stages.expansion.geometry.movement.regions import EYE_UNITS, MOUTH_UNITS

STRENGTHS = (0.0, 0.33, 0.66, 1.0)
LITTLE, MUCH = 0.35, 0.5
"""Faces with less of an AU than ``LITTLE`` are asked for more of it, those with more than ``MUCH`` for none."""

WANTED = {
    "AU01": 0.4,
    "AU02": 0.4,
    "AU04": 0.3,
    "AU05": 0.2,
    "AU07": 0.15,
    "AU10": 0.3,
    "AU12": 0.5,
    "AU15": 0.2,
    "AU17": 0.3,
    "AU20": 0.3,
    "AU23": 0.15,
    "AU25": 0.5,
    "AU26": 0.5,
    "AU45": 0.5,
}
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
    asking = _Asking(edit, judges, faces)
    figures = []
    for name in names:
        column = faces.units[:, AU_INDEX[name]]
        chosen = np.flatnonzero(column < LITTLE)
        if len(chosen):
            raised, lowered = asking.more(name, chosen), asking.none(name, np.flatnonzero(column > MUCH))
            figures.append(UnitFigures(unit=name, faces=len(chosen), **raised, **lowered))
    return figures


class _Raised(TypedDict):
    """The fields of ``UnitFigures`` that faces asked for more of the AU give."""

    asked: float
    measured: dict[str, float]
    rising: dict[str, float]
    others: dict[str, float]
    eye_change: float
    mouth_change: float
    background_change: float
    shown: float | None
    still: float


class _Lowered(TypedDict):
    """Those that faces asked for none of it give."""

    lowered_on: int
    lowered: dict[str, float]


class _Asking:
    """Asks an editor for one AU at a time, and has the judges say what changed."""

    def __init__(self, edit: Edit, judges: Mapping[str, Judge], faces: EditedFaces) -> None:
        self._edit, self._judges, self._faces = edit, judges, faces
        self._regions = [face_regions(points) for points in faces.landmarks]
        self._before = {name: judge(faces.crops) for name, judge in judges.items()}

    def more(self, name: str, chosen: np.ndarray) -> _Raised:
        """Raise the AU to 1 over ``STRENGTHS`` on the ``chosen`` faces; return the fields of ``UnitFigures``."""
        column, faces = AU_INDEX[name], self._faces
        pictures = np.stack([self._course(int(index), column) for index in chosen])
        judged = {key: _by_face(judge, pictures) for key, judge in self._judges.items()}
        change = {key: units[:, -1] - self._before[key][chosen] for key, units in judged.items()}
        first = next(iter(change.values())).mean(0)
        difference = np.abs(pictures[:, -1].astype(np.float32) - faces.crops[chosen]).mean(3)
        return {
            "asked": float((1 - faces.units[chosen, column]).mean()),
            "measured": {key: float(units[:, column].mean()) for key, units in change.items()},
            "rising": {key: _rising(units[:, :, column]) for key, units in judged.items()},
            "others": {other: float(first[index]) for other, index in AU_INDEX.items() if other != name},
            "eye_change": self._within("eyes", chosen, difference),
            "mouth_change": self._within("mouth", chosen, difference),
            "background_change": self._within("background", chosen, difference),
            "shown": self._within(SHOWN_IN[name], chosen, difference) if name in SHOWN_IN else None,
            "still": float(np.abs(pictures[:, 0].astype(np.float32) - faces.crops[chosen]).mean()),
        }

    def none(self, name: str, chosen: np.ndarray) -> _Lowered:
        """Lower the AU to 0 on the ``chosen`` faces; return the fields of ``UnitFigures``."""
        if not len(chosen):
            return {"lowered_on": 0, "lowered": {}}
        column = AU_INDEX[name]
        targets = self._faces.units[chosen].copy()
        targets[:, column] = 0
        edits = [self._edit(int(index), target[None]) for index, target in zip(chosen, targets, strict=True)]
        pictures = np.concatenate(edits)
        change = {key: judge(pictures) - self._before[key][chosen] for key, judge in self._judges.items()}
        lowered = {key: float(units[:, column].mean()) for key, units in change.items()}
        return {"lowered_on": len(chosen), "lowered": lowered}

    def _course(self, index: int, column: int) -> np.ndarray:
        units = self._faces.units[index]
        targets = np.repeat(units[None], len(STRENGTHS), 0)
        targets[:, column] += np.array(STRENGTHS, np.float32) * (1 - units[column])
        return self._edit(index, targets)

    def _within(self, region: str, chosen: np.ndarray, difference: np.ndarray) -> float:
        """The mean of ``difference`` (K, H, W) in a region of the ``chosen`` faces that have it."""
        masks = [getattr(self._regions[index], region) for index in chosen]
        return float(np.mean([one[mask].mean() for one, mask in zip(difference, masks, strict=True) if mask.any()]))


def _by_face(judge: Judge, pictures: np.ndarray) -> np.ndarray:
    """Judge (N, K, 128, 128, 3): AUs (N, K, 17)."""
    return judge(pictures.reshape(-1, *pictures.shape[2:])).reshape(*pictures.shape[:2], -1)


def _rising(course: np.ndarray) -> float:
    """Share of the rows of (N, K) that rise at every step."""
    return float((np.diff(course, axis=1) > 0).all(1).mean())
