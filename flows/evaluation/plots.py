"""The plots of an evaluation, by matplotlib: SIFID by start, and action units asked against measured."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from singanimation.flows.evaluation.gathering import Figures
from singanimation.flows.figures.page import SUFFIXES, can_draw, make_figure, write_figure
from singanimation.pipeline.expressions import AU_NAMES

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_plots(folder: Path, figures: Figures) -> list[Path]:
    """Write ``sifid`` and ``action-units`` as PNG and PDF; none without matplotlib, or where nothing was measured."""
    if not can_draw():
        return []
    drawn: dict[str, Figure] = {}
    if figures.sifid:
        figure = make_figure(17.8, 9.1)
        axes = figure.add_subplot()
        groups = {" ".join(key[1:]): values.all() for key, values in figures.sifid.items()}
        axes.violinplot(list(groups.values()), showmedians=True)
        axes.set_xticks(range(1, len(groups) + 1), list(groups))
        axes.set_ylabel(f"SIFID ({', '.join(sorted({key[0] for key in figures.sifid}))})")
        drawn["sifid"] = figure
    if figures.asked:
        figure = make_figure(17.8, 9.1)
        axes = figure.add_subplot()
        units = [unit for unit in AU_NAMES if unit in figures.asked]
        pairs = [(figures.asked[unit].all(), figures.moved[unit].all()) for unit in units]
        places = np.arange(len(units))
        axes.bar(places - 0.2, [np.abs(asked).mean() for asked, _ in pairs], 0.4, label="asked")
        axes.bar(places + 0.2, [(np.sign(asked) * moved).mean() for asked, moved in pairs], 0.4, label="measured")
        axes.set_xticks(places, units, rotation=60)
        axes.set_ylabel("mean change")
        axes.legend()
        drawn["action-units"] = figure
    return [write_figure(folder / f"{name}{suffix}", figure) for name, figure in drawn.items() for suffix in SUFFIXES]
