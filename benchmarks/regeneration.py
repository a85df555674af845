"""Engines side by side: what a regeneration costs, how near it stays, how much its variants differ.

    python benchmarks/regeneration.py --faces ../shared/faces/faces.parquet --count 3 --sizes 64,128

Everything is measured in one run, in CPU-seconds of this process on one thread. The reference engine runs
``--reference-iterations`` a scale and twice as many; the difference is extrapolated to its 2000, labelled so; its
pictures after so few iterations say nothing, so no quality is printed for it unless it runs all 2000. One fit of
the fast engine serves both starts; the reference trains anew for each.
"""

import io
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import torch
import typer
from PIL import Image
from rich.console import Console
from rich.table import Table

from singanimation.stages.action_units.estimators import EmbeddedEstimator
from singanimation.stages.sifid import SifidFilter, make_filter
from singanimation.stages.sifid.inception import InceptionStem
from singanimation.stages.singan import make_regenerator
from singanimation.stages.singan.diversity import diversity
from singanimation.stages.singan.engines import to_tensor

REFERENCE_ITERATIONS = 2000
VARIANTS = 8
EMBEDDED_SIZE = 128


@dataclass
class Measured:
    """Medians over faces of one engine, size and start; CPU-seconds, SIFID on two feature sets, diversity."""

    engine: str
    size: int
    start: str
    cold: list[float]
    warm: list[float]
    variant: list[float]
    random: list[float]
    embedded: list[float]
    spread: list[float]


def load_faces(path: Path | None, count: int) -> list[np.ndarray]:
    """Return ``count`` tight face crops uint8 (176, 176, 3), or the astronaut where there is no table."""
    if path is None:
        from skimage.data import astronaut

        return [cv2.resize(astronaut()[20:220, 125:325], (176, 176), interpolation=cv2.INTER_AREA)]
    import pyarrow.parquet as pq

    column = pq.read_table(path, columns=["image"])["image"]
    faces = []
    for index in range(3, len(column), max(1, len(column) // count)):
        value = column[index].as_py()
        data = value["bytes"] if isinstance(value, dict) else value
        faces.append(np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))[46:222, 40:216])
    return faces[:count]


def other_edit(edit: np.ndarray) -> np.ndarray:
    """Return a stand-in for another edit of the same source: the mouth's region pulled wider."""
    size = edit.shape[0]
    rows, columns = np.mgrid[0:size, 0:size].astype(np.float32)
    pull = np.exp(-(((rows / size - 0.72) / 0.1) ** 2) - ((columns / size - 0.5) / 0.25) ** 2)
    moved = columns - (columns - size / 2) * 0.25 * pull
    return cv2.remap(edit, moved, rows, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)


def _cpu_seconds(action) -> tuple[float, object]:
    before = time.process_time()
    result = action()
    return time.process_time() - before, result


def measure_face(face: np.ndarray, rows: dict[str, Measured], engine: str, iterations: int | None, sets) -> None:
    """Fit and draw one face with one engine, and add what it cost and gave to ``rows`` (by start)."""
    starts = list(rows)
    edits = np.stack([face, other_edit(face)])
    regenerator = make_regenerator(engine, iterations=iterations)
    cold, fitted = _cpu_seconds(lambda: regenerator.fit(edits[:1], [1], starts))
    if engine == "reference" and iterations != REFERENCE_ITERATIONS:
        more = make_regenerator(engine, iterations=2 * iterations)
        cold = _cpu_seconds(lambda: more.fit(edits[:1], [1], starts))[0] - cold
    warm = float("nan")
    if engine == "fast":
        both, _ = _cpu_seconds(lambda: regenerator.fit(edits, [1, 2], starts))
        warm = both - cold
    for start, row in rows.items():
        first, _ = _cpu_seconds(lambda start=start: fitted.draw(0, start, [0]))
        draw, variants = _cpu_seconds(lambda start=start: fitted.draw(0, start, range(VARIANTS)))
        calibration = max(0.0, first - draw / VARIANTS) if engine != "reference" else 0.0
        row.cold.append(cold + calibration)
        row.warm.append(warm)
        row.variant.append(draw / VARIANTS)
        row.spread.append(diversity(to_tensor(variants, "cpu"), to_tensor(face[None], "cpu")))
        for values, sifid in zip((row.random, row.embedded), sets, strict=True):
            values.append(float(np.median(sifid.measure(face, variants))))


def _table(rows: list[Measured], reference_iterations: int) -> Table:
    """Return the table; the reference's fit is extrapolated, and each fit's ratio to it is shown."""
    table = Table(title=f"median of {len(rows[0].cold)} face(s), CPU-seconds on one thread")
    for name in ("engine", "px", "start", "fit an edit", "reference / it", "warm edit", "a variant", "SIFID random-64",
                 "SIFID embedded", "diversity"):  # fmt: skip
        table.add_column(name, justify="left" if name in ("engine", "start") else "right")
    scale = REFERENCE_ITERATIONS / reference_iterations
    anchor = {(row.size, row.start): np.median(row.cold) * scale for row in rows if row.engine == "reference"}
    for row in rows:
        whole = row.engine != "reference" or scale == 1
        cost = np.median(row.cold) * (scale if row.engine == "reference" else 1)
        ratio = anchor.get((row.size, row.start), float("nan")) / max(cost, 1e-9)
        table.add_row(
            row.engine, str(row.size), row.start, f"{cost:,.1f}" + ("" if whole else " extrapolated"), f"{ratio:,.0f}",
            f"{np.median(row.warm):.1f}", f"{np.median(row.variant):.3f}",
            *(f"{np.median(values):.4f}" if whole else "-" for values in (row.random, row.embedded, row.spread)),
        )  # fmt: skip
    return table


def main(
    faces: Annotated[Path | None, typer.Option(help="a Parquet of faces; without it, the astronaut")] = None,
    count: Annotated[int, typer.Option(help="how many faces")] = 3,
    sizes: Annotated[str, typer.Option(help="pixels, with commas")] = "64,128",
    starts: Annotated[str, typer.Option(help="start scales, with commas")] = "N-1,N-2",
    engines: Annotated[str, typer.Option(help="engines, with commas")] = "reference,fast,patch",
    reference_iterations: Annotated[int, typer.Option(help="iterations a scale of the reference")] = 2,
) -> None:
    """Measure engines x sizes x starts and print one table."""
    torch.set_num_threads(1)
    pictures, rows = load_faces(faces, count), []
    estimator = EmbeddedEstimator.load("cpu")

    def embedded(crops: np.ndarray) -> np.ndarray:
        side = (EMBEDDED_SIZE, EMBEDDED_SIZE)
        return estimator.features(np.stack([cv2.resize(crop, side, interpolation=cv2.INTER_CUBIC) for crop in crops]))

    sets = (SifidFilter("random-64", InceptionStem.random(64), 0.0), make_filter("embedded", embedded))
    for size in map(int, sizes.split(",")):
        for engine in engines.split(","):
            by_start: dict[str, Measured] = {}
            for start in starts.split(","):
                # the reference trains one SinGAN for each start, so its starts are measured apart
                by_start[start] = Measured(engine, size, start, [], [], [], [], [], [])
            groups = [{start: row} for start, row in by_start.items()] if engine == "reference" else [by_start]
            iterations = reference_iterations if engine == "reference" else None
            for picture in pictures:
                face = cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA)
                for group in groups:
                    measure_face(face, group, engine, iterations, sets)
            rows.extend(by_start.values())
    Console(width=160).print(_table(rows, reference_iterations))


if __name__ == "__main__":
    typer.run(main)
