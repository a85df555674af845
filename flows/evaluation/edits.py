"""Edits judged: what is read in them, how alike faces move, and what single action units do, each with a control.

Whatever judges are at hand are used: the embedded estimator (action units and landmarks) always, an expression
classifier of ``augment train expression`` where it is given. The estimator is the generator's own and therefore
optimistic; the classifier has seen no edit.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from singanimation.flows.evaluation.tables import Table
from singanimation.flows.models import FaceModels
from singanimation.pipeline.expressions import AU_INDEX, AU_NAMES, EMOTION_INDEX, EMOTIONS
from singanimation.pipeline.face.mesh import IRIS_LEFT, IRIS_RIGHT, MIRROR
from singanimation.pipeline.forms import FORMS, draw_form, plain_form
from singanimation.pipeline.plan import SourceFace, discrete_target
from singanimation.stages.action_units.estimators import EmbeddedEstimator
from singanimation.stages.expansion.evaluation.figures import EditedFaces, UnitFigures, evaluate_units

SMILE = 0.5
"""Sources with more AU12 than this count as smiling."""

Judge = Callable[[np.ndarray], np.ndarray]
"""uint8 (N, 128, 128, 3) -> probabilities (N, 7)."""


@dataclass(frozen=True)
class JudgedFaces:
    """N aligned faces: ``crops`` uint8 (N, 128, 128, 3), ``seen`` bool (N, 128, 128) or None each, labels or None."""

    crops: np.ndarray
    seen: Sequence[np.ndarray | None]
    labels: Sequence[str | None]


@dataclass(frozen=True)
class _Measured:
    units: np.ndarray
    landmarks: np.ndarray


def judge_edits(
    faces: JudgedFaces, models: FaceModels, judge: Judge | None, *, jitter: bool = False, units: bool = True
) -> list[Table]:
    """Edit every face to every emotion at strength 1 and say what came of it; ``units`` judges single units too.

    ``jitter`` varies forms, amounts and sides as a run does, by the face's number; else each emotion's first form.
    """
    estimator = EmbeddedEstimator.load()
    before = _measure(estimator, faces.crops)
    after: dict[str, np.ndarray] = {}
    for emotion in EMOTIONS:
        after[emotion] = np.stack(
            [_edit(faces, index, before.units[index], emotion, models, jitter) for index in range(len(faces.crops))]
        )
    measured = {emotion: _measure(estimator, pictures) for emotion, pictures in after.items()}
    tables = [_read(faces, after, before, judge)] if judge is not None else []
    tables.append(_movement(faces, before, measured))
    if units:
        edited = EditedFaces(faces.crops, before.units, before.landmarks)
        found = evaluate_units(
            lambda index, targets: (
                models.expander.edit(faces.crops[index], before.units[index], targets, None, faces.seen[index]).pictures
            ),
            {"embedded": lambda some: estimator(some).action_units},
            edited,
        )
        tables.append(_units(found))
    return tables


def _edit(
    faces: JudgedFaces, index: int, units: np.ndarray, emotion: str, models: FaceModels, jitter: bool
) -> np.ndarray:
    form = FORMS[emotion][index % len(FORMS[emotion]) if jitter else 0]
    drawn = draw_form(form, index) if jitter else plain_form(form)
    target = discrete_target(SourceFace(None, units), emotion, 1.0, drawn)
    sides = None if target.sides is None else np.array([target.sides], np.float32)
    aim = np.array([target.action_units], np.float32)
    return models.expander.edit(faces.crops[index], units, aim, sides, faces.seen[index]).pictures[0]


def _measure(estimator: EmbeddedEstimator, crops: np.ndarray) -> _Measured:
    found = [estimator(crop[None]) for crop in crops]
    landmarks = np.concatenate([each.landmarks for each in found if each.landmarks is not None])
    return _Measured(np.concatenate([each.action_units for each in found]), landmarks)


def _read(faces: JudgedFaces, after: dict[str, np.ndarray], before: _Measured, judge: Judge) -> Table:
    smiling = before.units[:, AU_INDEX["AU12"]] > SMILE
    own = judge(faces.crops).argmax(1)
    rows = []
    for emotion in EMOTIONS:
        place = EMOTION_INDEX[emotion]
        read = judge(after[emotion]).argmax(1)
        labelled = np.array([label == emotion for label in faces.labels])
        wrong = Counter(EMOTIONS[index] for index in read if index != place).most_common(1)
        rows.append(
            (
                emotion,
                float((read == place).mean()),
                float((own == place).mean()),
                float((own[labelled] == place).mean()) if labelled.any() else None,
                float((read[smiling] == place).mean()) if smiling.any() else None,
                float((read[~smiling] == place).mean()) if (~smiling).any() else None,
                f"{wrong[0][0]} {wrong[0][1] / len(read):.0%}" if wrong else None,
            )
        )
    note = (
        f"{len(faces.crops)} faces, each edited to each emotion at strength 1, read by the given classifier. Controls: "
        "how often the unedited faces read so, and how often photographs of that label do."
    )
    columns = ("emotion", "edits", "unedited", "photographs", "smiling sources", "others", "most taken for")
    return Table("read", "Emotions read in edits", note, columns, rows)


def _movement(faces: JudgedFaces, before: _Measured, measured: dict[str, _Measured]) -> Table:
    rows = []
    for emotion in EMOTIONS:
        found = measured[emotion]
        labelled = np.array([label == emotion for label in faces.labels])
        photographs = float(before.units[labelled].std(0).mean()) if labelled.sum() > 2 else None
        moves = _in_face_units(found.landmarks - before.landmarks, before.landmarks)
        rows.append((emotion, float(found.units.std(0).mean()), photographs, _sameness(moves), _lopsided(moves)))
    note = (
        "Spread: standard deviation of the measured action units among the edits, mean over units, beside photographs "
        "of that label. Sameness: mean cosine of two faces' landmark movements (1: all move alike). Lopsided: share of "
        "a movement that its mirror image does not explain."
    )
    columns = ("emotion", "spread", "photographs' spread", "sameness", "lopsided")
    return Table("movement", "How differently faces move", note, columns, rows)


def _in_face_units(moves: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Return displacements (N, 478, 2) in distances between the eyes."""
    span = np.linalg.norm(landmarks[:, IRIS_RIGHT] - landmarks[:, IRIS_LEFT], axis=1)
    return moves / np.maximum(span, 1e-6)[:, None, None]


def _sameness(moves: np.ndarray) -> float:
    flat = moves.reshape(len(moves), -1)
    flat = flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-9)
    products = flat @ flat.T
    return float(products[np.triu_indices(len(flat), 1)].mean()) if len(flat) > 1 else float("nan")


def _lopsided(moves: np.ndarray) -> float:
    mirrored = moves[:, MIRROR] * [-1, 1]
    odd = np.linalg.norm((moves - mirrored).reshape(len(moves), -1), axis=1) / 2
    return float((odd / np.maximum(np.linalg.norm(moves.reshape(len(moves), -1), axis=1), 1e-9)).mean())


def _units(found: Sequence[UnitFigures]) -> Table:
    rows = []
    for one in found:
        side, amount = max(one.others.items(), key=lambda item: abs(item[1]))
        rows.append(
            (one.unit, one.asked, one.measured["embedded"], one.rising["embedded"], f"{side} {amount:+.2f}", one.faces)
        )
    note = (
        "One unit asked to 1 on faces with little of it, as the embedded estimator sees it (the generator's own: "
        "optimistic): mean change asked and seen, share of faces on which it rises at every step, largest side effect."
    )
    columns = ("unit", "asked", "seen", "rises on", "side effect", "faces")
    return Table("units", "Single action units", note, columns, [row for row in rows if row[0] in AU_NAMES])
