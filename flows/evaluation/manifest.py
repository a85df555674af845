"""The tables of a manifest: what its columns say of edits and variants, and what its pictures add."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from singanimation.flows.evaluation.tables import Table, mean_of
from singanimation.manifests.reading import iter_tables, part_paths
from singanimation.pipeline.expressions import AU_NAMES, EMOTIONS

_COLUMNS = (
    "variant_id",
    "kind",
    "parent_id",
    "dataset",
    "source_id",
    "label_name",
    "edit_kind",
    "edit_name",
    "au_source",
    "au_target",
    "au_measured",
    "engine",
    "start_scale",
    "sifid",
    "sifid_features",
    "status",
    "reason",
    "image_sha256",
)
ASKED = 0.1
"""An action unit is asked to change when target and source differ by this much."""


@dataclass
class Figures:
    """A manifest's figures as they are gathered: groups -> source -> values."""

    sifid: dict[tuple[str, str, str], dict[str, list[float]]] = field(default_factory=dict)
    fates: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)
    asked: dict[str, dict[str, list[tuple[float, float]]]] = field(default_factory=dict)
    others: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    drift: dict[tuple[str, str], dict[str, list[float]]] = field(default_factory=dict)
    twins: Counter[str] = field(default_factory=Counter)
    shas: dict[str, int] = field(default_factory=dict)


def gather(output: Path) -> Figures:
    """Read a manifest's figures, one row group at a time. Raises ManifestError."""
    figures = Figures()
    edits: dict[str, np.ndarray] = {}
    waiting: list[Mapping[str, Any]] = []
    for _, table in iter_tables(part_paths(output), _COLUMNS):
        for row in table.to_pylist():
            if row["kind"] == "edit":
                _edit(figures, row)
                if row["au_measured"] is not None:
                    edits[row["variant_id"]] = np.array(row["au_measured"])
            elif row["kind"] == "variant":
                _variant(figures, row)
                waiting.append(
                    {
                        name: row[name]
                        for name in ("parent_id", "au_measured", "engine", "start_scale", "source_id", "status")
                    }
                )
    for row in waiting:
        edit = edits.get(row["parent_id"])
        if edit is not None and row["au_measured"] is not None and row["status"] == "accepted":
            change = float(np.abs(np.array(row["au_measured"]) - edit).max())
            key = (row["engine"], row["start_scale"])
            figures.drift.setdefault(key, {}).setdefault(row["source_id"], []).append(change)
    return figures


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


def _edit(figures: Figures, row: Mapping[str, Any]) -> None:
    if row["status"] != "accepted" or any(row[name] is None for name in ("au_source", "au_target", "au_measured")):
        return
    source, target, measured = (np.array(row[name], float) for name in ("au_source", "au_target", "au_measured"))
    moved = np.abs(target - source) >= ASKED
    for index in np.flatnonzero(moved):
        pair = float(target[index] - source[index]), float(measured[index] - source[index])
        figures.asked.setdefault(AU_NAMES[index], {}).setdefault(row["source_id"], []).append(pair)
    if moved.sum() == 1 and (~moved).any():  # cross-talk can be told where one unit alone is asked for
        others = float(np.abs(measured - source)[~moved].mean())
        figures.others.setdefault(AU_NAMES[int(np.flatnonzero(moved)[0])], {}).setdefault(row["source_id"], []).append(
            others
        )


def _variant(figures: Figures, row: Mapping[str, Any]) -> None:
    key = (row["engine"] or "unknown", row["start_scale"] or "unknown")
    figures.fates.setdefault(key, Counter())[
        "accepted" if row["status"] == "accepted" else row["reason"] or "unknown"
    ] += 1
    if row["status"] == "accepted":
        figures.twins["accepted"] += 1
        if row["image_sha256"] in figures.shas:
            figures.twins["the very same picture"] += 1
        figures.shas[row["image_sha256"]] = 1
    if row["sifid"] is not None and np.isfinite(row["sifid"]):
        group = figures.sifid.setdefault((row["sifid_features"] or "unknown", *key), {})
        group.setdefault(row["source_id"], []).append(float(row["sifid"]))


def _sifid_table(figures: Figures) -> Table:
    rows = []
    for (features, engine, start), groups in sorted(figures.sifid.items()):
        mean = mean_of(groups)
        middle = float(np.median([value for values in groups.values() for value in values]))
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
    same = figures.twins["the very same picture"]
    note = (
        f"Shares of the attempted variants. {same:,} of {figures.twins['accepted']:,} accepted are copies to the byte."
    )
    return Table(
        "fates", "What became of the variants", note, ("engine", "start", "variants", "accepted", *reasons), rows
    )


def _unit_table(figures: Figures) -> Table:
    rows = []
    for unit in AU_NAMES:
        if unit not in figures.asked:
            continue
        pairs = figures.asked[unit]
        asked, change, error = (
            mean_of({name: [of(*pair) for pair in values] for name, values in pairs.items()})
            for of in (lambda a, m: abs(a), lambda a, m: float(np.sign(a)) * m, lambda a, m: abs(a - m))
        )
        others = mean_of(figures.others[unit]).mean if unit in figures.others else None
        rows.append((unit, asked.mean, change, error, others, asked.number))
    note = (
        "Of accepted edits: how far a unit was asked to move, how far it moved that way as measured on the shipped "
        "picture by the run's own estimator, the absolute error, and how far the others moved where it was asked alone."
    )
    columns = ("unit", "asked", "moved", "error", "others moved", "edits")
    return Table("action-units", "Action units asked and measured", note, columns, rows)


def _drift_table(figures: Figures) -> Table:
    rows = [
        (engine, start, mean_of(groups), sum(map(len, groups.values())))
        for (engine, start), groups in sorted(figures.drift.items())
    ]
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
