"""What an output folder already holds, and so what is left to do."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from singanimation.flows.rows import Known
from singanimation.manifests.compact import finish_compaction
from singanimation.manifests.reading import iter_tables
from singanimation.manifests.write import remove_leftovers
from singanimation.pipeline.errors import ManifestError

_COLUMNS = ("dataset", "source_id", "variant_id", "status")
_STATUSES = ("accepted", "rejected", "failed")
_ID_BYTES = 16


class OnDisk:
    """The rows of a manifest by source: ids and statuses, 17 bytes a row (millions of rows fit).

    ``problems`` names files that cannot be read as parts, one sentence each; their rows count as absent.
    """

    def __init__(self, manifest: Path) -> None:
        self.problems: list[str] = []
        self.rows = 0
        self._packed: dict[tuple[str, str], bytearray] = {}
        self._parts: dict[tuple[str, str], list[Path]] = {}
        remove_leftovers(manifest)
        finish_compaction(manifest)
        for path in sorted(manifest.glob("*.parquet")):
            try:
                for _, table in iter_tables([path], _COLUMNS):
                    self._add(path, table)
            except ManifestError as error:
                self.problems.append(str(error))

    def known(self, dataset: str, source_id: str) -> Known:
        """Return the ids of a source's rows with their statuses."""
        packed = self._packed.get((dataset, source_id), b"")
        return dict(_unpack(bytes(packed)))

    def parts(self, dataset: str, source_id: str) -> list[Path]:
        """Return the files that hold a source's rows."""
        return list(dict.fromkeys(self._parts.get((dataset, source_id), [])))

    def _add(self, path: Path, table: pa.Table) -> None:
        columns = [table.column(name).cast(pa.string()).to_pylist() for name in _COLUMNS]
        for dataset, source_id, variant_id, status in zip(*columns, strict=True):
            packed = self._packed.setdefault((dataset, source_id), bytearray())
            packed += bytes.fromhex(variant_id)
            packed.append(_STATUSES.index(status))
        for key in dict.fromkeys(zip(columns[0], columns[1], strict=True)):
            self._parts.setdefault(key, []).append(path)
        self.rows += table.num_rows


def _unpack(packed: bytes) -> Iterator[tuple[str, str]]:
    for start in range(0, len(packed), _ID_BYTES + 1):
        yield packed[start : start + _ID_BYTES].hex(), _STATUSES[packed[start + _ID_BYTES]]
