"""`augment figure single|continuous|discrete|donors|regeneration`: figures for print, as PNG and PDF."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from singanimation.flows.figures.page import check_figure_path
from singanimation.flows.options import ExpanderOption, ExpandersOption, load_expanders
from singanimation.pipeline.errors import ExitCode, UsageError
from singanimation.pipeline.expanders import needs_units
from singanimation.pipeline.expressions import AU_NAMES, EMOTIONS, canonical_au, canonical_emotion

if TYPE_CHECKING:
    from singanimation.flows.faces import Face
    from singanimation.flows.models import FaceModels

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Figures for print: edits and regenerations of given faces."
)

Pictures = Annotated[list[Path], typer.Argument(help="Pictures, or folders of pictures.", show_default=False)]
Output = Annotated[Path, typer.Option("--output", help="The figure: .png or .pdf.")]
Cell = Annotated[float, typer.Option("--cell", min=0.5, max=20, help="Edge of a picture in centimetres.")]
Dpi = Annotated[int, typer.Option("--dpi", min=50, max=1200, help="Dots an inch.")]


@app.command()
def single(
    pictures: Pictures,
    output: Output = Path("figure-single.png"),
    aus: Annotated[str | None, typer.Option(help="Action units, such as AU12,AU4, or all; default: nine.")] = None,
    cell: Cell = 2.2,
    dpi: Dpi = 300,
    ganimation: ExpanderOption = None,
) -> None:
    """One action unit a row at strengths 0, 0.33, 0.66 and 1, with attention and colour; a file a face."""
    from singanimation.flows.figures.expansion import UNITS, single_grid
    from singanimation.flows.figures.grid import write_grid

    units = _units(aus) or UNITS
    check_figure_path(output)
    faces, models = _faces(pictures, ganimation)
    needs_units(models.expander.labels, "`augment figure single`")
    for face in faces:
        path = output if len(faces) == 1 else output.with_stem(f"{output.stem}-{face.name}")
        print(write_grid(path, single_grid(face, models, units), cell=cell, dpi=dpi))


@app.command()
def continuous(
    pictures: Pictures,
    to: Annotated[str, typer.Option(help="The emotion that each row ends with.")] = "happiness",
    columns: Annotated[int, typer.Option(min=2, max=21, help="Pictures a row.")] = 7,
    output: Output = Path("figure-continuous.png"),
    cell: Cell = 2.2,
    dpi: Dpi = 300,
    ganimation: ExpanderOption = None,
) -> None:
    """A row a face: from the source to an emotion, step by step."""
    from singanimation.flows.figures.expansion import continuous_grid
    from singanimation.flows.figures.grid import write_grid

    emotion = canonical_emotion(to)
    if emotion is None:
        raise UsageError(f"--to: {to!r} is no emotion; use {', '.join(EMOTIONS)}.")
    check_figure_path(output)
    faces, models = _faces(pictures, ganimation)
    needs_units(models.expander.labels, "`augment figure continuous`")
    print(write_grid(output, continuous_grid(faces, models, emotion, columns), cell=cell, dpi=dpi))


@app.command()
def discrete(
    pictures: Pictures,
    output: Output = Path("figure-discrete.png"),
    cell: Cell = 2.2,
    dpi: Dpi = 300,
    ganimation: ExpanderOption = None,
    expanders: ExpandersOption = None,
) -> None:
    """A row a face: the source, and the seven emotions at full strength; with --expanders a row for each of them."""
    from singanimation.flows.figures.expansion import discrete_grid
    from singanimation.flows.figures.grid import write_grid

    check_figure_path(output)
    several = load_expanders(expanders, ganimation)
    faces, models = _faces(pictures, ganimation)
    print(write_grid(output, discrete_grid(faces, models, expanders=several), cell=cell, dpi=dpi))


@app.command("donors")
def donors_figure(
    pictures: Pictures,
    donors: Annotated[list[Path], typer.Option("--donor", help="A face whose expression is put on; several times.")],
    output: Output = Path("figure-donors.png"),
    cell: Cell = 2.2,
    dpi: Dpi = 300,
    expanders: ExpandersOption = "geometry",
) -> None:
    """The donors in the first row, then a row a face and expander: each donor's expression on that face."""
    from singanimation.flows.figures.expansion import donors_grid
    from singanimation.flows.figures.grid import write_grid

    check_figure_path(output)
    several = load_expanders(expanders, None) or {}
    for name, expander in several.items():
        needs_units(expander.labels, f"`augment figure donors` with {name}")
    faces, _ = _faces(pictures, None)
    giving, _ = _faces(donors, None)
    print(write_grid(output, donors_grid(faces, giving, several), cell=cell, dpi=dpi))


@app.command()
def regeneration(
    pictures: Pictures,
    output: Output = Path("figure-regeneration.png"),
    engines: Annotated[str, typer.Option(help="Engines, such as fast,patch,reference.")] = "fast",
    columns: Annotated[int, typer.Option(min=1, max=20, help="Draws a row.")] = 6,
    iterations: Annotated[int | None, typer.Option(min=1, help="Iterations a scale; default: the engine's.")] = None,
    size: Annotated[int, typer.Option(min=32, max=256, help="Pixels that an engine learns.")] = 128,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    cell: Cell = 2.2,
    dpi: Dpi = 300,
) -> None:
    """A row an engine and start scale (N, N-1, N-2): the face, and what is drawn of it; a file a face."""
    from singanimation.flows.figures.grid import write_grid
    from singanimation.flows.figures.regeneration import regeneration_grid

    names = [word.strip() for word in engines.split(",") if word.strip()]
    if not names:
        raise UsageError("--engines is empty; name one, such as fast.")
    check_figure_path(output)
    faces, _ = _faces(pictures, None)
    for face in faces:
        path = output if len(faces) == 1 else output.with_stem(f"{output.stem}-{face.name}")
        grid = regeneration_grid(face.crop.pixels, names, draws=columns, seed=seed, iterations=iterations, size=size)
        print(write_grid(path, grid, cell=cell, dpi=dpi))


def _faces(pictures: Sequence[Path], ganimation: Path | None) -> tuple[list["Face"], "FaceModels"]:
    """Load the models and find the faces; pictures without one are named. Exits with 1 where none is left."""
    from singanimation.flows.faces import find_faces, picture_paths, warn
    from singanimation.flows.models import load_face_models
    from singanimation.pipeline.errors import PictureError

    paths = picture_paths(pictures)
    models = load_face_models("auto", ganimation, "cpu")
    faces = []
    for found in find_faces(paths, models):
        if isinstance(found, PictureError):
            warn(str(found), quiet=False)
        else:
            faces.append(found)
    if not faces:
        raise typer.Exit(int(ExitCode.NOTHING_ACCEPTED))
    return faces, models


def _units(text: str | None) -> list[str]:
    words = [word.strip() for word in (text or "").split(",") if word.strip()]
    if words == ["all"]:
        return list(AU_NAMES)
    units = [canonical_au(word) for word in words]
    unknown = [word for word, unit in zip(words, units, strict=True) if unit is None]
    if unknown:
        raise UsageError(f"--aus: {unknown[0]!r} is no action unit; use {', '.join(AU_NAMES)}.")
    return list(dict.fromkeys(unit for unit in units if unit))
