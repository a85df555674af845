"""Everything on a device in under five minutes: edits, gan_batches, draws, and 1,000 edits x 50 variants.

    python benchmarks/device.py --faces ../shared/faces/faces.parquet --device cuda --workers 12 --results device.jsonl
    python benchmarks/device.py --faces ../shared/faces/faces.parquet --device cpu \
        --sources 2 --variants 4 --workers 1 --batches 1,4   # a trial

Needs the checkout, its requirements and that one file of faces; nothing is fetched. Prints one table; each line is
printed, and written to ``--results``, when it is there, so that a run that is cut short has said what it knew. The
many edits are tried with a tenth of the sources first; what will not end within ``--minutes`` is not begun, and this
is said. Wall seconds, since a device is what is waited for. The first of each kind is not counted. A last check
compares what the device draws with the CPU's: they agree but for rounding, which training magnifies.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from engine_faces import Edited, load_edited
from many_edits import Speed, measure
from rich.console import Console
from rich.table import Table

from singanimation.stages.singan import make_regenerator
from singanimation.stages.singan.fast.engine import TOGETHER

Options = tuple[str, int]
"""The device, and how many worker processes."""

PILOT = 10
"""The many edits are first tried with one of so many sources."""

STARTS = ["N-1", "N-2"]


class Lines:
    """The table, the file that has each line at once, and the seconds that are left."""

    def __init__(self, results: Path | None, minutes: float) -> None:
        self.table = Table("what", "figure", title="on the device")
        self._results, self._end = results, time.monotonic() + 60 * minutes

    def left(self) -> float:
        """Return how many seconds are left."""
        return self._end - time.monotonic()

    def skip(self, what: str, needed: float) -> None:
        """Say that there is no time for something."""
        text = f"left out: it would need {needed:,.0f} s, {max(self.left(), 0):,.0f} are left"
        self.table.add_row(what, text)
        print(f"{what}: {text}", flush=True)

    def add(self, what: str, value: float, unit: str) -> None:
        """Add one figure."""
        self.table.add_row(what, f"{value:,.3g} {unit}")
        print(f"{what}: {value:,.3g} {unit}", flush=True)
        if self._results is not None:
            with self._results.open("a") as file:
                file.write(json.dumps({"what": what, "value": value, "unit": unit}) + "\n")


def seconds(action: Callable[[], object], device: str) -> float:
    """Return how long ``action`` took, its kernels included."""
    began = time.monotonic()
    action()
    if device != "cpu":
        torch.cuda.synchronize()
    return time.monotonic() - began


def editing(lines: Lines, faces: list[Edited], device: str) -> None:
    """Measure edits of one face, and of many."""
    from singanimation.flows.models import load_face_models
    from singanimation.pipeline.expressions import EMOTIONS, PROTOTYPES

    models = load_face_models(device=device)
    targets = np.array([PROTOTYPES[emotion] for emotion in EMOTIONS], np.float32)

    def edit(face: Edited) -> None:
        models.expander.edit(face.crop, models.action_units(face.crop[None])[0], targets)

    edit(faces[0])
    spent = seconds(lambda: [edit(face) for face in faces], device)
    lines.add("an expression edit", 1e3 * spent / len(faces) / len(targets), "ms")


def batches(lines: Lines, edits: np.ndarray, device: str, counts: list[int]) -> None:
    """Measure the fit of gan_batches, and a draw."""
    engine = make_regenerator("fast", device=device)
    for count in counts:
        group = np.concatenate([edits] * -(-count // len(edits)))[:count]
        engine.fit(group, range(count), STARTS)
        spent = seconds(lambda group=group: engine.fit(group, range(len(group)), STARTS), device)
        lines.add(f"fast: fit of {count} edits, in gan_batches of up to {TOGETHER}", spent, "s")
    fitted = engine.fit(edits[:1], [1], STARTS)
    fitted.draw(0, "N-1", [0])
    lines.add("fast: a draw", 1e3 * seconds(lambda: fitted.draw(0, "N-1", range(50)), device) / 50, "ms")


def many(lines: Lines, known: list[np.ndarray], engine: str, sources: int, variants: int, options: Options) -> None:
    """Measure many edits by worker processes: a tenth of the sources, and all where that can end in time."""
    device, workers = options

    def run(count: int) -> Speed:
        return measure(known, count, {"engine": engine, "device": device}, variants, STARTS, workers)

    found = run(max(workers, sources // PILOT) if sources > workers else sources)
    needed = found.seconds * sources * len(known[0]) / found.edits
    if found.edits < sources * len(known[0]):
        if needed > 0.8 * lines.left():  # the workers' start comes on top
            lines.skip(f"{engine}: all {sources} sources", needed)
        else:
            found = run(sources)
    what = f"{engine}: {found.edits:,} edits, {found.variants:,} variants, {workers} workers"
    lines.add(what, found.seconds, "s")
    lines.add(f"{engine}: edits a second, with their variants", found.edits / found.seconds, "")
    lines.add(f"{engine}: memory on the device", found.megabytes, "MB")


def agreement(lines: Lines, edits: np.ndarray, device: str) -> None:
    """Compare a variant with the CPU's, in levels of 255."""
    drawn = [
        make_regenerator("fast", device=each).fit(edits[:3], [1, 2, 3], ["N-1"]).draw(1, "N-1", [5])[0].astype(int)
        for each in ("cpu", device)
    ]
    lines.add("fast: mean difference from the CPU's variant", float(np.abs(drawn[0] - drawn[1]).mean()), "of 255")


def main(
    faces: Annotated[Path, typer.Option(help="a Parquet of faces")],
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cuda",
    sources: Annotated[int, typer.Option(help="sources of the many edits, 7 edits each")] = 143,
    variants: Annotated[int, typer.Option(help="variants of each edit")] = 50,
    workers: Annotated[int, typer.Option(help="processes of the many edits")] = 12,
    batch: Annotated[str, typer.Option("--batches", help="edits fitted together, with commas")] = "1,7,32,128",
    minutes: Annotated[float, typer.Option(help="what cannot end within is left out")] = 5.0,
    results: Annotated[Path | None, typer.Option(help="JSON lines, each written at once")] = None,
) -> None:
    """Measure and print the table."""
    torch.set_num_threads(1)
    lines = Lines(results, minutes)
    edited = load_edited(faces, 8)
    edits = np.concatenate([np.stack(face.edits) for face in edited])
    batches(lines, edits, device, [int(each) for each in batch.split(",")])
    agreement(lines, edits, device)
    known = [np.stack(face.edits[:7]) for face in edited]
    editing(lines, edited, device)
    for engine in ("fast", "warp", "patch"):
        many(lines, known, engine, sources, variants, (device, workers))
    Console(width=120).print(lines.table)


if __name__ == "__main__":
    typer.run(main)
