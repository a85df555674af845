"""Rejected variants looked at again: under a higher limit they become accepted, without being made anew.

Their pictures and distances are in the manifest, and the limit is no part of what makes a row the same row. This
and compaction are the only two that write a part anew; no row is added or lost.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from singanimation.manifests.arrow_functions import pc
from singanimation.manifests.care.rewrite import rewrite_part
from singanimation.manifests.reading import iter_tables
from singanimation.manifests.schema import SCHEMA

_COLUMNS = ("variant_id", "sifid", "sifid_features", "reason", "image_sha256")


@dataclass(frozen=True)
class Rejected:
    """The rejected variants of one edit in the order of their attempts, how many it lacks, and where its rows lie."""

    variant_ids: tuple[str, ...]
    lacking: int
    parts: tuple[Path, ...]


def accept_rejected(edits: Sequence[Rejected], *, features: str, limit: float) -> int:
    """Accept, edit by edit, the first ``lacking`` rejected variants with a SIFID of at most ``limit``; return how many.

    Only distances on the same ``features`` count: others cannot be compared. Each part is written whole or stays as
    it was. Hold the output folder's lock. Raises ManifestError for damaged parts, MachineError for the disk.
    """
    within = _within([edit for edit in edits if edit.lacking], features, limit)
    chosen: dict[Path, dict[str, float]] = {}
    for edit in edits:
        for variant_id in [name for name in edit.variant_ids if name in within][: edit.lacking]:
            part, sifid = within[variant_id]
            chosen.setdefault(part, {})[variant_id] = sifid
    for part, variants in sorted(chosen.items()):
        rewrite_part(part, partial(_accepted, variants=variants, limit=limit))
    return sum(map(len, chosen.values()))


def _within(edits: Sequence[Rejected], features: str, limit: float) -> dict[str, tuple[Path, float]]:
    """Return the part and the SIFID of each rejected variant that the limit allows."""
    wanted = {name for edit in edits for name in edit.variant_ids}
    parts = sorted({part for edit in edits for part in edit.parts})
    return {
        row["variant_id"]: (part, row["sifid"])
        for part, table in iter_tables(parts, _COLUMNS, status="rejected", kind="variant")
        for row in table.to_pylist()
        if row["variant_id"] in wanted
        and row["reason"] == "sifid"
        and row["sifid_features"] == features
        and row["image_sha256"] is not None
        and row["sifid"] is not None
        and np.float32(row["sifid"]) <= np.float32(limit)
    }


def _accepted(table: pa.Table, variants: Mapping[str, float], limit: float) -> pa.Table:
    ids = table.column("variant_id").to_pylist()
    mask = pa.array([name in variants for name in ids])
    told = [
        f"Rejected at first; accepted since the limit is {limit:.4g} (SIFID {variants[name]:.4g})."
        if name in variants
        else None
        for name in ids
    ]
    changes = {
        "status": pa.scalar("accepted"),
        "reason": pa.scalar(None, pa.string()),
        "message": pa.array(told, pa.string()),
    }
    for name, value in changes.items():
        field = SCHEMA.field(name)
        column = pc.if_else(mask, value, table.column(name).cast(pa.string()))
        column = column.dictionary_encode() if pa.types.is_dictionary(field.type) else column
        table = table.set_column(SCHEMA.get_field_index(name), field, column)
    return table
