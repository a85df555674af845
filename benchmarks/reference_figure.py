"""The thesis' figure 5.7: what the reference draws from N, N-1 and N-2, beside other engines at the same size.

    python benchmarks/reference_faces.py astronaut REFERENCE --size 48 --iterations 500
    python benchmarks/reference_figure.py REFERENCE --size 48 --output figure.png

A figure for each face that ``benchmarks/reference_faces.py`` has trained to the last scale: a row an engine and
start scale, the face and its draws. With several faces the face's name is added to the file's.
"""

from pathlib import Path
from typing import Annotated

import cv2
import torch
import typer
from reference_faces import STARTS, draw, load
from reference_quality import Face, finished
from rich.console import Console

from singanimation.flows.figures.grid import Grid, write_grid
from singanimation.flows.figures.regeneration import regeneration_grid
from singanimation.stages.singan.reference.pyramid import ReferenceRecipe
from singanimation.stages.singan.tensors import to_tensor


def figure(face: Face, engines: list[str], draws: int) -> Grid:
    """Return the reference's rows, then those of ``engines``."""
    pyramid = load(face.weights, to_tensor(face.pixels[None], "cpu"), ReferenceRecipe())
    others = regeneration_grid(face.pixels, engines, draws=draws, seed=0, size=face.pixels.shape[0])
    rows = [[face.pixels, *draw(pyramid, start, draws)] for start in STARTS]
    names = [f"reference {start}" for start in STARTS]
    return Grid([*rows, *others.rows], others.columns, [*names, *others.names])


def main(
    folder: Annotated[Path, typer.Argument(help="what benchmarks/reference_faces.py wrote")],
    output: Annotated[Path, typer.Option(help="the figure: .png or .pdf")] = Path("figure-5-7.png"),
    faces: Annotated[Path | None, typer.Option(help="the Parquet of faces it was given")] = None,
    size: Annotated[int, typer.Option(help="pixels of the reference's faces")] = 48,
    engines: Annotated[str, typer.Option(help="with commas")] = "fast,patch,warp",
    columns: Annotated[int, typer.Option(help="draws a row")] = 6,
    dpi: Annotated[int, typer.Option()] = 110,
) -> None:
    """Write the figures."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    known = finished(folder, faces, size, Console())
    for face in known:
        path = output if len(known) == 1 else output.with_stem(f"{output.stem}-{face.name.replace('/', '~')}")
        print(write_grid(path, figure(face, engines.split(","), columns), cell=1.6, dpi=dpi))


if __name__ == "__main__":
    typer.run(main)
