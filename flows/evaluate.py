"""`augment evaluate models`: the figures of the shipped (or other) models on labelled faces."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

app = typer.Typer(no_args_is_help=True, help="Measure the models.")


@app.callback()
def _group() -> None:
    """Measure the models."""


@app.command("models")
def evaluate_models(
    faces: Annotated[Path, typer.Option("--input", help="A Parquet of aligned faces with landmarks and AUs.")],
    warped: Annotated[Path | None, typer.Option(help="A Parquet of warped faces, measured besides.")] = None,
    split: Annotated[str, typer.Option(help="Whose faces.")] = "validation",
    ganimation: Annotated[Path | None, typer.Option(help="Another generator; default: shipped.")] = None,
    judge: Annotated[Path | None, typer.Option(help="The AU weights that judge the edits; default: shipped.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many faces are edited.")] = 100,
    output: Annotated[Path | None, typer.Option(help="Write all figures as JSON.")] = None,
) -> None:
    """Measure the AU estimator against the labels, and the generator's edits by an AU estimator."""
    from singanimation.stages.action_units.data import MARGIN, load_faces, load_warped
    from singanimation.stages.action_units.estimators import EmbeddedEstimator
    from singanimation.stages.action_units.evaluation import evaluate
    from singanimation.stages.ganimation.edit import ExpressionEditor
    from singanimation.stages.ganimation.evaluation import evaluate_units

    data = load_faces(faces, split)
    estimator = EmbeddedEstimator.load()
    figures: dict[str, Any] = {"estimator": evaluate(estimator, data, load_warped(warped, split) if warped else None)}
    judging = EmbeddedEstimator.load(path=judge) if judge else estimator
    crops, landmarks = data.crops()[:limit], data.landmarks[:limit] - MARGIN
    editor = ExpressionEditor.load(ganimation)
    units = evaluate_units(
        editor, lambda some: judging(some).action_units, crops, estimator(crops).action_units, landmarks
    )
    figures["edits"] = {"judge": judging.digest, "generator": editor.digest, "units": [asdict(one) for one in units]}
    _show(figures, independent=judge is not None)
    if output:
        output.write_text(json.dumps(figures, indent=2, default=float))


def _show(figures: dict[str, Any], independent: bool) -> None:
    console = Console()
    for name in ("photographs", "warped"):
        if name not in figures["estimator"]:
            continue
        part = figures["estimator"][name]
        table = Table(title=f"AU estimator, {part['faces']} {name}", caption=_landmark_line(part))
        for heading in ("AU", "correlation", "mean absolute error", "spread of the label"):
            table.add_column(heading, justify="right")
        for unit, row in part["action_units"].items():
            correlation = "constant" if row["correlation"] is None else f"{row['correlation']:.2f}"
            table.add_row(unit, correlation, f"{row['mean_absolute_error']:.3f}", f"{row['label_spread']:.3f}")
        console.print(table)
    whose = "another AU network than the generator's" if independent else "the generator's own AU network (optimistic)"
    table = Table(title=f"Edits to strength 1, judged by {whose}")
    headings = ("AU", "faces", "asked", "measured", "rising", "eye region", "mouth region", "background", "also moved")
    for heading in headings:
        table.add_column(heading, justify="right")
    for one in figures["edits"]["units"]:
        moved = sorted(one["others"].items(), key=lambda pair: -abs(pair[1]))[:3]
        also = ", ".join(f"{name[2:]} {value:+.2f}" for name, value in moved if abs(value) >= 0.05)
        regions = (f"{one[key]:.1f}" for key in ("eye_change", "mouth_change", "background_change"))
        table.add_row(one["unit"], str(one["faces"]), f"{one['asked']:.2f}", f"{one['measured']:.2f}",
                      f"{one['rising']:.0%}", *regions, also)  # fmt: skip
    console.print(table)


def _landmark_line(part: dict[str, Any]) -> str | None:
    error = part.get("landmark_error_68")
    return None if error is None or not np.isfinite(error) else f"68 landmarks: {error:.2f}% of the eyes' distance"
