"""Rows among one another: ids that occur twice, whole parts that do, parents that are not there."""

from collections import defaultdict

import pyarrow as pa

from singanimation.manifests.arrow_functions import pc
from singanimation.manifests.checks.findings import Verification, listed, make_anew

PART = "part"
"""The column that says which file a row is in."""

ID_COLUMNS = ("variant_id", "parent_id", "kind", PART)
REAL_COLUMNS = ("dataset", "source_id", "source_sha256", "label_name")
_PARENTS = (("edit", "real"), ("variant", "edit"))


def check_ids(whole: pa.Table, result: Verification) -> None:
    """Check a table with ID_COLUMNS of all rows."""
    counts = whole.group_by("variant_id").aggregate([([], "count_all")])
    doubled = counts.filter(pc.greater(counts.column("count_all"), 1)).column("variant_id")
    copies = _copies(whole, doubled)
    advice = f"remove {listed(copies)}, whose rows are all in other parts" if copies else ""
    if len(doubled) and not copies:
        rows = whole.filter(pc.is_in(whole.column("variant_id"), value_set=doubled.combine_chunks()))
        advice = make_anew(rows.column(PART).to_pylist())
    result.add("duplicates", "{count} ids occur more than once", sorted(doubled.to_pylist()), advice)
    kinds = {kind: whole.filter(pc.equal(whole.column("kind"), kind)) for kind in ("real", "edit", "variant")}
    for kind, parent in _PARENTS:
        known = pc.is_in(kinds[kind].column("parent_id"), value_set=kinds[parent].column("variant_id").combine_chunks())
        lost = kinds[kind].filter(pc.invert(known))
        names, parts = (lost.column(name).to_pylist() for name in ("variant_id", PART))
        sentence = f"{{count}} {kind} rows have no {parent} row as their parent"
        result.add("parents", sentence, sorted(names), make_anew(parts))


def changed_sources(real: pa.Table) -> list[str]:
    """Return notes on real rows (with REAL_COLUMNS) that cannot all be of the data set as it is now.

    A replaced picture has two rows of one source, a moved one has rows of two with different labels. Which is the
    older the data set alone can tell; two inputs of one name, or the same picture twice in a data set, look alike.
    """
    notes = []
    real = real.filter(pc.is_valid(real.column("source_sha256")))  # what could not be read has none
    for columns, other, sentence in (
        (["dataset", "source_id"], "source_sha256", "sources have real rows of different pictures"),
        (["dataset", "source_sha256"], "label_name", "pictures have real rows with different labels"),
    ):
        groups = real.group_by(columns).aggregate([(other, "count_distinct")])
        several = groups.filter(pc.greater(groups.column(f"{other}_count_distinct"), 1)).column(columns[1])
        if len(several):
            names = listed(sorted(several.to_pylist()))
            notes.append(f"{len(several):,} {sentence} ({names}): replaced or moved? --input DATA tells.")
    return notes


def _copies(whole: pa.Table, doubled: pa.ChunkedArray) -> list[str]:
    """Return the parts that can go because each of their rows is in a part that stays; strange and long names go first.

    A copy is called ``copy of part-...`` or ``part-... (1)``.
    """
    if not len(doubled):
        return []
    rows = whole.filter(pc.is_in(whole.column("variant_id"), value_set=doubled.combine_chunks()))
    held: dict[str, set[str]] = defaultdict(set)
    for name, part in zip(rows.column("variant_id").to_pylist(), rows.column(PART).to_pylist(), strict=True):
        held[part].add(name)
    sizes = {row["values"]: row["counts"] for row in pc.value_counts(whole.column(PART)).to_pylist()}
    gone: list[str] = []
    for part in sorted(held, key=lambda name: (name.startswith("part-"), -len(name), name)):
        elsewhere = set().union(*(ids for other, ids in held.items() if other != part and other not in gone))
        if len(held[part]) == sizes[part] and held[part] <= elsewhere:
            gone.append(part)
    return gone
