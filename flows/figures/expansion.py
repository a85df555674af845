"""Grids of edits: single action units, a path between expressions, the seven emotions."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from singanimation.flows.faces import Face
from singanimation.flows.figures.grid import Grid
from singanimation.flows.models import FaceModels
from singanimation.pipeline.expressions import EMOTIONS
from singanimation.pipeline.plan import SourceFace, continuous_target, discrete_target, donor_target, single_target
from singanimation.pipeline.records import ExpressionTarget

if TYPE_CHECKING:
    from singanimation.stages.expansion.editor import ExpressionEditor
    from singanimation.stages.expansion.expander import Edits, Expander

UNITS = ("AU01", "AU02", "AU04", "AU05", "AU45", "AU10", "AU12", "AU15", "AU25")
"""The nine action units that the figure of single ones shows, brows and eyes first."""

STRENGTHS = (0.0, 0.33, 0.66, 1.0)


def single_grid(face: Face, models: FaceModels, units: Sequence[str] = UNITS) -> Grid:
    """Return a face's edits by one action unit a row at four strengths, then attention and colour at the last."""
    rows = []
    source = SourceFace(None, face.action_units)
    for unit in units:
        drawn = _draw(face, models, [single_target(source, unit, strength) for strength in STRENGTHS])
        attention = np.rint(255 * drawn.attention[-1]).astype(np.uint8)
        rows.append([*drawn.pictures, attention, drawn.colour[-1]])
    return Grid(rows, [*(f"{strength:g}" for strength in STRENGTHS), "attention", "colour"], units)


def continuous_grid(faces: Sequence[Face], models: FaceModels, to: str, steps: int) -> Grid:
    """Return a row a face: from what it shows to emotion ``to`` in ``steps`` pictures."""
    alphas = np.linspace(0, 1, steps)
    rows = []
    for face in faces:
        source = SourceFace(None, face.action_units)
        rows.append(list(_draw(face, models, [continuous_target(source, to, float(a)) for a in alphas]).pictures))
    return Grid(rows, [f"{alpha:.2f}" for alpha in alphas])


def discrete_grid(
    faces: Sequence[Face],
    models: FaceModels,
    emotions: Sequence[str] = EMOTIONS,
    expanders: "Mapping[str, Expander] | None" = None,
) -> Grid:
    """Return a row a face: the source, then each emotion at its first form and full strength.

    With ``expanders``, by the names that rows carry, a face has a row for each of them, the source in the first; an
    emotion that one has not learnt is left empty.
    """
    rows, names = [], []
    for face in faces:
        for place, (name, expander) in enumerate((expanders or {"": models.expander}).items()):
            drawn = _emotions(face, expander, emotions)
            rows.append([face.crop.pixels if place == 0 else None, *(drawn.get(emotion) for emotion in emotions)])
            names.append(name)
    return Grid(rows, ["source", *emotions], names if expanders else ())


def donors_grid(faces: Sequence[Face], donors: Sequence[Face], expanders: "Mapping[str, ExpressionEditor]") -> Grid:
    """Return the donors in the first row, then a row a face and expander: the source, then each donor's expression.

    By the donor's landmarks where the expander follows them, else by its action units, all but the blink.
    """
    rows: list[list[np.ndarray | None]] = [[None, *(donor.crop.pixels for donor in donors)]]
    names = [""]
    for face in faces:
        source = SourceFace(None, face.action_units)
        aims = [donor_target(source, "neutral", 1.0, donor.name, donor.action_units) for donor in donors]
        for name, expander in expanders.items():
            if expander.follows_landmarks:
                drawn = expander.towards(face.crop.pixels, np.stack([donor.crop.pixels for donor in donors]))
            else:
                drawn = _drawn_by(expander, face, aims)
            rows.append([face.crop.pixels, *drawn.pictures])
            names.append(name)
    return Grid(rows, (), names)


def _emotions(face: Face, expander: "Expander", emotions: Sequence[str]) -> dict[str, np.ndarray]:
    known = [emotion for emotion in emotions if expander.labels is None or emotion in expander.labels]
    source = SourceFace(None, face.action_units)
    drawn = _drawn_by(expander, face, [discrete_target(source, emotion, 1.0) for emotion in known])
    return dict(zip(known, drawn.pictures, strict=True))


def _draw(face: Face, models: FaceModels, targets: Sequence[ExpressionTarget]) -> "Edits":
    return _drawn_by(models.expander, face, targets)


def _drawn_by(expander: "Expander", face: Face, targets: Sequence[ExpressionTarget]) -> "Edits":
    units = np.array([target.action_units for target in targets], np.float32)
    for index, target in enumerate(targets):
        if target.strength == 0:
            units[index] = face.action_units  # the very same picture, not one step of rounding away
    return expander.edit(face.crop.pixels, face.action_units, units, None, face.crop.seen)
