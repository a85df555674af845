"""Writing parts: a part is whole or absent, whatever happens to the process, and never loses rows silently."""

import os
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from singanimation.manifests.rows import rows_to_table
from singanimation.manifests.schema import SCHEMA
from singanimation.pipeline.digests import digest
from singanimation.pipeline.errors import ManifestError
from singanimation.pipeline.files.atomic import atomic_file, host
from singanimation.pipeline.files.places import open_to_read, reached
from singanimation.pipeline.records import Row
from singanimation.pipeline.system import process_runs

_COMPRESSION = "zstd"
LEFTOVER = re.compile(r"^\..+\.parquet\.(?P<host>[^~]+)~(?P<pid>\d+)~[0-9a-f]+\.tmp$")
_STALE_SECONDS = 3600.0


def part_name(*parts: object) -> str:
    """Return ``part-<32 hex digits>.parquet`` for what the part is about (data set, source id, ...)."""
    return f"part-{digest(*parts)}.parquet"


def write_part(folder: Path, name: str, rows: Sequence[Row]) -> Path:
    """Write one finished source's rows as ``folder/name``; the file appears whole or not at all.

    An existing part may only be replaced by one that still holds all of its rows (ids). Raises ManifestError for
    rows that break the schema or would be lost, MachineError when the disk is full or fails.
    """
    table = rows_to_table(rows)
    target = folder / name
    lost = existing_part_ids(target) - set(table.column("variant_id").to_pylist())
    if lost:
        raise ManifestError(
            f"{target} holds {len(lost)} rows that the new part lacks ({min(lost)}, ...); parts only ever grow."
        )
    write_table(target, table)
    return target


def write_table(target: Path, table: pa.Table, *, row_group_size: int | None = None) -> None:
    """Write a table of SCHEMA as ``target`` by a temporary file, fsync and os.replace. Raises MachineError."""
    with atomic_file(target) as file, part_writer(file) as writer:
        writer.write_table(table, row_group_size=row_group_size)


def part_writer(file: BinaryIO | Path) -> pq.ParquetWriter:
    """Return a writer of parts: one schema, one compression, and a checksum a page, so that a flipped bit is seen."""
    return pq.ParquetWriter(file, SCHEMA, compression=_COMPRESSION, write_page_checksum=True)


def existing_part_ids(path: Path) -> set[str]:
    """Return the ids in a part, empty where it is absent or too damaged to hold any rows.

    Raises MachineError for a bucket that does not answer.
    """
    with reached(path):
        if not path.exists():
            return set()
    try:
        with reached(path):
            return set(pq.read_table(open_to_read(path), columns=["variant_id"]).column(0).to_pylist())
    except (pa.ArrowException, OSError, KeyError, ValueError):
        return set()


def remove_leftovers(folder: Path) -> list[Path]:
    """Remove temporary files of runs that are gone (killed while writing); return what was removed.

    Call it while holding the output folder's lock, before writing. A file counts as left over when its process is
    no longer there, is this one, or when it has not changed for an hour.
    """
    removed: list[Path] = []
    for path in sorted(folder.glob(".*.tmp")) if folder.is_dir() else []:
        match = LEFTOVER.match(path.name)
        if match is None:
            continue
        with suppress(FileNotFoundError):
            stale = time.time() - path.stat().st_mtime > _STALE_SECONDS
            if stale or (match["host"] == host() and not being_written(path)):
                path.unlink()
                removed.append(path)
    return removed


def being_written(path: Path) -> bool:
    """Return whether a temporary file belongs to another process of this machine that is still there."""
    match = LEFTOVER.match(path.name)
    return match is not None and match["host"] == host() and _runs(int(match["pid"]))


def _runs(pid: int) -> bool:
    """Return whether another process of this number is there. Containers reuse numbers: our own does not count."""
    return pid != os.getpid() and process_runs(pid)
