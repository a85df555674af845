"""`augment evaluate OUT`: the figures of a manifest; `augment evaluate models`: of the models on labelled faces."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from singanimation.flows.options import ExpanderOption, ExpandersOption, load_expanders
from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.expanders import needs_units
from singanimation.pipeline.runs import make_folder

if TYPE_CHECKING:
    import numpy as np


class _ManifestFirst(TyperGroup):
    """`augment evaluate OUT` is `augment evaluate manifest OUT`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        known = self.list_commands(ctx)
        return super().resolve_command(ctx, args if args[0] in known else ["manifest", *args])


app = typer.Typer(
    cls=_ManifestFirst, no_args_is_help=True, add_completion=False, help="Measure a manifest, or the models."
)


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
    ganimation: ExpanderOption = None,
    jitter: Annotated[bool, typer.Option("--jitter", help="Vary forms, amounts and sides as a run does.")] = False,
    units: Annotated[bool, typer.Option(help="Judge single action units too.")] = True,
    expanders: ExpandersOption = None,
    splits: Annotated[str | None, typer.Option(help="Only pictures of these splits, such as validation,test.")] = None,
    identity: Annotated[
        Path | None, typer.Option(help="With --expanders: a face-identity network, ONNX of OpenCV's SFace form.")
    ] = None,
) -> None:
    """Judge edits of your own faces: emotions read, how alike faces move, what single units do; each with a control.

    With --expanders several are judged side by side: emotions read, action units met, detail kept, cost.
    """
    given = {"--expression-judge": expression_judge, "--expander": ganimation, "--identity": identity}
    _check_files(given)
    if identity is not None and expanders is None:
        raise UsageError("--identity compares --expanders; name some.")
    from singanimation.flows.evaluation.edits import judge_edits
    from singanimation.flows.evaluation.expanders import compare_expanders
    from singanimation.flows.evaluation.faces import find_judged_faces
    from singanimation.flows.evaluation.identity import load_identity
    from singanimation.flows.evaluation.tables import markdown, write_tables
    from singanimation.flows.models import load_face_models

    if to is not None:
        make_folder(to)
    judge = _judge(expression_judge) if expression_judge else None
    models = load_face_models("embedded", ganimation, "cpu")
    several = load_expanders(expanders, ganimation)
    wanted = [word.strip() for word in (splits or "").split(",") if word.strip()]
    found = find_judged_faces(faces, models, limit, wanted)
    if several is None:
        needs_units(models.expander.labels, "`augment evaluate edits` without --expanders")
        tables = judge_edits(found, models, judge, jitter=jitter, units=units)
    else:
        network = load_identity(identity) if identity else None
        tables = compare_expanders(found, several, models.action_units, judge, network)
    if to is not None:
        write_tables(to, tables)
    print(markdown(tables))


@app.command("models")
def evaluate_models(
    faces: Annotated[Path, typer.Option("--input", help="A Parquet of aligned faces with landmarks and AUs.")],
    warped: Annotated[Path | None, typer.Option(help="A Parquet of warped faces, measured besides.")] = None,
    split: Annotated[str, typer.Option(help="Whose faces.")] = "validation",
    ganimation: ExpanderOption = None,
    judge: Annotated[Path | None, typer.Option(help="The AU weights that judge the edits; default: shipped.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many faces are edited, spread over the split.")] = 100,
    sheets: Annotated[Path | None, typer.Option(help="Write three contact sheets (PNG) into this folder.")] = None,
    output: Annotated[
        Path | None, typer.Option(help="Write all figures as JSON, the edits' table as CSV beside it.")
    ] = None,
) -> None:
    """Measure the AU estimator against the labels, and the generator's edits by an AU estimator."""
    _check_files({"--judge": judge, "--expander": ganimation})
    _check_outputs(output, sheets)
    from singanimation.flows.evaluation.models import measure_models
    from singanimation.flows.evaluation.unit_tables import show_estimator, table_of_edits, wide_console

    figures = measure_models(
        faces, split, warped=warped, ganimation=ganimation, judge=judge, limit=limit, sheets=sheets
    )
    console = wide_console()
    show_estimator(figures.estimator, console)
    console.print(table_of_edits(figures.units, figures.title(), figures.sees))
    if output:
        figures.write(output)


def _judge(path: Path) -> "Callable[[np.ndarray], np.ndarray]":
    from singanimation.flows.models import load_judge

    return load_judge(path)


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
