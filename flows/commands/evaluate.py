"""`augment evaluate OUT`: the figures of a manifest; `augment evaluate models`: of the models on labelled faces."""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table
from typer.core import TyperGroup

from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.files.atomic import atomic_file
from singanimation.pipeline.runs import make_folder

if TYPE_CHECKING:
    from singanimation.stages.action_units.training.faces import FaceCrops
    from singanimation.stages.expansion.editor import ExpressionEditor
    from singanimation.stages.expansion.evaluation.figures import Edit, EditedFaces, UnitFigures


class _ManifestFirst(TyperGroup):
    """`augment evaluate OUT` is `augment evaluate manifest OUT`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        known = self.list_commands(ctx)
        return super().resolve_command(ctx, args if args[0] in known else ["manifest", *args])


app = typer.Typer(
    cls=_ManifestFirst, no_args_is_help=True, add_completion=False, help="Measure a manifest, or the models."
)

_SHEET_FACES, _SMALL_SHEET_FACES = 12, 6
_WIDE = 170


@app.callback()
def _group() -> None:
    """Measure a manifest (`augment evaluate OUT`), or the models."""


@app.command("manifest")
def evaluate_manifest(
    output: Annotated[Path, typer.Argument(help="An output folder of `augment`.")],
    to: Annotated[Path | None, typer.Option("--output", help="Folder of the tables; default: OUT/evaluation.")] = None,
    most: Annotated[int, typer.Option(min=0, help="Edits of each engine and start whose pictures are measured.")] = 50,
    expression_judge: Annotated[
        Path | None, typer.Option(help="An expression classifier of `augment train expression`.")
    ] = None,
    identity: Annotated[
        Path | None, typer.Option(help="A face-identity network: ONNX, of OpenCV's SFace form.")
    ] = None,
) -> None:
    """Measure a manifest: SIFID by start scale, action units asked and measured, how variants differ, what people say.

    Prints Markdown; writes JSON, CSV, Markdown, LaTeX and plots.
    """
    _check_files({"--expression-judge": expression_judge, "--identity": identity})
    from singanimation.flows.evaluation.run import evaluate_output

    folder = to or output / "evaluation"
    make_folder(folder)
    print(evaluate_output(output, folder, most, expression_judge, identity))


@app.command("edits")
def evaluate_edits(
    faces: Annotated[str, typer.Option("--input", help="Faces: anything that `augment --input` takes.")],
    to: Annotated[Path | None, typer.Option("--output", help="Folder for JSON, CSV, Markdown, LaTeX.")] = None,
    limit: Annotated[int, typer.Option(min=2, help="At most so many faces, spread over labels.")] = 40,
    expression_judge: Annotated[
        Path | None, typer.Option(help="An expression classifier of `augment train expression`.")
    ] = None,
    ganimation: Annotated[Path | None, typer.Option(help="Another generator; default: shipped.")] = None,
    jitter: Annotated[bool, typer.Option("--jitter", help="Vary forms, amounts and sides as a run does.")] = False,
    units: Annotated[bool, typer.Option(help="Judge single action units too.")] = True,
) -> None:
    """Judge edits of your own faces: emotions read, how alike faces move, what single units do; each with a control."""
    _check_files({"--expression-judge": expression_judge, "--ganimation": ganimation})
    from singanimation.flows.evaluation.edits import judge_edits
    from singanimation.flows.evaluation.faces import find_judged_faces
    from singanimation.flows.evaluation.tables import markdown, write_tables
    from singanimation.flows.models import load_face_models

    if to is not None:
        make_folder(to)
    judge = _judge(expression_judge) if expression_judge else None
    models = load_face_models("embedded", ganimation, "cpu")
    tables = judge_edits(find_judged_faces(faces, models, limit), models, judge, jitter=jitter, units=units)
    if to is not None:
        write_tables(to, tables)
    print(markdown(tables))


@app.command("models")
def evaluate_models(
    faces: Annotated[Path, typer.Option("--input", help="A Parquet of aligned faces with landmarks and AUs.")],
    warped: Annotated[Path | None, typer.Option(help="A Parquet of warped faces, measured besides.")] = None,
    split: Annotated[str, typer.Option(help="Whose faces.")] = "validation",
    ganimation: Annotated[Path | None, typer.Option(help="Another generator; default: shipped.")] = None,
    judge: Annotated[Path | None, typer.Option(help="The AU weights that judge the edits; default: shipped.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many faces are edited, spread over the split.")] = 100,
    sheets: Annotated[Path | None, typer.Option(help="Write three contact sheets (PNG) into this folder.")] = None,
    output: Annotated[
        Path | None, typer.Option(help="Write all figures as JSON, the edits' table as CSV beside it.")
    ] = None,
) -> None:
    """Measure the AU estimator against the labels, and the generator's edits by an AU estimator."""
    _check_files({"--judge": judge, "--ganimation": ganimation})
    _check_outputs(output, sheets)
    from singanimation.pipeline.face.framing import MARGIN
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
    edit = editor_edit(editor, edited)
    units = evaluate_units(edit, {"judge": lambda some: judging(some).action_units}, edited)
    _show_estimator(measured)
    own = judging.digest == estimator.digest
    whose = "the generator's own AU network (optimistic)" if own else "another AU network than the generator's"
    _console().print(table_of_edits(units, f"Edits to strength 1 of {len(crops)} faces, judged by {whose}", sees))
    if sheets:
        _write_sheets(sheets, edit, edited)
    if output:
        edits = {"judge": judging.digest, "judge_sees": sees, "generator": editor.digest}
        figures = {"estimator": measured, "edits": edits | {"units": [asdict(one) for one in units]}}
        _write(output, json.dumps(figures, indent=2, default=float))
        _write(output.with_suffix(".csv"), _as_csv(units, sees))


def _judge(path: Path) -> "Callable[[np.ndarray], np.ndarray]":
    from singanimation.flows.models import load_judge

    return load_judge(path)


def _labelled(path: Path, split: str) -> "FaceCrops":
    from singanimation.stages.action_units.training.faces import load_faces

    data = load_faces(path, split)
    if np.isnan(data.landmarks).any():
        raise UsageError(f"--input {path} has no landmarks, by which edits are measured region by region.")
    return data


def _spread(count: int, wanted: int) -> np.ndarray:
    """Return ``wanted`` places (at most ``count``), spread evenly over 0..count-1."""
    return np.linspace(0, count - 1, min(wanted, count)).round().astype(int)


def _check_files(given: dict[str, Path | None]) -> None:
    for option, path in given.items():
        if path is not None and not path.is_file():
            raise UsageError(f"{option} {path}: no such file.")


def _check_outputs(output: Path | None, sheets: Path | None) -> None:
    """Find out before the work whether there is a place for its outcome. Raises UsageError, OutputError."""
    if output is not None:
        if output.suffix.lower() == ".csv" or output.is_dir():
            raise UsageError(f"--output {output}: name a JSON file; the table goes beside it, as CSV.")
        make_folder(output.parent)
    if sheets is not None:
        make_folder(sheets)


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


def table_of_edits(
    figures: "Sequence[UnitFigures]", title: str, sees: Mapping[str, float | None] | None = None
) -> Table:
    """A row per AU: asked, wanted and measured (by each judge), rising, regions, lowering, and what else moved.

    ``sees``: the share of a known change that the (one) judge sees. Where it is given it has a column, and another says
    what was measured divided by it (the usual correction for attenuation; labels that err make it too large).
    """
    from singanimation.stages.expansion.evaluation.figures import CROSS_TALK, SEEN

    caption = (
        f"Regions: mean absolute difference of 255; cross-talk should stay below {CROSS_TALK:g}, the unit's own "
        f"region (AU06, AU09, AU14) reach {SEEN:g}. still: the same at strength 0."
        + (
            " judge sees: its share of known changes, on warped faces; corrected: measured, divided by it."
            if sees
            else ""
        )
    )
    table = Table(title=title, caption=caption)
    for heading in _cells(figures[0], sees) if figures else ("AU",):
        table.add_column(heading, justify="right", no_wrap=heading == "also moved")
    for one in figures:
        table.add_row(*_cells(one, sees).values())
    return table


def _cells(one: "UnitFigures", sees: Mapping[str, float | None] | None) -> dict[str, str]:
    from singanimation.stages.expansion.evaluation.figures import WANTED

    moved = sorted(one.others.items(), key=lambda pair: -abs(pair[1]))[:2]
    several = len(one.measured) > 1
    named = {key: f" ({key})" if several else "" for key in one.measured}
    cells = {
        "AU": one.unit,
        "faces": str(one.faces),
        "asked": f"{one.asked:.2f}",
        "wanted": f"{WANTED[one.unit]:.2f}" if one.unit in WANTED else "",
    }
    cells |= {f"measured{named[key]}": f"{value:+.2f}" for key, value in one.measured.items()}
    if sees:
        share = sees[one.unit]
        cells["judge sees"] = "" if share is None else f"{share:.0%}"
        cells["corrected"] = "" if not share else f"{next(iter(one.measured.values())) / share:+.2f}"
    cells |= {f"rising{named[key]}": f"{value:.0%}" for key, value in one.rising.items()}
    regions = {
        "cross-talk": one.cross_talk,
        "eyes": one.eye_change,
        "mouth": one.mouth_change,
        "background": one.background_change,
        "own region": one.shown,
        "still": one.still,
    }
    cells |= {name: "" if value is None else f"{value:.1f}" for name, value in regions.items()}
    cells |= {
        f"lowered{named[key]}": f"{one.lowered[key]:+.2f} ({one.lowered_on})" if one.lowered else ""
        for key in one.measured
    }
    cells["also moved"] = ", ".join(f"{name[2:]} {value:+.2f}" for name, value in moved if abs(value) >= 0.05)
    return cells


def _as_csv(figures: "Sequence[UnitFigures]", sees: Mapping[str, float | None]) -> str:
    rows = [_cells(one, sees) for one in figures]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else ["AU"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _write(path: Path, text: str) -> None:
    with atomic_file(path) as file:
        file.write(text.encode())


def _console() -> Console:
    """The terminal; where there is none (a file, a pipe), wide enough for the widest table."""
    console = Console(markup=False, emoji=False)
    return console if console.is_terminal else Console(width=_WIDE, markup=False, emoji=False)


def _show_estimator(figures: dict[str, Any]) -> None:
    console = _console()
    for name in ("photographs", "warped"):
        if name not in figures:
            continue
        part = figures[name]
        table = Table(title=f"AU estimator, {part['faces']} {name}", caption=_landmark_line(part))
        for heading in ("AU", "correlation", "mean absolute error", "spread of the label"):
            table.add_column(heading, justify="right")
        for unit, row in part["action_units"].items():
            correlation = "constant" if row["correlation"] is None else f"{row['correlation']:.2f}"
            table.add_row(unit, correlation, f"{row['mean_absolute_error']:.3f}", f"{row['label_spread']:.3f}")
        console.print(table)


def _landmark_line(part: dict[str, Any]) -> str | None:
    error = part.get("landmark_error_68")
    return None if error is None or not np.isfinite(error) else f"68 landmarks: {error:.2f}% of the eyes' distance"
