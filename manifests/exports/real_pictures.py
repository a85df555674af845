"""The real pictures of an export: of the data set itself, where it is at hand, each with the manifest's row of it."""

import hashlib
from pathlib import Path
from typing import Any

import pyarrow as pa

from singanimation.manifests.reading import iter_tables
from singanimation.manifests.schema import SCHEMA
from singanimation.pipeline.datasets.dataset import Dataset
from singanimation.pipeline.digests import real_row_id
from singanimation.pipeline.errors import PictureError
from singanimation.pipeline.expressions import EMOTION_INDEX
from singanimation.pipeline.files.pictures import source_bytes
from singanimation.pipeline.records import Source

_COLUMNS = [name for name in SCHEMA.names if name != "image"]


class DataSetPictures:
    """A data set beside a manifest of it: its pictures with their rows, and which rows are of pictures it still has."""

    def __init__(self, dataset: Dataset, parts: list[Path]) -> None:
        """Take up the manifest's real rows. Raises ManifestError for damaged parts."""
        self.sources = dataset.sources
        self._sha256: dict[tuple[str, str], str] = {}
        self._digests: set[str] = set()
        self._sources = {(source.dataset, source.source_id): source for source in dataset.sources}
        self._names = {source.dataset for source in dataset.sources}
        tables = [table for _, table in iter_tables(parts, _COLUMNS, kind="real")]
        self._rows = pa.concat_tables(tables or [SCHEMA.empty_table().select(_COLUMNS)])
        # by name and bytes; by the bytes alone where the data set goes by another name now
        self._places: dict[tuple[str | None, ...], int] = {}
        names = (self._rows.column(name).to_pylist() for name in ("dataset", "source_id", "source_sha256"))
        for place, key in enumerate(zip(*names, strict=True)):
            self._places.setdefault(key, place)
            self._places.setdefault(key[2:], place)
        self.known = 0

    def read(self, source: Source) -> tuple[bytes, dict[str, Any]]:
        """Return a picture's bytes and its row: what the data set says, and what the runs measured on it.

        The row is ``accepted`` whatever the runs could make of the picture: a face that was not found is a reason not
        to augment a picture, not to leave it out of its own data set. Raises PictureError where it cannot be read.
        """
        data = source_bytes(source)
        sha256 = hashlib.sha256(data).hexdigest()
        self._sha256[source.dataset, source.source_id] = sha256
        self._digests.add(sha256)
        row = self._row(source, sha256)
        told = {
            "variant_id": row["variant_id"] or real_row_id(source.dataset, source.source_id, sha256),
            "kind": "real",
            "dataset": source.dataset,
            "source_id": source.source_id,
            "source_path": source.source_path,
            "source_sha256": sha256,
            "split": source.split,
            "group_id": source.group_id or source.source_id,
            "licence": source.licence,
            "label": None if source.label is None else EMOTION_INDEX[source.label],
            "label_name": source.label,
            "source_label": source.source_label,
            "label_weights": None if source.label_weights is None else list(source.label_weights),
            "label_origin": "source" if source.label is not None else None,
            "status": "accepted",
            "reason": None,
            "file_name": _file_name(source),
        }
        return data, row | told

    def covers(self, row: dict[str, Any]) -> bool:
        """Return whether a row is of this data set, whose real pictures all go out by ``read``."""
        return row["dataset"] in self._names or row["source_sha256"] in self._digests

    def lacks(self, row: dict[str, Any]) -> bool:
        """Return whether a row is of a picture of this data set that is gone, or another one now."""
        key, then = (row["dataset"], row["source_id"]), row["source_sha256"]
        if row["dataset"] not in self._names:
            return False
        source = self._sources.get(key)
        if source is None:
            return True
        if key not in self._sha256:
            try:
                self._sha256[key] = hashlib.sha256(source_bytes(source)).hexdigest()
            except PictureError:
                return False  # cannot be read just now
        return then is not None and self._sha256[key] != then

    def _row(self, source: Source, sha256: str) -> dict[str, Any]:
        place = self._places.get((source.dataset, source.source_id, sha256))
        if place is None:
            place = self._places.pop((sha256,), None)
        if place is None:
            return dict.fromkeys(_COLUMNS)
        self.known += 1
        self._places.pop((sha256,), None)
        return self._rows.slice(place, 1).to_pylist()[0]


def _file_name(source: Source) -> str:
    """Return what the picture's file is best called: its own name, or its id where it is one of many in a table."""
    return source.source_path if "#" not in source.source_path else f"{source.source_id}.png"
