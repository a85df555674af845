"""`augment aus`: the action units of faces, as CSV: plain, or as OpenFace writes them."""

import csv
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from singanimation.flows.faces import Face, find_faces, picture_paths, picture_sources, unique_names, warn
from singanimation.flows.options import QuietOption
from singanimation.pipeline.datasets.openface import attach, nothing_found, read_tables
from singanimation.pipeline.errors import ExitCode, PictureError, UsageError
from singanimation.pipeline.expressions import AU_NAMES
from singanimation.pipeline.files.atomic import atomic_file
from singanimation.pipeline.files.untrusted import readable
from singanimation.pipeline.openface import SCALE
from singanimation.pipeline.pyfeat import check_estimator
from singanimation.pipeline.records import Source
from singanimation.pipeline.settings import AuChoice

app = typer.Typer(add_completion=False)

Form = Literal["csv", "openface-csv"]

Found = Face | PictureError


@app.command()
def aus(
    pictures: Annotated[list[Path], typer.Argument(help="Pictures, or folders of pictures.", show_default=False)],
    output: Annotated[
        Path | None,
        typer.Option(
            help="A CSV file; with --to openface-csv also a folder, for one file per picture. Default: stdout."
        ),
    ] = None,
    to: Annotated[Form, typer.Option(help="csv: 0..1; openface-csv: AU01_r ..., 0..5.")] = "csv",
    estimator: Annotated[AuChoice, typer.Option("--aus", help="Who estimates them.")] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    quiet: QuietOption = False,
) -> None:
    """Estimate the action units of each face; a picture without a usable face is a row with its reason."""
    if output == Path("-"):
        output = None
    if to == "csv" and output is not None and output.is_dir():
        raise UsageError(f"--output {output} is a folder; name a CSV file, or add --to openface-csv.")
    check_estimator(estimator)
    paths = picture_paths(pictures)
    sources = _with_openface(pictures, paths, quiet) if estimator == "openface" else picture_sources(paths)
    from singanimation.flows.models import choose_device, load_face_models

    models = load_face_models(estimator, None, choose_device(device))
    for text in models.warnings:
        warn(text, quiet)
    found = list(find_faces(paths, models, sources))
    _write_all(output, to, paths, found, models.estimator)
    for face in found:
        if isinstance(face, PictureError):
            warn(str(face), quiet=False)
    faces = sum(isinstance(face, Face) for face in found)
    if not quiet:
        written = f"; {output}" if output else ""
        print(f"{faces} of {len(found)} pictures have a face{written}", file=sys.stderr)
    if not faces:
        raise typer.Exit(int(ExitCode.NOTHING_ACCEPTED))


def _with_openface(inputs: Sequence[Path], paths: Sequence[Path], quiet: bool) -> list[Source]:
    """Return the pictures with the action units of OpenFace's files in the folders given, or beside the pictures."""
    folders = {path if path.is_dir() else path.parent: path.is_dir() for path in sorted(inputs)}
    tables = [table for folder, inside in folders.items() for table in read_tables(folder, everywhere=inside)]
    unique = {table.path.resolve(): table for table in tables}
    sources, sentences = attach(picture_sources(paths), list(unique.values()))
    if not any(source.action_units is not None for source in sources):
        raise UsageError(nothing_found(f"{len(paths):,} pictures", len(unique)))
    for sentence in sentences:
        warn(sentence, quiet)
    return sources


def _write_all(output: Path | None, to: Form, paths: Sequence[Path], found: Sequence[Found], estimator: str) -> None:
    if to == "csv":
        _write(output, _plain(paths, found, estimator))
    elif output is None or output.suffix.lower() == ".csv":
        _write(output, _feature_extraction(paths, found))
    else:
        for name, face in zip(unique_names(paths), found, strict=True):
            _write(output / f"{name}.csv", _face_landmark_img(face), ", ")


def _write(path: Path | None, rows: Sequence[Sequence[object]], separator: str = ",") -> None:
    """Write the rows as a file, or without a path to stdout."""
    text = io.StringIO()
    if separator == ",":
        csv.writer(text, lineterminator="\n").writerows(rows)
    else:  # only numbers and names of columns: nothing to quote
        text.writelines(separator.join(map(str, row)) + "\n" for row in rows)
    if path is None:
        sys.stdout.write(text.getvalue())
        return
    with atomic_file(path) as file:
        file.write(text.getvalue().encode())


def _plain(paths: Sequence[Path], found: Sequence[Found], estimator: str) -> list[list[object]]:
    rows: list[list[object]] = [["file", "status", "reason", "au_estimator", *AU_NAMES]]
    for path, face in zip(paths, found, strict=True):
        if isinstance(face, PictureError):
            rows.append([readable(path.as_posix()), "failed", face.reason, estimator, *[""] * len(AU_NAMES)])
        else:
            rows.append(
                [readable(path.as_posix()), "accepted", "", face.estimator, *(f"{v:.4f}" for v in face.action_units)]
            )
    return rows


def _feature_extraction(paths: Sequence[Path], found: Sequence[Found]) -> list[list[object]]:
    """FeatureExtraction's form, a row for each picture (its ``frame``), with the file's name behind the others.

    ``confidence`` is 1 for a face that was found and 0 without, like ``success``; OpenFace writes ``AU.._c`` too,
    a classifier's verdicts, of which we have none.
    """
    names = [f"{name}_r" for name in AU_NAMES]
    rows: list[list[object]] = [["frame", "face_id", "timestamp", "confidence", "success", *names, "file"]]
    for frame, (path, face) in enumerate(zip(paths, found, strict=True), 1):
        good = int(isinstance(face, Face))
        rows.append([frame, 0, "0.000", f"{good:.2f}", good, *_intensities(face), readable(path.as_posix())])
    return rows


def _face_landmark_img(face: Found) -> list[list[object]]:
    """FaceLandmarkImg's form with -aus, as GANimation's own preparation reads it; without a face only the header."""
    rows: list[list[object]] = [["face", "confidence", *(f"{name}_r" for name in AU_NAMES)]]
    return [*rows, [0, "1.000", *_intensities(face)]] if isinstance(face, Face) else rows


def _intensities(face: Found) -> list[str]:
    values = face.action_units if isinstance(face, Face) else [0.0] * len(AU_NAMES)
    return [f"{value * SCALE:.2f}" for value in values]
