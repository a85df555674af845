"""What `augment forget` takes out: everything of a person, and everything that was made with their pictures."""

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

import pyarrow as pa

from singanimation.manifests.arrow_functions import pc
from singanimation.manifests.care.removal import Removal, plan_removal
from singanimation.manifests.reading import iter_tables
from singanimation.pipeline.errors import UsageError

_COLUMNS = ("variant_id", "kind", "dataset", "source_id", "group_id", "edit_donor")
_BETWEEN = "\0"


def plan_forget(parts: Sequence[Path], group: str, dataset: str | None = None) -> Removal:
    """Return the removal of a person's rows, of the edits that took their face for a donor, and of these' variants.

    Raises UsageError where there is no such person, with names that are alike; ManifestError for damaged parts.
    """
    sources: set[str] = set()
    people: set[tuple[str, str]] = set()
    groups: set[str] = set()
    for _, table in iter_tables(parts, _COLUMNS):
        groups.update(table.column("group_id").unique().to_pylist())
        for row in table.filter(_of(table, group, dataset)).select(["dataset", "source_id"]).to_pylist():
            sources.add(row["dataset"] + _BETWEEN + row["source_id"])
            people.add((row["dataset"], group))
    if not people:
        alike = get_close_matches(group, groups, cutoff=0.6)
        there = f"; alike are {', '.join(alike)}" if alike else ""
        raise UsageError(f"--group {group}: the manifest has no rows of that person{there}.")
    donated = pa.array(sorted(sources), pa.string())
    edits = pa.array(sorted(_edits_by(parts, donated)), pa.string())

    def unwanted(table: pa.Table) -> pa.ChunkedArray:
        of_edits = pc.or_kleene(_among(table, "variant_id", edits), _among(table, "parent_id", edits))
        return pc.or_kleene(_of(table, group, dataset), pc.or_kleene(_by(table, donated), of_edits))

    removal = plan_removal("forget", parts, unwanted)
    removal.people = sorted(people)
    removal.notes.append(f"{len(sources):,} pictures of that person, and {len(edits):,} edits with them as donors.")
    return removal


def _edits_by(parts: Sequence[Path], donated: pa.Array) -> set[str]:
    found: set[str] = set()
    for _, table in iter_tables(parts, _COLUMNS):
        edits = pc.and_kleene(_by(table, donated), pc.equal(table.column("kind"), "edit"))
        found.update(table.filter(pc.fill_null(edits, False)).column("variant_id").to_pylist())
    return found


def _of(table: pa.Table, group: str, dataset: str | None) -> pa.ChunkedArray:
    own = pc.equal(table.column("group_id"), group)
    return own if dataset is None else pc.and_(own, pc.equal(table.column("dataset"), dataset))


def _by(table: pa.Table, donated: pa.Array) -> pa.ChunkedArray:
    keys = pc.binary_join_element_wise(table.column("dataset"), table.column("edit_donor"), _BETWEEN)
    return pc.is_in(keys, value_set=donated)


def _among(table: pa.Table, column: str, ids: pa.Array) -> pa.ChunkedArray:
    return pc.is_in(table.column(column), value_set=ids)
