"""Counts of a manifest: what a run prints at its end and saves in ``summary.json``."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from singanimation.manifests.arrow_functions import pc
from singanimation.manifests.reading import iter_tables, part_paths
from singanimation.manifests.schema import SCHEMA
from singanimation.pipeline.expressions import EMOTIONS

_COLUMNS = ("dataset", "source_id", "kind", "split", "status", "reason", "label_name", "edit_kind")
_PLAIN = pa.schema([pa.field(name, pa.string(), nullable=SCHEMA.field(name).nullable) for name in _COLUMNS])
_BATCH_TABLES = 500
UNLABELLED = "unlabelled"


def summarize(path: Path | str, *, per_image: int | None = None) -> dict[str, Any]:
    """Return the counts of a manifest as plain values, ready for JSON.

    ``rows`` per kind and status, ``reasons`` of what is not accepted, ``classes`` per split and label (``real``,
    ``variants`` accepted), ``edit_kinds`` of accepted variants, ``sources`` and ``accepted``. With ``per_image``,
    ``short`` lists the sources that have a usable face and yet fewer accepted variants, with how many they have.
    Raises ManifestError where there is no manifest.
    """
    counts: Counter[tuple[Any, ...]] = Counter()
    accepted: Counter[tuple[str, str]] = Counter()
    unusable: set[tuple[str, str]] = set()
    for table in _batches(path):
        counts.update(_grouped(table))
        for key, count, without_face in _sources(table):
            accepted[key] += count
            if without_face:
                unusable.add(key)
    summary = _tally(counts)
    summary["sources"] = len(accepted)
    if per_image is not None:
        summary["short"] = [
            {"dataset": dataset, "source_id": source_id, "accepted": have}
            for (dataset, source_id), have in sorted(accepted.items())
            if have < per_image and (dataset, source_id) not in unusable
        ]
    return summary


def _batches(path: Path | str) -> Iterator[pa.Table]:
    """Yield the small columns of many parts in one table: counting part by part would take minutes for a million."""
    waiting: list[pa.Table] = []
    for _, table in iter_tables(part_paths(path), _COLUMNS):
        waiting.append(table.replace_schema_metadata(None).cast(_PLAIN))
        if len(waiting) >= _BATCH_TABLES:
            yield pa.concat_tables(waiting)
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting)


def _grouped(table: pa.Table) -> dict[tuple[Any, ...], int]:
    names = ["kind", "status", "split", "reason", "label_name", "edit_kind"]
    groups = table.group_by(names).aggregate([([], "count_all")])
    columns = [groups.column(name).to_pylist() for name in names]
    return dict(zip(zip(*columns, strict=True), groups.column("count_all").to_pylist(), strict=True))


def _sources(table: pa.Table) -> Iterator[tuple[tuple[str, str], int, bool]]:
    """Yield (data set, source), its accepted variants, and whether its own row failed or was rejected."""
    kind, accepted = table.column("kind"), pc.equal(table.column("status"), "accepted")
    good = pc.and_(pc.equal(kind, "variant"), accepted)
    bad = pc.and_(pc.equal(kind, "real"), pc.invert(accepted))
    plain = table.select(["dataset", "source_id"]).append_column("good", good.cast(pa.int64()))
    groups = plain.append_column("bad", bad).group_by(["dataset", "source_id"])
    for row in groups.aggregate([("good", "sum"), ("bad", "any")]).to_pylist():
        yield (row["dataset"], row["source_id"]), row["good_sum"], row["bad_any"]


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
            split: {
                label: {"real": cell[label]["real"], "variants": cell[label]["variants"]}
                for label in order
                if label in cell
            }
            for split, cell in sorted(classes.items())
        },
        "edit_kinds": dict(sorted(edit_kinds.items())),
    }
