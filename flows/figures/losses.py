"""The chart of a training: a panel a loss, over the steps."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from singanimation.flows.figures.page import make_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PANEL = (8.0, 4.2)
"""Centimetres."""

_COLUMNS = 3
_LEFT_OUT = ("step", "seconds")


def losses_figure(rows: Sequence[Mapping[str, str]]) -> "Figure":
    """Return the chart of ``rows``, each with ``step`` and the losses known then, as text; a loss may set in later.

    A value that is no finite number leaves a gap. Raises UsageError without matplotlib.
    """
    names = [name for name in dict.fromkeys(name for row in rows for name in row) if name not in _LEFT_OUT]
    columns = min(_COLUMNS, max(len(names), 1))
    lines = max(math.ceil(len(names) / columns), 1)
    figure = make_figure(columns * _PANEL[0], lines * _PANEL[1])
    for place, name in enumerate(names, 1):
        known = [(int(row["step"]), float(row[name])) for row in rows if row.get(name)]
        values = [value if math.isfinite(value) else math.nan for _, value in known]
        axes = figure.add_subplot(lines, columns, place)
        axes.plot([step for step, _ in known], values, linewidth=0.9, marker="." if len(known) == 1 else None)
        axes.set_title(f"{name}: {known[-1][1]:.4g} at {known[-1][0]:,}", fontsize=8)
        axes.tick_params(labelsize=7)
        axes.grid(alpha=0.3)
    return figure
