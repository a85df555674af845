"""Whether an edit shows the expression that it was asked for: by a judge of pictures, and by what cannot be drawn."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from singanimation.pipeline.expressions import AU_INDEX, EMOTIONS
from singanimation.pipeline.face import mesh
from singanimation.pipeline.records import Crop, ExpressionTarget, Fault

if TYPE_CHECKING:
    from singanimation.stages.expression import ExpressionJudge

NOT_EXPRESSED = "not_expressed"

WIDE_OPEN, CLOSED = 0.58, 0.3
"""A mouth whose AU25 and AU26 are above the first does not close to below the second without hooks and rags: nothing
in the picture shows its lips and its chin."""

CUT_OPEN = 0.45
"""The same, and parted lips too, where the picture's edge cuts the chin off: what would rise below is not there."""

_PARTED, _JAW = AU_INDEX["AU25"], AU_INDEX["AU26"]


@dataclass(frozen=True)
class Expressed:
    """What was found of an edit: the judge's shares of its own emotion and of its source's, and why it is rejected."""

    found: float | None = None
    source: float | None = None
    fault: Fault | None = None


def look_at(
    edit: np.ndarray,
    crop: Crop,
    target: ExpressionTarget,
    shown: str | None,
    au_source: np.ndarray,
    judge: "ExpressionJudge | None",
) -> Expressed:
    """Look at an ``edit`` uint8 (128, 128, 3) of a ``crop``.

    ``shown`` is the source's own label among the seven, None where it has none: then the judge says what it shows. An
    edit that looks more like its source's expression than like its own is rejected; so is a wide open mouth that was
    to close. Edits that keep the source's label, or have none, are not judged.
    """
    fault = cannot_close(au_source, np.asarray(target.action_units), shows_chin(crop))
    if judge is None or target.label is None or target.label_origin == "source":
        return Expressed(fault=fault)
    if shown is None:
        shown = EMOTIONS[int(judge(crop.pixels[None])[0].argmax())]
    shares = judge.compare(edit, target.label, shown)
    if shares is None:
        return Expressed(fault=fault)
    found, kept = shares
    if fault is None and kept > found:
        text = f"It looks more like {shown} ({kept:.2f}), as its source does, than like {target.label} ({found:.2f})."
        fault = Fault(NOT_EXPRESSED, text)
    return Expressed(found, kept, fault)


def shows_chin(crop: Crop) -> bool:
    """Return whether the chin of a crop lies in its picture: tight face crops cut it off."""
    column, row = np.floor(crop.landmarks[mesh.CHIN]).astype(int)
    height, width = crop.pixels.shape[:2]
    there = 0 <= row < height and 0 <= column < width
    return there and (crop.seen is None or bool(crop.seen[row, column]))


def cannot_close(au_source: np.ndarray, au_target: np.ndarray, chin: bool = True) -> Fault | None:
    """Return why a mouth cannot go from ``au_source`` to ``au_target`` (17,), None where it can.

    ``chin``: whether the picture shows it.
    """
    before, after = (min(float(units[_PARTED]), float(units[_JAW])) for units in (au_source, au_target))
    parted = float(au_target[_PARTED]) >= CLOSED
    # lips may stay parted while the jaw rises, where there is a chin to rise
    closes = after < CLOSED and (before > WIDE_OPEN and not parted if chin else before > CUT_OPEN)
    if not closes:
        return None
    where = "" if chin else " where the picture cuts its chin off"
    text = f"Its source's mouth is too wide open (AU25 and AU26 {before:.2f}) to be drawn closed{where}."
    return Fault(NOT_EXPRESSED, text)
