"""The models on labelled faces: how well action units are estimated, and what edits to single units do."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from singanimation.flows.evaluation.unit_tables import csv_of_edits
from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.expanders import needs_units
from singanimation.pipeline.face.framing import MARGIN
from singanimation.pipeline.files.atomic import atomic_file

if TYPE_CHECKING:
    from singanimation.stages.action_units.training.faces import FaceCrops
    from singanimation.stages.expansion.editor import ExpressionEditor
    from singanimation.stages.expansion.evaluation.figures import Edit, EditedFaces, UnitFigures

_SHEET_FACES, _SMALL_SHEET_FACES = 12, 6


@dataclass(frozen=True)
class ModelFigures:
    """What was measured: ``estimator`` by kind of picture, ``units`` a row each, and by whom.

    ``sees``: the share of a known change that the judge sees, by unit; empty without warped faces.
    """

    estimator: dict[str, Any]
    units: "list[UnitFigures]"
    sees: dict[str, float | None]
    judge: str
    generator: str
    own_judge: bool
    faces: int

    def title(self) -> str:
        """Return the edits' heading, which says who judges."""
        whose = (
            "the generator's own AU network (optimistic)"
            if self.own_judge
            else "another AU network than the generator's"
        )
        return f"Edits to strength 1 of {self.faces} faces, judged by {whose}"

    def write(self, output: Path) -> None:
        """Write all as JSON, and the edits' table as CSV beside it. Raises MachineError."""
        edits = {"judge": self.judge, "judge_sees": self.sees, "generator": self.generator}
        figures = {"estimator": self.estimator, "edits": edits | {"units": [asdict(one) for one in self.units]}}
        _write(output, json.dumps(figures, indent=2, default=float))
        _write(output.with_suffix(".csv"), csv_of_edits(self.units, self.sees))


def measure_models(
    faces: Path,
    split: str,
    *,
    warped: Path | None = None,
    ganimation: Path | None = None,
    judge: Path | None = None,
    limit: int = 100,
    sheets: Path | None = None,
) -> ModelFigures:
    """Measure the estimator on a split's faces and the generator on ``limit`` of them; write sheets into ``sheets``.

    ``judge``: the weights that judge the edits, None the shipped. Raises UsageError for faces without landmarks.
    """
    from singanimation.stages.action_units.estimators import EmbeddedEstimator
    from singanimation.stages.action_units.evaluation import evaluate, seen_change
    from singanimation.stages.action_units.training.faces import load_warped
    from singanimation.stages.expansion.editor import ExpressionEditor
    from singanimation.stages.expansion.evaluation.figures import EditedFaces, evaluate_units

    data = _labelled(faces, split)
    estimator = EmbeddedEstimator.load()
    bent = load_warped(warped, split) if warped else None
    measured = evaluate(estimator, data, bent)
    judging = EmbeddedEstimator.load(path=judge) if judge else estimator
    sees = seen_change(judging, data, bent) if bent else {}
    chosen = _spread(len(data), limit)
    crops = data.crops()[chosen]
    edited = EditedFaces(crops, estimator(crops).action_units, data.landmarks[chosen] - MARGIN)
    editor = ExpressionEditor.load(ganimation)
    needs_units(editor.labels, "`augment evaluate models`")
    edit = editor_edit(editor, edited)
    units = evaluate_units(edit, {"judge": lambda some: judging(some).action_units}, edited)
    if sheets:
        _write_sheets(sheets, edit, edited)
    own = judging.digest == estimator.digest
    return ModelFigures(measured, units, sees, judging.digest, editor.digest, own, len(crops))


def _labelled(path: Path, split: str) -> "FaceCrops":
    from singanimation.stages.action_units.training.faces import load_faces

    data = load_faces(path, split)
    if np.isnan(data.landmarks).any():
        raise UsageError(f"--input {path} has no landmarks, by which edits are measured region by region.")
    return data


def _spread(count: int, wanted: int) -> np.ndarray:
    """Return ``wanted`` places (at most ``count``), spread evenly over 0..count-1."""
    return np.linspace(0, count - 1, min(wanted, count)).round().astype(int)


def editor_edit(editor: "ExpressionEditor", faces: "EditedFaces") -> "Edit":
    """The editor as a function of a face's number and its targets."""
    return lambda index, targets: editor.edit(faces.crops[index], faces.units[index], targets).pictures


def _write_sheets(folder: Path, edit: "Edit", faces: "EditedFaces") -> None:
    from singanimation.flows.sheets.model_sheets import write_emotions, write_path, write_units

    for name, write, count in (
        ("emotions", write_emotions, _SHEET_FACES),
        ("units", write_units, _SMALL_SHEET_FACES),
        ("path", write_path, _SMALL_SHEET_FACES),
    ):
        some = _spread(len(faces.crops), count)
        write(
            folder / f"{name}.png",
            lambda place, targets, some=some: edit(int(some[place]), targets),
            faces.crops[some],
            faces.units[some],
        )


def _write(path: Path, text: str) -> None:
    with atomic_file(path) as file:
        file.write(text.encode())
