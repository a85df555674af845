"""The tables of a manifest: what its columns say of edits and variants, and what its pictures add."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from singanimation.flows.evaluation.gathering import Figures
from singanimation.flows.evaluation.tables import Table
from singanimation.manifests.reading import iter_tables, part_paths
from singanimation.pipeline.expressions import AU_NAMES, EMOTIONS


def tables_of(figures: Figures) -> list[Table]:
    """Return the tables that have rows."""
    tables = [_sifid_table(figures), _fate_table(figures), _unit_table(figures), _drift_table(figures)]
    return [table for table in tables if table.rows]


def agreement_table(
    output: Path, judge: Callable[[np.ndarray], np.ndarray], decode: Callable[[bytes], np.ndarray], most: int
) -> Table:
    """Return how often a classifier reads edits and variants as their own label: of at most ``most`` of each class.

    ``judge`` maps uint8 crops (N, 128, 128, 3) to probabilities (N, 7), ``decode`` a row's picture to a crop.
    """
    counts: dict[tuple[str, str], list[bool]] = {}
    wanted = ("kind", "image", "label_name", "status", "edit_kind")
    for _, table in iter_tables(part_paths(output), wanted, status="accepted"):
        for row in table.to_pylist():
            if row["kind"] == "real" and row["image"] is None or row["label_name"] not in EMOTIONS:
                continue
            seen = counts.setdefault((row["kind"], row["label_name"]), [])
            if len(seen) < most:
                found = int(judge(decode(row["image"]["bytes"])[None])[0].argmax())
                seen.append(EMOTIONS[found] == row["label_name"])
    rows = [(kind, label, float(np.mean(seen)), len(seen)) for (kind, label), seen in sorted(counts.items())]
    note = "Share of pictures that the given expression classifier reads as their label."
    return Table(
        "agreement", "Agreement of an expression classifier", note, ("kind", "label", "recall", "pictures"), rows
    )


def _sifid_table(figures: Figures) -> Table:
    rows = []
    for (features, engine, start), values in sorted(figures.sifid.items()):
        mean, middle = values.mean(), float(np.median(values.all()))
        rows.append((features, engine, start, mean, middle, mean.number, mean.groups))
    note = (
        "Of all attempted variants, accepted or not, to their edit; mean over sources with a 95% bootstrap interval. "
        "Only figures of the same features can be compared."
    )
    columns = ("features", "engine", "start", "SIFID", "median", "variants", "sources")
    return Table("sifid", "SIFID by start scale", note, columns, rows)


def _fate_table(figures: Figures) -> Table:
    reasons = sorted({reason for fates in figures.fates.values() for reason in fates} - {"accepted"})
    rows = []
    for (engine, start), fates in sorted(figures.fates.items()):
        whole = sum(fates.values())
        rows.append((engine, start, whole, *(float(fates[name] / whole) for name in ("accepted", *reasons))))
    accepted = sum(fates["accepted"] for fates in figures.fates.values())
    note = f"Shares of the attempted variants. {figures.twins():,} of {accepted:,} accepted are copies to the byte."
    return Table(
        "fates", "What became of the variants", note, ("engine", "start", "variants", "accepted", *reasons), rows
    )


def _unit_table(figures: Figures) -> Table:
    rows = []
    for unit in AU_NAMES:
        if unit not in figures.asked:
            continue
        values = figures.asked[unit]
        aim, moved = values.all(), figures.moved[unit].all()
        asked, change, error = (values.mean(of) for of in (np.abs(aim), np.sign(aim) * moved, np.abs(aim - moved)))
        others = figures.others[unit].mean().mean if unit in figures.others else None
        rows.append((unit, asked.mean, change, error, others, asked.number))
    note = (
        "Of accepted edits: how far a unit was asked to move, how far it moved that way as measured on the shipped "
        "picture by the run's own estimator, the absolute error, and how far the others moved where it was asked alone."
    )
    columns = ("unit", "asked", "moved", "error", "others moved", "edits")
    return Table("action-units", "Action units asked and measured", note, columns, rows)


def _drift_table(figures: Figures) -> Table:
    means = [(key, values.mean()) for key, values in sorted(figures.drift.items())]
    rows = [(engine, start, mean, mean.number) for (engine, start), mean in means]
    note = "The most-moved action unit of an accepted variant against its edit, mean over sources."
    return Table(
        "drift", "Action units of variants against their edits", note, ("engine", "start", "drift", "variants"), rows
    )


def people_table(rates: Mapping[str, Any], correlation: tuple[float, int] | None) -> Table:
    """Return people's confusion by start scale, of a study's ``confusion_rates``; see ``flows.study.score``."""
    rows: list[Sequence[Any]] = [
        (name, rate.share, rate.deviation, rate.number, rate.subjects) for name, rate in rates.items()
    ]
    note = "Share of synthetic pictures that people took for real (0.5: as good as guessing), with bootstrap deviation."
    if correlation is not None:
        note += f" Rank correlation of a variant's SIFID with it: {correlation[0]:.2f} over {correlation[1]} variants."
    return Table(
        "people", "Real or fake by people", note, ("shown", "confusion", "deviation", "answers", "people"), rows
    )
