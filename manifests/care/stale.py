"""Rows that the data set no longer bears out: their picture is gone, another one, or means something else now."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from singanimation.manifests.arrow_functions import pc
from singanimation.manifests.reading import iter_tables
from singanimation.pipeline.datasets.dataset import Dataset
from singanimation.pipeline.errors import PictureError
from singanimation.pipeline.files.pictures import source_bytes
from singanimation.pipeline.records import Source

REASONS = {
    "gone": "{count} sources are not in the data set any more",
    "moved": "{count} sources lie elsewhere in the data set now (another class or name)",
    "replaced": "{count} sources are other pictures now",
    "label": "{count} sources have another label now",
    "split": "{count} sources are in another split now",
    "group": "{count} sources belong to another person now",
}
_COLUMNS = ("variant_id", "kind", "dataset", "source_id", "source_sha256", "split", "group_id", "label_name")
_Key = tuple[str, str, str | None]


@dataclass
class Stale:
    """What is stale: the rows' ids, and the sources by reason; ``known`` counts the sources that are as they were."""

    ids: set[str] = field(default_factory=set)
    sources: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    known: int = 0

    @property
    def total(self) -> int:
        """How many sources are stale."""
        return sum(map(len, self.sources.values()))

    def sentences(self) -> list[tuple[str, list[str]]]:
        """Return (sentence with ``{count}``, sources) for each reason that was met."""
        return [(REASONS[reason], sorted(self.sources[reason])) for reason in REASONS if self.sources.get(reason)]

    def mask(self, table: pa.Table) -> pa.ChunkedArray:
        """Return which rows of a table with ``variant_id`` are stale."""
        return pc.is_in(table.column("variant_id"), value_set=pa.array(sorted(self.ids), pa.string()))


def find_stale(parts: Sequence[Path], datasets: Sequence[Dataset], *, pictures: bool = True) -> Stale:
    """Compare a manifest's rows with the data sets that they came from; rows of other data sets are left alone.

    ``pictures`` False does not read the sources' files: then replaced pictures are not found. A picture that cannot be
    read just now is not stale. Raises ManifestError for damaged parts.
    """
    sources = {(source.dataset, source.source_id): source for dataset in datasets for source in dataset.sources}
    names = {source.dataset for source in sources.values()}
    rows = _rows(parts, names)
    now = {key: _sha256(sources[key]) if pictures else None for key in {key[:2] for key in rows} if key in sources}
    elsewhere = {sha256 for sha256 in now.values() if sha256}
    if pictures and any(key[:2] not in sources and key[2] not in elsewhere for key in rows):
        held = {key[:2] for key in rows}  # a picture that moved since the last run is in no row yet
        elsewhere |= {_sha256(source) or "" for key, source in sources.items() if key not in held}
    stale = Stale()
    for key, told in rows.items():
        reason = _reason(key, told, sources.get(key[:2]), now.get(key[:2]), elsewhere)
        if reason is None:
            stale.known += 1
        else:
            stale.sources[reason].append(key[1])
            stale.ids.update(told.ids)
    return stale


@dataclass
class _Told:
    """What the rows of one source (by its bytes) say."""

    ids: list[str] = field(default_factory=list)
    splits: set[str] = field(default_factory=set)
    groups: set[str] = field(default_factory=set)
    labels: set[str | None] = field(default_factory=set)


def _rows(parts: Sequence[Path], names: set[str]) -> dict[_Key, _Told]:
    found: dict[_Key, _Told] = defaultdict(_Told)
    wanted = pa.array(sorted(names), pa.string())
    for _, table in iter_tables(parts, _COLUMNS):
        ours = table.filter(pc.is_in(table.column("dataset"), value_set=wanted))
        for row in ours.to_pylist():
            told = found[row["dataset"], row["source_id"], row["source_sha256"]]
            told.ids.append(row["variant_id"])
            told.splits.add(row["split"])
            told.groups.add(row["group_id"])
            if row["kind"] == "real":
                told.labels.add(row["label_name"])
    return found


def _reason(key: _Key, told: _Told, source: Source | None, sha256: str | None, elsewhere: set[str]) -> str | None:
    if source is None:
        return "moved" if key[2] in elsewhere else "gone"
    if None not in (key[2], sha256) and key[2] != sha256:
        return "replaced"
    if told.labels - {source.label}:
        return "label"
    if told.splits != {source.split}:
        return "split"
    return "group" if told.groups != {source.group_id or source.source_id} else None


def _sha256(source: Source) -> str | None:
    try:
        return hashlib.sha256(source_bytes(source)).hexdigest()
    except PictureError:
        return None
