"""One grid of pictures with labels, drawn by matplotlib: PNG and PDF at print resolution."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from singanimation.flows.figures.page import make_figure, write_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_POINTS = 72 / 2.54
_LABEL, _GAP = 0.55, 0.08
"""Centimetres above a row of pictures for its labels, and between pictures."""


@dataclass(frozen=True)
class Grid:
    """Pictures uint8 (H, W) or (H, W, 3), row by row; None leaves a cell empty. Labels stand above and at the left."""

    rows: Sequence[Sequence[np.ndarray | None]]
    columns: Sequence[str] = ()
    names: Sequence[str] = ()


def write_grid(path: Path, grid: Grid, *, cell: float = 2.2, dpi: int = 300) -> Path:
    """Write ``grid`` to ``path`` (.png or .pdf), cells of ``cell`` centimetres, and return it.

    The same grid gives the same bytes. Raises UsageError where matplotlib is missing, MachineError for the disk.
    """
    return write_figure(path, _figure(grid, cell), dpi)


def _figure(grid: Grid, cell: float) -> "Figure":
    count = max(len(row) for row in grid.rows)
    size = min(max(cell * _POINTS / 9, 5.0), 9.0)
    left = 0.5 + max((len(name) for name in grid.names), default=0) * size * 0.6 / _POINTS if grid.names else _GAP
    top = _LABEL if grid.columns else _GAP
    width, height = left + count * (cell + _GAP), top + len(grid.rows) * (cell + _GAP)
    figure = make_figure(width, height, layout=None)
    for row, pictures in enumerate(grid.rows):
        bottom = height - top - (row + 1) * (cell + _GAP) + _GAP
        if row < len(grid.names):
            figure.text(
                (left - 0.15) / width,
                (bottom + cell / 2) / height,
                grid.names[row],
                fontsize=size,
                ha="right",
                va="center",
            )
        for column, picture in enumerate(pictures):
            if picture is None:
                continue
            place = ((left + column * (cell + _GAP)) / width, bottom / height, cell / width, cell / height)
            axes = figure.add_axes(place)
            axes.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="none" if cell > 3 else "lanczos")
            axes.set_axis_off()
    for column, text in enumerate(grid.columns):
        across = (left + column * (cell + _GAP) + cell / 2) / width
        figure.text(across, 1 - 0.5 * top / height, text, fontsize=size, ha="center", va="center")
    return figure
