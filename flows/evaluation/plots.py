"""The plots of an evaluation, by matplotlib: SIFID by start, and action units asked against measured."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from singanimation.flows.evaluation.manifest import Figures
from singanimation.pipeline.expressions import AU_NAMES
from singanimation.pipeline.files.atomic import atomic_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_plots(folder: Path, figures: Figures) -> list[Path]:
    """Write ``sifid.png`` and ``action-units.png``; none without matplotlib, or where nothing was measured."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return []
    done = []
    if figures.sifid:
        figure = Figure(figsize=(7, 3.6), layout="constrained")
        axes = figure.add_subplot()
        groups = {
            " ".join(key[1:]): [v for values in group.values() for v in values] for key, group in figures.sifid.items()
        }
        axes.violinplot(list(groups.values()), showmedians=True)
        axes.set_xticks(range(1, len(groups) + 1), list(groups))
        axes.set_ylabel(f"SIFID ({', '.join(sorted({key[0] for key in figures.sifid}))})")
        done.append(_save(figure, folder / "sifid.png"))
    if figures.asked:
        figure = Figure(figsize=(7, 3.6), layout="constrained")
        axes = figure.add_subplot()
        units = [unit for unit in AU_NAMES if unit in figures.asked]
        pairs = [np.array([pair for values in figures.asked[unit].values() for pair in values]) for unit in units]
        places = np.arange(len(units))
        axes.bar(places - 0.2, [np.abs(pair[:, 0]).mean() for pair in pairs], 0.4, label="asked")
        axes.bar(places + 0.2, [(np.sign(pair[:, 0]) * pair[:, 1]).mean() for pair in pairs], 0.4, label="measured")
        axes.set_xticks(places, units, rotation=60)
        axes.set_ylabel("mean change")
        axes.legend()
        done.append(_save(figure, folder / "action-units.png"))
    return done


def _save(figure: "Figure", path: Path) -> Path:
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=150, metadata={"Software": None})
    with atomic_file(path) as file:
        file.write(out.getvalue())
    return path
