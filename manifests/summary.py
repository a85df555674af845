"""Counts of a manifest: what a run prints at its end and saves in ``summary.json``."""

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa

from singanimation.manifests.reading import iter_tables, part_paths
from singanimation.pipeline.expressions import EMOTIONS

_COLUMNS = ("dataset", "source_id", "kind", "split", "status", "reason", "label_name", "edit_kind")
UNLABELLED = "unlabelled"


def summarize(path: Path | str, *, per_image: int | None = None) -> dict[str, Any]:
    """Return the counts of a manifest as plain values, ready for JSON.

    ``rows`` per kind and status, ``reasons`` of what is not accepted, ``classes`` per split and label (``real``,
    ``variants`` accepted), ``edit_kinds`` of accepted variants, ``sources`` and ``accepted``. With ``per_image``,
    ``short`` lists the sources that have a usable face and yet fewer accepted variants, with how many they have.
    Raises ManifestError where there is no manifest.
    """
    counts: Counter[tuple[Any, ...]] = Counter()
    accepted: dict[tuple[str, str], int] = {}
    for _, table in iter_tables(part_paths(path), _COLUMNS):
        counts.update(_grouped(table))
        for (dataset, source_id), count in _accepted_per_source(table):
            accepted[dataset, source_id] = accepted.get((dataset, source_id), 0) + count
    summary = _tally(counts)
    summary["sources"] = len(accepted)
    if per_image is not None:
        failed = _failed_sources(path)
        short = {key: have for key, have in accepted.items() if have < per_image and key not in failed}
        summary["short"] = [
            {"dataset": dataset, "source_id": source_id, "accepted": have}
            for (dataset, source_id), have in sorted(short.items())
        ]
    return summary


def _grouped(table: pa.Table) -> dict[tuple[Any, ...], int]:
    names = ["kind", "status", "split", "reason", "label_name", "edit_kind"]
    plain = pa.table({name: table.column(name).cast(pa.string()) for name in names})
    groups = plain.group_by(names).aggregate([([], "count_all")])
    columns = [groups.column(name).to_pylist() for name in (*names, "count_all")]
    return {key: count for *key, count in zip(*columns, strict=True) for key in [tuple(key)]}


def _accepted_per_source(table: pa.Table) -> list[tuple[tuple[str, str], int]]:
    """Return accepted variants per (data set, source), sources without any included."""
    kind, status = table.column("kind").to_pylist(), table.column("status").to_pylist()
    good = [k == "variant" and s == "accepted" for k, s in zip(kind, status, strict=True)]
    plain = pa.table({"dataset": table.column("dataset"), "source_id": table.column("source_id"),
                      "good": pa.array(good, pa.bool_())})  # fmt: skip
    groups = plain.group_by(["dataset", "source_id"]).aggregate([("good", "sum")])
    keys = zip(groups.column("dataset").to_pylist(), groups.column("source_id").to_pylist(), strict=True)
    return list(zip(keys, (int(count) for count in groups.column("good_sum").to_pylist()), strict=True))


def _failed_sources(path: Path | str) -> set[tuple[str, str]]:
    """Return the sources whose own row failed or was rejected: they have no face to make variants of."""
    found: set[tuple[str, str]] = set()
    columns = ("dataset", "source_id")
    for _, table in iter_tables(part_paths(path), columns, kind="real", status=("failed", "rejected")):
        found.update(zip(*(table.column(name).to_pylist() for name in columns), strict=True))
    return found


def _tally(counts: Counter[tuple[Any, ...]]) -> dict[str, Any]:
    rows: dict[str, Counter[str]] = {}
    reasons: Counter[str] = Counter()
    classes: dict[str, dict[str, Counter[str]]] = {}
    edit_kinds: Counter[str] = Counter()
    for (kind, status, split, reason, label, edit_kind), count in counts.items():
        rows.setdefault(kind, Counter())[status] += count
        if status != "accepted":
            reasons[reason or "unknown"] += count
            continue
        if kind == "edit":
            continue
        cell = classes.setdefault(split, {}).setdefault(label or UNLABELLED, Counter())
        cell["real" if kind == "real" else "variants"] += count
        if kind == "variant":
            edit_kinds[edit_kind or "unknown"] += count
    order = [*EMOTIONS, UNLABELLED]
    return {
        "rows": {kind: dict(sorted(row.items())) for kind, row in sorted(rows.items())},
        "accepted": rows.get("variant", Counter())["accepted"],
        "reasons": dict(sorted(reasons.items())),
        "classes": {
            split: {label: {"real": cell[label]["real"], "variants": cell[label]["variants"]}
                    for label in order if label in cell}
            for split, cell in sorted(classes.items())
        },
        "edit_kinds": dict(sorted(edit_kinds.items())),
    }  # fmt: skip
