"""A manifest's figures as they are gathered: numbers by group and source, some bytes each, however many rows."""

from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from singanimation.flows.evaluation.tables import Mean, mean_by
from singanimation.manifests.reading import iter_tables, part_paths
from singanimation.pipeline.expressions import AU_NAMES

_COLUMNS = (
    "variant_id",
    "kind",
    "parent_id",
    "source_id",
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

_KEPT_EDITS = 20_000

Key = tuple[str, str]
"""Engine and start scale."""


class Values:
    """Numbers of a group with the sources that they are of: 12 bytes each."""

    def __init__(self) -> None:
        self._sources, self._values = array("I"), array("d")

    def add(self, source: int, value: float) -> None:
        """Add a number of a source, which is given by its place in a list."""
        self._sources.append(source)
        self._values.append(value)

    def all(self) -> np.ndarray:
        """Return the numbers, float64 (N,), in the order in which they came."""
        return np.array(self._values)

    def mean(self, values: np.ndarray | None = None) -> Mean:
        """Return the mean over the sources' means, of ``values`` (N,) in the place of the numbers where given."""
        return mean_by(np.array(self._sources), self.all() if values is None else values)


@dataclass
class Figures:
    """Groups and their numbers; of ``asked`` and ``moved`` those of one unit belong together, one by one."""

    sifid: dict[tuple[str, str, str], Values] = field(default_factory=dict)
    fates: dict[Key, Counter[str]] = field(default_factory=dict)
    asked: dict[str, Values] = field(default_factory=dict)
    moved: dict[str, Values] = field(default_factory=dict)
    others: dict[str, Values] = field(default_factory=dict)
    drift: dict[Key, Values] = field(default_factory=dict)
    pictures: array = field(default_factory=lambda: array("Q"))
    _sources: dict[str, int] = field(default_factory=dict)

    def source(self, name: str) -> int:
        """Return the number that stands for a source."""
        return self._sources.setdefault(name, len(self._sources))

    def twins(self) -> int:
        """Return how many accepted variants have the bytes of another one (by 64 bits of their hashes)."""
        return len(self.pictures) - len(np.unique(np.array(self.pictures)))


@dataclass
class _Variant:
    """An accepted variant whose edit is not known yet."""

    parent: str
    units: np.ndarray
    key: Key
    source: int


def gather(output: Path) -> Figures:
    """Read a manifest's figures, one row group at a time. Raises ManifestError.

    A variant is compared with its edit as they come, which lie together; the others' edits are looked up afterwards.
    """
    figures, edits, waiting = Figures(), dict[str, np.ndarray](), list[_Variant]()
    for row in _rows(output, _COLUMNS):
        if row["kind"] == "edit":
            _edit(figures, row)
            if row["au_measured"] is not None:
                edits[row["variant_id"]] = _units(row)
                if len(edits) > _KEPT_EDITS:
                    edits.pop(next(iter(edits)))
        elif row["kind"] == "variant":
            _variant(figures, row)
            if row["au_measured"] is not None and row["status"] == "accepted":
                variant = _Variant(row["parent_id"], _units(row), _key(row), figures.source(row["source_id"]))
                if not _drift(figures, variant, edits):
                    waiting.append(variant)
    if waiting:
        found = _edits_of(output, {variant.parent for variant in waiting})
        for variant in waiting:
            _drift(figures, variant, found)
    return figures


def _rows(output: Path, columns: tuple[str, ...], **chosen: str) -> Iterator[Mapping[str, Any]]:
    for _, table in iter_tables(part_paths(output), columns, **chosen):
        yield from table.to_pylist()


def _edits_of(output: Path, wanted: set[str]) -> dict[str, np.ndarray]:
    rows = _rows(output, ("variant_id", "kind", "au_measured"), kind="edit")
    return {row["variant_id"]: _units(row) for row in rows if row["variant_id"] in wanted and row["au_measured"]}


def _units(row: Mapping[str, Any]) -> np.ndarray:
    return np.array(row["au_measured"], np.float32)


def _drift(figures: Figures, variant: _Variant, edits: Mapping[str, np.ndarray]) -> bool:
    """Add how far the most-moved unit of a variant is from its edit's; return whether that edit is among ``edits``."""
    edit = edits.get(variant.parent)
    if edit is None:
        return False
    change = float(np.abs(variant.units.astype(float) - edit).max())
    figures.drift.setdefault(variant.key, Values()).add(variant.source, change)
    return True


def _edit(figures: Figures, row: Mapping[str, Any]) -> None:
    if row["status"] != "accepted" or any(row[name] is None for name in ("au_source", "au_target", "au_measured")):
        return
    number = figures.source(row["source_id"])
    source, target, measured = (np.array(row[name], float) for name in ("au_source", "au_target", "au_measured"))
    moved = np.abs(target - source) >= ASKED
    for index in np.flatnonzero(moved):
        figures.asked.setdefault(AU_NAMES[index], Values()).add(number, float(target[index] - source[index]))
        figures.moved.setdefault(AU_NAMES[index], Values()).add(number, float(measured[index] - source[index]))
    if moved.sum() == 1 and (~moved).any():  # cross-talk can be told where one unit alone is asked for
        others = float(np.abs(measured - source)[~moved].mean())
        figures.others.setdefault(AU_NAMES[int(np.flatnonzero(moved)[0])], Values()).add(number, others)


def _variant(figures: Figures, row: Mapping[str, Any]) -> None:
    fate = "accepted" if row["status"] == "accepted" else row["reason"] or "unknown"
    figures.fates.setdefault(_key(row), Counter())[fate] += 1
    if row["status"] == "accepted" and row["image_sha256"] is not None:
        figures.pictures.append(int(row["image_sha256"][:16], 16))
    if row["sifid"] is not None and np.isfinite(row["sifid"]):
        group = figures.sifid.setdefault((row["sifid_features"] or "unknown", *_key(row)), Values())
        group.add(figures.source(row["source_id"]), float(row["sifid"]))


def _key(row: Mapping[str, Any]) -> Key:
    return row["engine"] or "unknown", row["start_scale"] or "unknown"
