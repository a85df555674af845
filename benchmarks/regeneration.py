"""Engines side by side: what a regeneration costs, how near it stays, how much its variants differ.

    OMP_NUM_THREADS=1 python benchmarks/regeneration.py --faces ../shared/faces/faces.parquet --count 5

Real edits of real faces (the shipped generator's emotions), everything in one run, in CPU-seconds of this process on
one thread. The reference engine runs ``--reference-iterations`` a scale on one face, extrapolated to its 2000 and
labelled so; its pictures after so few iterations say nothing and are not judged here
(``benchmarks/reference_quality.py`` judges its full run at 64 px). Four tables: engines x sizes x starts with ratios,
the cost of a source against its number of edits, that of an edit against its pixels, and the memory against the number
of sources. ``--sheet FILE.png`` writes the engines' variants at 128 px.
"""

import resource
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, TypeVar

import cv2
import numpy as np
import torch
import typer
from engine_faces import Edited, Judge, load_edited, resized
from PIL import Image
from rich.console import Console
from rich.table import Table

from singanimation.stages.singan import make_regenerator

REFERENCE_ITERATIONS = 2000
CONSOLE = Console(width=170)
Result = TypeVar("Result")


@dataclass
class Measured:
    """One engine, size and start: CPU-seconds and qualities, a value per face."""

    cold: list[float] = field(default_factory=list)
    warm: list[float] = field(default_factory=list)
    variant: list[float] = field(default_factory=list)
    random: list[float] = field(default_factory=list)
    embedded: list[float] = field(default_factory=list)
    diversity: list[float] = field(default_factory=list)
    pairs: list[float] = field(default_factory=list)
    drift: list[float] = field(default_factory=list)
    faults: Counter = field(default_factory=Counter)
    judged: int = 0


def cpu_seconds(action: Callable[[], Result]) -> tuple[float, Result]:
    """Return how long ``action`` took this process, and what it returned."""
    before = time.process_time()
    result = action()
    return time.process_time() - before, result


def measure(
    face: Edited, engine: str, start: str, size: int, variants: int, judge: Judge, into: Measured
) -> np.ndarray:
    """Fit one edit alone, then it and a second one (warm), draw, judge; return the variants of the first."""
    edits = np.stack([resized(edit, size) for edit in face.edits[:2]])
    regenerator = make_regenerator(engine)
    cold, fitted = cpu_seconds(lambda: regenerator.fit(edits[:1], [1], [start]))
    # what draws share (the noise's calibration) counts as part of the fit
    first, _ = cpu_seconds(lambda: fitted.draw(0, start, [0]))
    draw, drawn = cpu_seconds(lambda: fitted.draw(0, start, range(variants)))
    into.cold.append(cold + max(0.0, first - draw / variants))
    into.variant.append(draw / variants)
    both, _ = cpu_seconds(lambda: regenerator.fit(edits, [1, 2], [start]))
    into.warm.append(max(0.0, both - cold))
    judge(edits[0], drawn, into)
    return drawn


def reference_cost(face: Edited, start: str, size: int, iterations: int) -> float:
    """Return the CPU-seconds of the reference's 2000 iterations a scale, extrapolated from ``iterations``."""
    edit, engine = resized(face.edits[0], size)[None], make_regenerator("reference", iterations=iterations)
    spent, _ = cpu_seconds(lambda: engine.fit(edit, [1], [start]))
    return spent / iterations * REFERENCE_ITERATIONS


def engines_table(rows: dict[tuple[str, int, str], Measured], anchor: dict[tuple[int, str], float]) -> Table:
    """Return the main table: medians over faces, shares of rejected variants by reason."""
    table = Table(title=f"medians of {len(next(iter(rows.values())).cold)} faces, CPU-seconds on one thread")
    for name in (
        "engine",
        "px",
        "start",
        "an edit",
        "reference / it",
        "warm edit",
        "warm / cold",
        "a variant",
        "50 variants",
        "SIFID random-64",
        "SIFID embedded",
        "diversity",
        "pairs",
        "AU drift",
        "rejected",
    ):
        table.add_column(name, justify="left" if name in ("engine", "start", "rejected") else "right")
    for (size, start), cost in anchor.items():
        table.add_row("reference", str(size), start, f"{cost:,.0f} extrapolated", "1")
    for (engine, size, start), row in rows.items():
        cold, warm, one = (float(np.median(values)) for values in (row.cold, row.warm, row.variant))
        ratio = f"{anchor[size, start] / cold:,.0f}" if (size, start) in anchor else "-"
        why = ", ".join(f"{name} {count / row.judged:.0%}" for name, count in row.faults.most_common()) or "0%"
        qualities = (row.random, row.embedded, row.diversity, row.pairs, row.drift)
        table.add_row(
            engine,
            str(size),
            start,
            f"{cold:.1f}",
            ratio,
            f"{warm:.1f}",
            f"{warm / cold:.2f}",
            f"{one:.3f}",
            f"{cold + 50 * one:.1f}",
            *(f"{np.median(values):.3f}" for values in qualities),
            why,
        )
    return table


def edits_table(face: Edited, counts: list[int]) -> Table:
    """Return what a source costs with 1, 2, 4 and 8 edits, 6 variants each, both starts."""
    table = Table("edits", "CPU-s", "CPU-s an edit", "against one edit", title="fast, 128 px: a source's cost")
    costs = []
    for count in counts:
        edits = np.stack(face.edits[:count])

        def work(edits=edits) -> None:
            fitted = make_regenerator("fast").fit(edits, range(len(edits)), ["N-1", "N-2"])
            for index in range(len(edits)):
                for start in ("N-1", "N-2"):
                    fitted.draw(index, start, range(3))

        costs.append(cpu_seconds(work)[0])
        table.add_row(str(count), f"{costs[-1]:.1f}", f"{costs[-1] / count:.1f}", f"{costs[-1] / costs[0]:.2f}")
    return table


def pixels_table(rows: dict[tuple[str, int, str], Measured]) -> Table:
    """Return the cost of an edit and of a variant against the picture's pixels."""
    table = Table(
        "engine", "px", "pixels", "an edit", "a variant", "edit, per 1000 pixels", title="cost against pixels"
    )
    for (engine, size, start), row in rows.items():
        if start == "N-1":
            cold, one = float(np.median(row.cold)), float(np.median(row.variant))
            table.add_row(
                engine, str(size), f"{size * size:,}", f"{cold:.1f}", f"{one:.3f}", f"{1e3 * cold / size**2:.2f}"
            )
    return table


def memory_table(edited: list[Edited], counts: list[int]) -> Table:
    """Return the process' peak memory after so many sources, both engines at 128 px, few iterations."""
    table = Table("sources", "peak MB, this process", title="memory against sources")
    for number in range(counts[-1]):
        edits = np.stack(edited[number % len(edited)].edits[:2])
        for engine, iterations in (("fast", 5), ("patch", None)):
            fitted = make_regenerator(engine, iterations=iterations).fit(edits, [number, number], ["N-1"])
            fitted.draw(0, "N-1", range(3))
        if number + 1 in counts:
            table.add_row(str(number + 1), f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f}")
    return table


def main(
    faces: Annotated[Path, typer.Option(help="a Parquet of faces")],
    count: Annotated[int, typer.Option(help="how many faces")] = 5,
    sizes: Annotated[str, typer.Option(help="pixels, with commas")] = "64,96,128",
    starts: Annotated[str, typer.Option(help="start scales, with commas")] = "N-1,N-2",
    engines: Annotated[str, typer.Option(help="engines but the reference, with commas")] = "fast,patch",
    variants: Annotated[int, typer.Option(help="variants to draw and judge per edit and start")] = 10,
    reference_iterations: Annotated[int, typer.Option(help="the reference's, a scale; 0: leave it out")] = 50,
    reference_sizes: Annotated[str, typer.Option(help="pixels of the reference, with commas")] = "64,128",
    reference_starts: Annotated[str, typer.Option(help="its start scales, with commas")] = "N-1",
    sheet: Annotated[Path | None, typer.Option(help="write the variants at 128 px here")] = None,
) -> None:
    """Measure engines x sizes x starts and print the tables."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    edited, judge, lines = load_edited(faces, count), Judge(), {}
    # first: the peak is the process', and what follows would hide it
    CONSOLE.print(memory_table(edited, [1, 2, 5, 10, 20]))
    rows: dict[tuple[str, int, str], Measured] = {}
    for size in map(int, sizes.split(",")):
        for engine in engines.split(","):
            for start in starts.split(","):
                into = rows[engine, size, start] = Measured()
                for number, face in enumerate(edited):
                    drawn = measure(face, engine, start, size, variants, judge, into)
                    if size == 128:
                        lines.setdefault(number, [face.crop, face.edits[0]]).extend(drawn[:3])
    anchor = {
        (size, start): reference_cost(edited[0], start, size, reference_iterations)
        for size in map(int, reference_sizes.split(","))
        for start in reference_starts.split(",")
        if reference_iterations
    }
    CONSOLE.print(engines_table(rows, anchor))
    for table in (edits_table(edited[0], [1, 2, 4, 7]), pixels_table(rows)):
        CONSOLE.print(table)
    if sheet is not None:
        Image.fromarray(np.concatenate([np.concatenate(line, 1) for line in lines.values()])).save(sheet)


if __name__ == "__main__":
    typer.run(main)
