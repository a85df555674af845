"""`augment aus`: the action units of faces, as one CSV file."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from singanimation.flows.faces import Face, find_faces, picture_paths, warn
from singanimation.manifests.write import atomic_file
from singanimation.pipeline.errors import ExitCode, PictureError, UsageError
from singanimation.pipeline.expressions import AU_NAMES

app = typer.Typer(add_completion=False)

OPENFACE_SCALE = 5.0
"""OpenFace writes intensities from 0 to 5."""

_FORMATS = ("csv", "openface-csv")


@app.command()
def aus(
    pictures: Annotated[list[Path], typer.Argument(help="Pictures, or folders of pictures.", show_default=False)],
    output: Annotated[Path, typer.Option(help="The CSV file.")] = Path("action_units.csv"),
    to: Annotated[str, typer.Option(help="csv (0..1), or openface-csv (AU01_r ..., 0..5).")] = "csv",
    estimator: Annotated[str, typer.Option("--aus", help="auto, pyfeat, openface or embedded.")] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing but errors.")] = False,
) -> None:
    """Estimate the action units of each face; a picture without a usable face is a row with its reason."""
    if to not in _FORMATS:
        raise UsageError(f"--to {to}: use {' or '.join(_FORMATS)}.")
    paths = picture_paths(pictures)
    from singanimation.flows.models import choose_device, load_face_models

    models = load_face_models(estimator, None, choose_device(device))
    found = list(find_faces(paths, models))
    rows = _openface(paths, found) if to == "openface-csv" else _plain(paths, found, models.estimator)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    with atomic_file(output) as file:
        file.write(text.getvalue().encode())
    for face in found:
        if isinstance(face, PictureError):
            warn(str(face), quiet=False)
    faces = sum(isinstance(face, Face) for face in found)
    if not quiet:
        print(f"{faces} of {len(found)} pictures have a face; {output}")
    if not faces:
        raise typer.Exit(int(ExitCode.NOTHING_ACCEPTED))


def _plain(paths: Sequence[Path], found: Sequence[Face | PictureError], estimator: str) -> list[list[object]]:
    rows: list[list[object]] = [["file", "status", "reason", "au_estimator", *AU_NAMES]]
    for path, face in zip(paths, found, strict=True):
        if isinstance(face, PictureError):
            rows.append([path.as_posix(), "failed", face.reason, estimator, *[""] * len(AU_NAMES)])
        else:
            rows.append([path.as_posix(), "accepted", "", estimator, *(f"{v:.4f}" for v in face.action_units)])
    return rows


def _openface(paths: Sequence[Path], found: Sequence[Face | PictureError]) -> list[list[object]]:
    """OpenFace's column names and scale, with the file's name in front (OpenFace writes one file per picture)."""
    rows: list[list[object]] = [["file", "face", "success", *(f"{name}_r" for name in AU_NAMES)]]
    for path, face in zip(paths, found, strict=True):
        if isinstance(face, PictureError):
            rows.append([path.as_posix(), 0, 0, *["0.00"] * len(AU_NAMES)])
        else:
            rows.append([path.as_posix(), 0, 1, *(f"{v * OPENFACE_SCALE:.2f}" for v in face.action_units)])
    return rows
