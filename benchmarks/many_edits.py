"""Many edits, many variants: what a machine takes for them, in wall seconds and memory.

    python benchmarks/many_edits.py --faces ../shared/faces/faces.parquet --device cuda --workers 12
    python benchmarks/many_edits.py --faces ../shared/faces/faces.parquet --sources 4 --edits 2 --variants 10

The aim on one H200 is 1,000 edits x 50 variants in one minute. As in the main job, the edits of one source are one
gan_batch (trained together on a GPU), and worker processes share the device: while one waits for its kernels to start,
another's run. Regeneration alone: no checks, no files. Prints the seconds
from the first edit to the last variant, without the workers' start, and the device memory that they took.
"""

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import torch
import typer
from engine_faces import load_edited

from singanimation.stages.singan import make_regenerator

_shared: dict[str, Barrier] = {}


def _start(barrier: Barrier) -> None:
    _shared["barrier"] = barrier
    torch.set_num_threads(1)
    cv2.setNumThreads(0)


def work(edits: list[np.ndarray], options: dict, variants: int, starts: list[str]) -> tuple[float, float, int, float]:
    """Regenerate ``edits``, one array (E, H, H, 3) a source, beside the other workers.

    Returns when it began and ended (seconds of the machine's clock), variants made, and peak device memory in MB.
    """
    make_regenerator(**options, iterations=2).fit(edits[0][:1], [0], starts[:1])  # the device's start is not measured
    regenerator = make_regenerator(**options)
    _shared["barrier"].wait()
    began, made = time.monotonic(), 0
    for source in edits:
        fitted = regenerator.fit(source, range(len(source)), starts)
        for index in range(len(source)):
            for place, start in enumerate(starts):
                made += len(fitted.draw(index, start, range(place, variants, len(starts))))
    ended = time.monotonic()
    peak = torch.cuda.max_memory_reserved() / 2**20 if options["device"] == "cuda" else 0.0
    return began, ended, made, peak


@dataclass(frozen=True)
class Speed:
    """What many edits took: wall seconds from the first edit to the last variant, and device memory in MB."""

    edits: int
    variants: int
    seconds: float
    megabytes: float


def measure(
    known: list[np.ndarray], sources: int, options: dict, variants: int, starts: list[str], workers: int
) -> Speed:
    """Regenerate the edits of ``sources`` faces, those of ``known`` (E, H, H, 3) again and again."""
    jobs = [known[number % len(known)] for number in range(sources)]
    shares = [jobs[first::workers] for first in range(min(workers, sources))]
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(len(shares))
    with ProcessPoolExecutor(len(shares), mp_context=context, initializer=_start, initargs=(barrier,)) as pool:
        parts = list(pool.map(work, shares, *([each] * len(shares) for each in (options, variants, starts))))
    began, ended, made, peaks = zip(*parts, strict=True)
    return Speed(sum(len(job) for job in jobs), sum(made), max(ended) - min(began), sum(peaks))


def main(
    faces: Annotated[Path, typer.Option(help="a Parquet of faces")],
    sources: Annotated[int, typer.Option(help="how many faces (of twenty, again and again)")] = 143,
    edits: Annotated[int, typer.Option(help="edits of each, at most 7")] = 7,
    variants: Annotated[int, typer.Option(help="variants of each edit")] = 50,
    engine: Annotated[str, typer.Option()] = "fast",
    starts: Annotated[str, typer.Option(help="start scales, with commas")] = "N-1,N-2",
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
    workers: Annotated[int, typer.Option(help="processes")] = 2,
) -> None:
    """Measure and print one line."""
    torch.set_num_threads(1)
    known = [np.stack(face.edits[:edits]) for face in load_edited(faces, min(20, sources))]
    found = measure(known, sources, {"engine": engine, "device": device}, variants, starts.split(","), workers)
    print(
        f"{engine} on {device}, {workers} workers: {found.edits:,} edits, {found.variants:,} variants in "
        f"{found.seconds:.1f} s: {found.edits / found.seconds:.2f} edits/s, "
        f"{found.variants / found.seconds:.1f} variants/s; {found.megabytes:,.0f} MB on the device"
    )


if __name__ == "__main__":
    typer.run(main)
