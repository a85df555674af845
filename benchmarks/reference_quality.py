"""Engines against a trained reference, at equal diversity.

    python benchmarks/reference_quality.py REFERENCE_FOLDER --faces ../shared/faces/faces.parquet

``REFERENCE_FOLDER`` is what ``benchmarks/reference_faces.py`` wrote; faces whose last scale is not there yet are left
out and named. For each finished face and start two comparisons of SIFID, on two feature sets, at equal diversity: the
reference draws as published, and the other engines are asked for the diversity that came out; and the other engines
draw at the default diversity of ``fast``, and the reference's noise is raised until it has that too. ``rejected``: the
share that the main job's checks would turn away. Prints CPU-seconds and their ratio too: the reference's are those of
its own training, as recorded there.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from engine_faces import Figures, Judge
from reference_faces import SIZE, draw, load, load_face
from regeneration import cpu_seconds
from rich.console import Console
from rich.table import Table

from singanimation.stages.singan import make_regenerator
from singanimation.stages.singan.diversity import calibrate_gain, diversity
from singanimation.stages.singan.fast.engine import DIVERSITY
from singanimation.stages.singan.pyramid import pyramid_sizes
from singanimation.stages.singan.reference.pyramid import ReferencePyramid, ReferenceRecipe
from singanimation.stages.singan.tensors import to_tensor

STARTS = ("N-1", "N-2")
MOST_NOISE = 64.0
"""Times the published noise, at the most."""


@dataclass
class Face:
    """A finished face: its name in the table, its picture uint8 (H, H, 3), and its file of weights."""

    name: str
    pixels: np.ndarray
    weights: Path


def finished(folder: Path, faces: Path | None, size: int, console: Console) -> list[Face]:
    """Return the faces whose reference of ``size`` pixels is trained to the last scale."""
    found = []
    for figures in sorted(folder.glob("*.json")):
        scales = json.loads(figures.read_text())
        if str(size) not in scales:
            console.print(f"{figures.stem}: {len(scales)} of {len(pyramid_sizes(size))} scales, left out")
            continue
        found.append(Face(figures.stem, load_face(figures.stem, faces, size), figures.with_suffix(".pt")))
    return found


def raised(pyramid: ReferencePyramid, target: torch.Tensor, start: str, count: int) -> np.ndarray:
    """Draw from the reference with as much of its noise as gives the default diversity of ``fast``."""

    def diversity_at(gain: float) -> float:
        return diversity(to_tensor(draw(pyramid, start, count, gain), "cpu"), target)

    return draw(pyramid, start, count, calibrate_gain(diversity_at, DIVERSITY, MOST_NOISE))


def add_rows(table: Table, face: Face, start: str, count: int, judge: Judge) -> None:
    """Draw with every engine from one start, as published and at the default diversity; add a line each."""
    target = to_tensor(face.pixels[None], "cpu")
    pyramid = load(face.weights, target, ReferenceRecipe())
    anchor = sum(json.loads(face.weights.with_suffix(".json").read_text()).values())
    for published in (True, False):
        pictures = draw(pyramid, start, count) if published else raised(pyramid, target, start, count)
        lines: list[tuple[str, float, Figures]] = [
            ("reference" if published else "reference, more noise", anchor, judged(judge, face, pictures))
        ]
        wanted = lines[0][2].diversity[0] if published else DIVERSITY
        for engine in ("fast", "patch", "warp"):
            regenerator = make_regenerator(engine, diversity=wanted)
            cost, fitted = cpu_seconds(lambda regenerator=regenerator: regenerator.fit(face.pixels[None], [1], [start]))
            lines.append((engine, cost, judged(judge, face, fitted.draw(0, start, range(count)))))
        for engine, cost, own in lines:
            ratio = f"{anchor / cost:,.0f}" if cost > 0.5 else "-"
            figures = (own.random[0], own.embedded[0], own.diversity[0], own.drift[0])
            table.add_row(
                face.name, start, engine, f"{cost:,.1f}", ratio, *(f"{each:.4f}" for each in figures), own.rejected()
            )
        table.add_section()


def judged(judge: Judge, face: Face, pictures: np.ndarray) -> Figures:
    """Return what the judge says of one face's variants."""
    measured = Figures()
    judge(face.pixels, pictures, measured)
    return measured


def main(
    folder: Annotated[Path, typer.Argument(help="what benchmarks/reference_faces.py wrote")],
    faces: Annotated[Path | None, typer.Option(help="the Parquet of faces it was given")] = None,
    count: Annotated[int, typer.Option(help="variants per start")] = 10,
    size: Annotated[int, typer.Option(help="pixels of the reference's faces")] = SIZE,
) -> None:
    """Print the comparison."""
    torch.set_num_threads(1)
    console = Console(width=160)
    table = Table(
        "face",
        "start",
        "engine",
        "CPU-s an edit",
        "reference / it",
        "SIFID random-64",
        "SIFID embedded",
        "diversity",
        "AU drift",
        "rejected",
        title=f"{size} px, at equal diversity",
    )
    judge = Judge()
    for face in finished(folder, faces, size, console):
        for start in STARTS:
            add_rows(table, face, start, count, judge)
    console.print(table)


if __name__ == "__main__":
    typer.run(main)
