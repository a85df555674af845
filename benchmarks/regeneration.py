"""Engines side by side: what a regeneration costs, how near it stays, what it draws that is new.

    OMP_NUM_THREADS=1 python benchmarks/regeneration.py --faces ../shared/faces/faces.parquet --count 5

Real edits of real faces (the shipped generator's emotions), everything in one run, in CPU-seconds of this process on
one thread. Three rows are controls, which every claim about an engine is made against: ``untrained`` (``fast`` after
one iteration, from random weights), ``start`` (``fast`` after one iteration from the shipped weights) and ``warp``
(the edit moved and tinted, no network). Tables: costs; qualities; new detail by band and part of the face. The
reference runs ``--reference-iterations`` a scale on one face, extrapolated to its 2000 and labelled so; its pictures
after so few say nothing (``benchmarks/reference_quality.py`` judges its full run at 64 px).
``--sheet FILE.png`` writes the variants at 128 px.
"""

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import torch
import typer
from engine_faces import Edited, Figures, Judge, load_edited, resized
from PIL import Image
from rich.console import Console
from rich.table import Table

from singanimation.stages.singan import Regenerator, make_regenerator
from singanimation.stages.singan.engine import EngineOptions
from singanimation.stages.singan.fast.engine import FastRegenerator
from singanimation.stages.singan.fast.training import FastRecipe
from singanimation.stages.singan.figures.detail import BANDS

REFERENCE_ITERATIONS = 2000
CONSOLE = Console(width=170)
PARTS = ("eyes", "brows", "mouth", "skin")


@dataclass
class Measured:
    """One row: CPU-seconds, a value per face, and qualities."""

    first: list[float] = field(default_factory=list)
    further: list[float] = field(default_factory=list)
    variant: list[float] = field(default_factory=list)
    figures: Figures = field(default_factory=Figures)


def cpu_seconds(action: Callable[[], Any]) -> tuple[float, Any]:
    """Return how long ``action`` took this process, and what it returned."""
    before = time.process_time()
    result = action()
    return time.process_time() - before, result


def make_row(name: str) -> Regenerator:
    """Return the engine, or the control, called ``name``."""
    if name == "untrained":
        return FastRegenerator(EngineOptions(warm_start=False), replace(FastRecipe(), from_scratch=1))
    if name == "start":
        return FastRegenerator(EngineOptions(), replace(FastRecipe(), iterations=1))
    return make_regenerator(name)


def measure(
    face: Edited, make: Callable[[], Regenerator], start: str, size: int, seeds: range, judge: Judge, into: Measured
) -> np.ndarray:
    """Fit one edit alone, then it and a second one, draw, judge; return the variants of the first."""
    variants = len(seeds)
    edits = np.stack([resized(edit, size) for edit in face.edits[:2]])
    regenerator = make()
    first, fitted = cpu_seconds(lambda: regenerator.fit(edits[:1], [1], [start]))
    # what draws share (the noise's calibration) counts as part of the fit
    calibration, _ = cpu_seconds(lambda: fitted.draw(0, start, [0]))
    draw, drawn = cpu_seconds(lambda: fitted.draw(0, start, seeds))
    into.variant.append(draw / variants)
    into.first.append(first + max(0.0, calibration - draw / variants))
    both, fitted = cpu_seconds(lambda: regenerator.fit(edits, [1, 2], [start]))
    calibration, _ = cpu_seconds(lambda: fitted.draw(1, start, [0]))
    into.further.append(max(0.0, both - first) + max(0.0, calibration - draw / variants))
    judge(edits[0], drawn, into.figures, redraws=regenerator.is_gan)
    return drawn


def reference_cost(face: Edited, start: str, size: int, iterations: int) -> float:
    """Return the CPU-seconds of the reference's 2000 iterations a scale, extrapolated from ``iterations``."""
    edit, engine = resized(face.edits[0], size)[None], make_regenerator("reference", iterations=iterations)
    spent, _ = cpu_seconds(lambda: engine.fit(edit, [1], [start]))
    return spent / iterations * REFERENCE_ITERATIONS


Rows = dict[tuple[str, int, str], Measured]


def costs_table(rows: Rows, anchor: dict[tuple[int, str], float]) -> Table:
    """Return the costs: medians over faces."""
    table = Table(
        *("engine", "px", "start", "an edit, s", "reference / it", "a further edit, s", "a variant, ms"),
        *("its checks and SIFID, ms", "50 variants, s"),
        title="CPU-seconds on one thread, medians of faces",
    )
    for (size, start), cost in anchor.items():
        table.add_row("reference", str(size), start, f"{cost:,.0f} extrapolated", "1")
    for (engine, size, start), row in rows.items():
        first, further, one = (float(np.median(values)) for values in (row.first, row.further, row.variant))
        ratio = f"{anchor[size, start] / first:,.0f}" if (size, start) in anchor else "-"
        judging = f"{1e3 * float(np.median(row.figures.judging)):.0f}"
        costs = (f"{first:.2f}", ratio, f"{further:.2f}", f"{1e3 * one:.1f}", judging, f"{first + 50 * one:.2f}")
        table.add_row(engine, str(size), start, *costs)
    return table


def qualities_table(rows: Rows) -> Table:
    """Return the qualities: medians over faces, and shares of rejected variants by reason."""
    table = Table(
        *("engine", "px", "start", "SIFID random-64", "SIFID embedded", "diversity", "pairs", "AU drift"),
        *("two-sample", *(f"new {band} px" for band in BANDS), "spread", "rejected"),
        title="qualities",
    )
    for (engine, size, start), row in rows.items():
        found = row.figures
        values = (found.random, found.embedded, found.diversity, found.pairs, found.drift)
        table.add_row(
            engine,
            str(size),
            start,
            *(f"{np.median(each):.3f}" for each in values),
            f"{np.median(found.accuracy):.2f}",
            *(f"{found.new_detail(band):.2f}" for band in BANDS),
            f"{np.median(found.spread):.2f}",
            found.rejected(),
        )
    return table


def parts_table(rows: Rows) -> Table:
    """Return the new detail of each part of the face, the bands divided by strokes."""
    table = Table("engine", "px", "start", *PARTS, title=f"new detail, {' / '.join(BANDS)} px")
    for (engine, size, start), row in rows.items():
        cells = (" / ".join(f"{row.figures.new_detail(band, part):.2f}" for band in BANDS) for part in PARTS)
        table.add_row(engine, str(size), start, *cells)
    return table


def memory_table(edited: list[Edited], counts: list[int]) -> Table:
    """Return the process' peak memory after so many sources, ``fast`` and ``patch`` at 128 px."""
    table = Table("sources", "peak MB, this process", title="memory against sources")
    for number in range(counts[-1]):
        edits = np.stack(edited[number % len(edited)].edits[:2])
        for engine in ("fast", "patch"):
            make_regenerator(engine, iterations=2).fit(edits, [number, number], ["N-1"]).draw(0, "N-1", range(3))
        if number + 1 in counts:
            table.add_row(str(number + 1), f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f}")
    return table


def main(
    faces: Annotated[Path, typer.Option(help="a Parquet of faces, or a folder of pictures")],
    count: Annotated[int, typer.Option(help="how many faces")] = 5,
    sizes: Annotated[str, typer.Option(help="pixels, with commas")] = "128",
    starts: Annotated[str, typer.Option(help="start scales, with commas")] = "N-1,N-2",
    engines: Annotated[str, typer.Option(help="rows but the reference")] = "fast,start,untrained,patch,warp",
    variants: Annotated[int, typer.Option(help="variants to draw and judge per edit and start")] = 8,
    reference_iterations: Annotated[int, typer.Option(help="the reference's, a scale; 0: leave it out")] = 10,
    memory: Annotated[bool, typer.Option(help="measure memory too")] = True,
    two_sample: Annotated[bool, typer.Option(help="train the two-sample classifiers")] = True,
    sheet: Annotated[Path | None, typer.Option(help="write the variants at 128 px here")] = None,
) -> None:
    """Measure engines x sizes x starts and print the tables."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    edited, judge, lines = load_edited(faces, count), Judge(two_sample=two_sample), []
    if memory:  # first: the peak is the process', and what follows would hide it
        CONSOLE.print(memory_table(edited, [1, 5, 20]))
    make_regenerator("fast", iterations=1).fit(np.stack(edited[0].edits[:1]), [0], ["N-1"])  # torch's own start
    rows: Rows = {}
    for size in map(int, sizes.split(",")):
        for engine in engines.split(","):
            for start in starts.split(","):
                into = rows[engine, size, start] = Measured()
                for number, face in enumerate(edited):
                    seeds = range(100 * number, 100 * number + variants)  # other draws for each face
                    drawn = measure(face, lambda name=engine: make_row(name), start, size, seeds, judge, into)
                    if size == 128:
                        lines.append(np.concatenate([face.edits[0], *drawn[:6]], 1))
    anchor = {
        (size, "N-1"): reference_cost(edited[0], "N-1", size, reference_iterations)
        for size in map(int, sizes.split(","))
        if reference_iterations
    }
    for table in (costs_table(rows, anchor), qualities_table(rows), parts_table(rows)):
        CONSOLE.print(table)
    if sheet is not None:
        Image.fromarray(np.concatenate(lines)).save(sheet)


if __name__ == "__main__":
    typer.run(main)
