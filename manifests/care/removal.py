"""Rows that go: of pictures that changed or left (`augment prune`), of a person who withdrew (`augment forget`).

A removal is told before it begins, in ``runs/<id>/removal.json``, with the ids of all its rows: whatever interrupts it,
the same command finishes it, and `augment verify` knows which rows are gone on purpose. Parts are written anew one by
one, each whole before it takes the old one's place. No picture, name or path stays in the record.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from singanimation.manifests.arrow_functions import pc
from singanimation.manifests.care.rewrite import refuse_strange_columns, rewrite_part
from singanimation.manifests.checks.runs import Removed
from singanimation.manifests.reading import iter_tables
from singanimation.pipeline.digests import digest
from singanimation.pipeline.errors import ManifestError
from singanimation.pipeline.files.atomic import atomic_file

RECORD = "removal.json"
COLUMNS = ("variant_id", "parent_id", "kind", "status", "run_id", "dataset", "source_id", "group_id", "edit_donor")
_RECORDED = ("variant_id", "run_id", "kind", "status")


@dataclass
class Removal:
    """What is to go: ids by part, the rows as they are recorded, and how many parts go altogether.

    ``notes`` say why, one sentence each; ``people`` are the (data set, group_id) that are to be forgotten.
    """

    what: str
    ids: dict[Path, list[str]] = field(default_factory=dict)
    rows: list[tuple[str, str, str, str]] = field(default_factory=list)
    whole_parts: int = 0
    notes: list[str] = field(default_factory=list)
    people: list[tuple[str, str]] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        """Return how many rows of each kind go, in a fixed order."""
        kinds = Counter(kind for _, _, kind, _ in self.rows)
        return {kind: kinds[kind] for kind in ("real", "edit", "variant") if kinds[kind]}

    def sentence(self) -> str:
        """Return ``12 rows (1 real, 3 edit, 8 variant) in 2 parts, 1 of which goes altogether``."""
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in self.counts.items())
        whole = f", {self.whole_parts:,} of which go altogether" if self.whole_parts else ""
        return f"{len(self.rows):,} rows ({kinds}) in {len(self.ids):,} parts{whole}"


def plan_removal(what: str, parts: Sequence[Path], unwanted: Callable[[pa.Table], pa.ChunkedArray]) -> Removal:
    """Return what goes where ``unwanted`` says of a table with COLUMNS which rows do. Raises ManifestError."""
    removal = Removal(what)
    for part in parts:
        kept = 0
        for _, table in iter_tables([part], COLUMNS):
            mask = pc.fill_null(unwanted(table), False)
            going = table.filter(mask)
            kept += table.num_rows - going.num_rows
            if going.num_rows:
                removal.ids.setdefault(part, []).extend(going.column("variant_id").to_pylist())
                rows = zip(*(going.column(name).to_pylist() for name in _RECORDED), strict=True)
                removal.rows.extend(rows)
        removal.whole_parts += part in removal.ids and not kept
    return removal


def remove_rows(output: Path, removal: Removal) -> Path:
    """Record the removal, then write its parts anew without these rows; return the record's path.

    Hold the output folder's lock. Raises ManifestError for damaged parts, MachineError for the disk: run it again.
    """
    refuse_strange_columns(list(removal.ids))
    now = datetime.now(UTC)
    run_id = f"{now:%Y%m%dT%H%M%SZ}-{removal.what}-{digest(now.isoformat(), *removal.rows, length=8)}"
    record = output / "runs" / run_id / RECORD
    content = {
        "what": removal.what,
        "when": now.isoformat(),
        "rows": removal.counts,
        "parts": {"written_anew": len(removal.ids) - removal.whole_parts, "removed": removal.whole_parts},
        "removed": [dict(zip(_RECORDED, row, strict=True)) for row in removal.rows],
    }
    with atomic_file(record) as file:
        file.write((json.dumps(content, indent=1) + "\n").encode())
    for part, ids in sorted(removal.ids.items()):
        gone = pa.array(ids, pa.string())
        rewrite_part(part, lambda table, gone=gone: table.filter(_not_in(table, gone)))
    return record


def removed_rows(output: Path, whole: pa.Table) -> Removed:
    """Return what the removals recorded below ``output`` took out; ``whole`` holds variant_id and run_id of all rows.

    A row that is there again does not count: a picture may come back. Raises ManifestError for a damaged record.
    """
    recorded = dict(_records(output))
    names = {row["variant_id"] for rows in recorded.values() for row in rows}
    there = whole.filter(pc.is_in(whole.column("variant_id"), value_set=pa.array(sorted(names), pa.string())))
    present = set(zip(there.column("variant_id").to_pylist(), there.column("run_id").to_pylist(), strict=True))
    gone: dict[str, list[tuple[str, str, str]]] = {}
    counted: set[tuple[str, str]] = set()
    for when, rows in recorded.items():
        for row in rows:
            key = row["variant_id"], row["run_id"]
            if key not in present and key not in counted:
                counted.add(key)
                gone.setdefault(when, []).append((row["run_id"], row["kind"], row["status"]))
    return Removed(gone)


def _records(output: Path) -> Iterator[tuple[str, list[Mapping[str, str]]]]:
    for path in sorted(output.glob(f"runs/*/{RECORD}")):
        try:
            content: Any = json.loads(path.read_text(encoding="utf-8"))
            yield str(content["when"]), [{name: str(row[name]) for name in _RECORDED} for row in content["removed"]]
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise ManifestError(f"{path} has not the form of a removal's record; remove it.") from error


def _not_in(table: pa.Table, ids: pa.Array) -> pa.ChunkedArray:
    return pc.invert(pc.is_in(table.column("variant_id"), value_set=ids))
