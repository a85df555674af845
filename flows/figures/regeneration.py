"""The grid of regenerations: what engines draw of one picture from the start scales N, N-1 and N-2."""

from collections.abc import Sequence

import numpy as np

from singanimation.flows.figures.grid import Grid
from singanimation.flows.source.reframing import resized

STARTS = ("N", "N-1", "N-2")


def regeneration_grid(
    picture: np.ndarray,
    engines: Sequence[str],
    *,
    draws: int,
    seed: int,
    iterations: int | None = None,
    size: int = 128,
) -> Grid:
    """Return a row an engine and start scale: ``picture`` uint8 (128, 128, 3), then its ``draws`` at that start.

    ``size`` is what it is shrunk to before an engine learns it. Raises UsageError for an unknown engine.
    """
    from singanimation.stages.singan import make_regenerator

    shrunk = resized(picture, size)[None]
    rows, names = [], []
    for engine in engines:
        fitted = make_regenerator(engine, iterations=iterations).fit(shrunk, [seed], STARTS)
        for start in STARTS:
            drawn = fitted.draw(0, start, [seed + index for index in range(draws)])
            rows.append([shrunk[0], *drawn])
            names.append(f"{engine} {start}")
    return Grid(rows, ["edit", *(str(index + 1) for index in range(draws))], names)
