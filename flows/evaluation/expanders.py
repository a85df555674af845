"""Expanders side by side on the same faces: what a judge reads, action units met, detail kept, what an edit costs.

Two controls stand in the first rows: the source as it is in place of its edits, and the source shrunk to 64 px and
enlarged again, which is the most that an expander of 64 px could show of what it leaves alone.
"""

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from singanimation.flows.evaluation.edits import Judge, JudgedFaces
from singanimation.flows.evaluation.tables import Table
from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.expressions import AU_NAMES, EMOTION_INDEX, EMOTIONS, NOT_EXPRESSIVE
from singanimation.pipeline.plan import SourceFace, discrete_target

if TYPE_CHECKING:
    from singanimation.stages.expansion.expander import Expander

COPIED, SHRUNK = "source, copied", "source, at 64 px"

Units = Callable[[np.ndarray], np.ndarray]
"""uint8 (N, 128, 128, 3) -> action units float32 (N, 17)."""

Identity = Callable[[np.ndarray], np.ndarray]
"""A crop uint8 (128, 128, 3) -> its identity vector, of length 1."""

_EXPRESSIVE = np.array([name not in NOT_EXPRESSIVE for name in AU_NAMES])


def compare_expanders(
    faces: JudgedFaces,
    expanders: "Mapping[str, Expander]",
    units: Units,
    judge: Judge | None = None,
    identity: Identity | None = None,
) -> list[Table]:
    """Edit every face to every emotion that an expander has learnt, at full strength, and say what came of it.

    Means are over the emotions that all of them have learnt. Raises UsageError where there is none.
    """
    own = np.concatenate([units(crop[None]) for crop in faces.crops])
    common = [name for name in EMOTIONS if all(name in _learnt(each) for each in expanders.values())]
    if not common:
        raise UsageError(f"{', '.join(expanders)} have no emotion in common that they could be compared by.")
    rows, read = [], []
    controls = {COPIED: faces.crops, SHRUNK: _through(faces.crops, 64)}
    for name in (*controls, *expanders):
        expander = expanders.get(name)
        known = _learnt(expander)
        began = time.process_time()
        drawn = {e: controls[name] if expander is None else _edits(faces, own, e, expander) for e in known}
        cost = (time.process_time() - began) / (len(known) * len(faces.crops))
        found = _figures(faces, own, {emotion: drawn[emotion] for emotion in common}, units, identity)
        rows.append((name, _size(expander), _millions(expander), 1000 * cost if expander else None, *found))
        if judge is not None:
            recalls = {emotion: _recall(judge, drawn[emotion], emotion) for emotion in known}
            shared = float(np.mean([recalls[emotion] for emotion in common]))
            read.append((name, shared, *(recalls.get(emotion) for emotion in EMOTIONS)))
    of = f"{len(faces.crops)} faces, each edited to {', '.join(common)} at full strength by each expander."
    tables = [Table("expanders", "Expanders side by side", f"{of} {_NOTE}", _COLUMNS, rows)]
    if judge is not None:
        note = f"{of} Share of edits that the given classifier reads as asked; the unedited are the control."
        tables.append(Table("expanders-read", "Emotions read", note, ("expander", "these", *EMOTIONS), read))
    return tables


_COLUMNS = ("expander", "pixels", "million weights", "CPU ms an edit", "AU error", "detail", "changed", "identity")
_NOTE = (
    "AU error: mean absolute difference of measured to asked action units, blink left out, by the embedded estimator. "
    "Detail: fine detail over the source's (1: as sharp). Changed: mean absolute difference to the source, of 255. "
    "Identity: distance to the source (1 - cosine), where a network is given."
)


def _learnt(expander: "Expander | None") -> list[str]:
    return [name for name in EMOTIONS if expander is None or expander.labels is None or name in expander.labels]


def _through(crops: np.ndarray, size: int) -> np.ndarray:
    small = [cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA) for crop in crops]
    return np.stack([cv2.resize(each, crops.shape[2:0:-1], interpolation=cv2.INTER_LINEAR) for each in small])


def _edits(faces: JudgedFaces, own: np.ndarray, emotion: str, expander: "Expander") -> np.ndarray:
    targets = _aims(own, emotion)
    edits = [
        expander.edit(crop, own[index], targets[index][None], None, faces.seen[index]).pictures[0]
        for index, crop in enumerate(faces.crops)
    ]
    return np.stack(edits)


def _aims(own: np.ndarray, emotion: str) -> np.ndarray:
    return np.array([discrete_target(SourceFace(None, each), emotion, 1.0).action_units for each in own], np.float32)


def _figures(
    faces: JudgedFaces, own: np.ndarray, drawn: Mapping[str, np.ndarray], units: Units, identity: Identity | None
) -> tuple[float | None, ...]:
    errors, details, changes, distances = [], [], [], []
    vectors = None if identity is None else np.stack([identity(crop) for crop in faces.crops])
    for emotion, pictures in drawn.items():
        measured = np.concatenate([units(picture[None]) for picture in pictures])
        errors.append(np.abs(measured - _aims(own, emotion))[:, _EXPRESSIVE].mean())
        details.append(fine_detail(pictures) / max(fine_detail(faces.crops), 1e-9))
        changes.append(np.abs(pictures.astype(np.int16) - faces.crops).mean())
        if vectors is not None and identity is not None:
            found = np.stack([identity(picture) for picture in pictures])
            distances.append((1 - (found * vectors).sum(1)).mean())
    return tuple(float(np.mean(each)) if each else None for each in (errors, details, changes, distances))


def fine_detail(pictures: np.ndarray) -> float:
    """Return the mean absolute difference of uint8 (N, H, W, 3) to the mean of 3 x 3 pixels, of 255."""
    grey = pictures.astype(np.float32).mean(3)
    padded = np.pad(grey, ((0, 0), (1, 1), (1, 1)), mode="edge")
    height, width = grey.shape[1:]
    mean = sum(padded[:, y : y + height, x : x + width] for y in range(3) for x in range(3)) / 9
    return float(np.abs(grey - mean).mean())


def _recall(judge: Judge, pictures: np.ndarray, emotion: str) -> float:
    return float((judge(pictures).argmax(1) == EMOTION_INDEX[emotion]).mean())


def _network(expander: "Expander | None") -> Any:
    return getattr(expander, "network", None)


def _size(expander: "Expander | None") -> int | None:
    network = _network(expander)
    return None if network is None else int(network.size)


def _millions(expander: "Expander | None") -> float | None:
    network = _network(expander)
    return None if network is None else sum(part.numel() for part in network.parameters()) / 1e6
