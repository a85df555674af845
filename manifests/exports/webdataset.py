"""WebDataset shards: tar files of ``<key>.png``, ``<key>.cls`` (0..6) and ``<key>.json`` (the row).

``datasets`` takes the fields and endings of the first five samples for those of all, and drops what later ones have
more without a word: all pictures are PNG, and the rows with most fields, the synthetic ones, come first.
"""

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from singanimation.manifests.exports.portable import as_png
from singanimation.manifests.exports.records import ExportReport, Names, Record

SHARD_BYTES = 256 * 1024 * 1024


def export_webdataset(
    records: Iterable[Record], output: Path, report: ExportReport, *, shard_bytes: int = SHARD_BYTES
) -> None:
    """Write ``<split>-000000.tar`` ...; a picture without a label has no ``.cls``, a null field is not in ``.json``.

    Keys are whole, however long (PAX headers, only where they are needed). The same rows give the same bytes.
    """
    names = Names(longest=None)
    shards: dict[str, _Shards] = {}
    try:
        for record in records:
            shard = shards.setdefault(record.split_name, _Shards(output, record.split_name, shard_bytes))
            shard.add(names.stem(record), record)
            report.add(record)
    finally:
        for shard in shards.values():
            shard.close()


class _Shards:
    """The tar files of one split, a new one whenever the last is full."""

    def __init__(self, folder: Path, split: str, shard_bytes: int) -> None:
        self._folder, self._split, self._limit = folder, split, shard_bytes
        self._count, self._size = 0, 0
        self._tar: tarfile.TarFile | None = None

    def add(self, key: str, record: Record) -> None:
        if self._tar is None or self._size >= self._limit:
            self.close()
            path = self._folder / f"{self._split}-{self._count:06d}.tar"
            self._tar = tarfile.open(path, "w", format=tarfile.PAX_FORMAT)  # noqa: SIM115 - closed by close()
            self._count, self._size = self._count + 1, 0
        picture = as_png(record.picture, record.row["variant_id"])
        members = {"png": picture, "json": _json(record.row | {"image_sha256": hashlib.sha256(picture).hexdigest()})}
        if record.label is not None:
            members["cls"] = str(record.label).encode()
        for ending, data in members.items():
            # No time and no owner: the same rows give the same bytes.
            info = tarfile.TarInfo(f"{key}.{ending}")
            info.size, info.mode = len(data), 0o644
            self._tar.addfile(info, io.BytesIO(data))
            self._size += len(data)

    def close(self) -> None:
        if self._tar is not None:
            self._tar.close()
            self._tar = None


def _json(row: dict[str, Any]) -> bytes:
    def plain(value: Any) -> str:
        return value.isoformat() if isinstance(value, datetime) else str(value)

    # a field that is null in the first samples is one whose type `datasets` cannot tell
    told = {name: value for name, value in row.items() if value is not None}
    return json.dumps(told, default=plain, ensure_ascii=False, sort_keys=True).encode()
