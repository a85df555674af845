"""The tables of `augment evaluate models`: an estimator's figures, and an edit's, a row an action unit."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from singanimation.stages.expansion.evaluation.figures import UnitFigures

_WIDE = 170


def table_of_edits(
    figures: "Sequence[UnitFigures]", title: str, sees: Mapping[str, float | None] | None = None
) -> Table:
    """A row per AU: asked, wanted and measured (by each judge), rising, regions, lowering, and what else moved.

    ``sees``: the share of a known change that the (one) judge sees. Where it is given it has a column, and another says
    what was measured divided by it (the usual correction for attenuation; labels that err make it too large).
    """
    from singanimation.stages.expansion.evaluation.figures import CROSS_TALK, SEEN

    caption = (
        f"Regions: mean absolute difference of 255; cross-talk should stay below {CROSS_TALK:g}, the unit's own "
        f"region (AU06, AU09, AU14) reach {SEEN:g}. still: the same at strength 0."
        + (
            " judge sees: its share of known changes, on warped faces; corrected: measured, divided by it."
            if sees
            else ""
        )
    )
    table = Table(title=title, caption=caption)
    for heading in _cells(figures[0], sees) if figures else ("AU",):
        table.add_column(heading, justify="right", no_wrap=heading == "also moved")
    for one in figures:
        table.add_row(*_cells(one, sees).values())
    return table


def _cells(one: "UnitFigures", sees: Mapping[str, float | None] | None) -> dict[str, str]:
    from singanimation.stages.expansion.evaluation.figures import WANTED

    moved = sorted(one.others.items(), key=lambda pair: -abs(pair[1]))[:2]
    several = len(one.measured) > 1
    named = {key: f" ({key})" if several else "" for key in one.measured}
    cells = {
        "AU": one.unit,
        "faces": str(one.faces),
        "asked": f"{one.asked:.2f}",
        "wanted": f"{WANTED[one.unit]:.2f}" if one.unit in WANTED else "",
    }
    cells |= {f"measured{named[key]}": f"{value:+.2f}" for key, value in one.measured.items()}
    if sees:
        share = sees[one.unit]
        cells["judge sees"] = "" if share is None else f"{share:.0%}"
        cells["corrected"] = "" if not share else f"{next(iter(one.measured.values())) / share:+.2f}"
    cells |= {f"rising{named[key]}": f"{value:.0%}" for key, value in one.rising.items()}
    regions = {
        "cross-talk": one.cross_talk,
        "eyes": one.eye_change,
        "mouth": one.mouth_change,
        "background": one.background_change,
        "own region": one.shown,
        "still": one.still,
    }
    cells |= {name: "" if value is None else f"{value:.1f}" for name, value in regions.items()}
    cells |= {
        f"lowered{named[key]}": f"{one.lowered[key]:+.2f} ({one.lowered_on})" if one.lowered else ""
        for key in one.measured
    }
    cells["also moved"] = ", ".join(f"{name[2:]} {value:+.2f}" for name, value in moved if abs(value) >= 0.05)
    return cells


def csv_of_edits(figures: "Sequence[UnitFigures]", sees: Mapping[str, float | None]) -> str:
    """Return the same table as CSV; its head alone where there are no figures."""
    rows = [_cells(one, sees) for one in figures]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else ["AU"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def wide_console() -> Console:
    """The terminal; where there is none (a file, a pipe), wide enough for the widest table."""
    console = Console(markup=False, emoji=False)
    return console if console.is_terminal else Console(width=_WIDE, markup=False, emoji=False)


def show_estimator(figures: dict[str, Any], console: Console) -> None:
    """Print a table of an estimator's figures on photographs, and on warped faces where they were measured."""
    for name in ("photographs", "warped"):
        if name not in figures:
            continue
        part = figures[name]
        table = Table(title=f"AU estimator, {part['faces']} {name}", caption=_landmark_line(part))
        for heading in ("AU", "correlation", "mean absolute error", "spread of the label"):
            table.add_column(heading, justify="right")
        for unit, row in part["action_units"].items():
            correlation = "constant" if row["correlation"] is None else f"{row['correlation']:.2f}"
            table.add_row(unit, correlation, f"{row['mean_absolute_error']:.3f}", f"{row['label_spread']:.3f}")
        console.print(table)


def _landmark_line(part: dict[str, Any]) -> str | None:
    error = part.get("landmark_error_68")
    return None if error is None or not np.isfinite(error) else f"68 landmarks: {error:.2f}% of the eyes' distance"
