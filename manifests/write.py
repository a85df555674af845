"""Writing parts: a part is whole or absent, whatever happens to the process, and never loses rows silently."""

import errno
import os
import re
import socket
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from singanimation.manifests.schema import rows_to_table
from singanimation.pipeline.errors import MachineError, ManifestError
from singanimation.pipeline.identity import digest
from singanimation.pipeline.records import Row

COMPRESSION = "zstd"
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
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
    with atomic_file(target) as file:
        pq.write_table(table, file, compression=COMPRESSION, row_group_size=row_group_size)


@contextmanager
def atomic_file(target: Path) -> Iterator[BinaryIO]:
    """Open a temporary file beside ``target``; when the block ends well it takes the target's place, synced.

    On any error the temporary file is removed and the target is as before. Raises MachineError for disk faults.
    """
    temporary = target.parent / f".{target.name}.{_host()}~{os.getpid()}~{uuid.uuid4().hex[:8]}.tmp"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
        _sync_folder(target.parent)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise disk_fault(target, error) from error
        raise


def disk_fault(target: Path, error: OSError) -> MachineError:
    """Return the MachineError that says in one sentence what the disk refused, and what to do."""
    if error.errno in _FULL:
        return MachineError(
            f"{target} could not be written: the disk is full ({error.strerror}); "
            "nothing half-written was left, free some space and run again to go on."
        )
    return MachineError(f"{target} could not be written ({error.strerror or error}); nothing half-written was left.")


def existing_part_ids(path: Path) -> set[str]:
    """Return the ids in a part, empty where it is absent or too damaged to hold any rows."""
    if not path.exists():
        return set()
    try:
        return set(pq.read_table(path, columns=["variant_id"]).column(0).to_pylist())
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
            if stale or (match["host"] == _host() and not being_written(path)):
                path.unlink()
                removed.append(path)
    return removed


def being_written(path: Path) -> bool:
    """Return whether a temporary file belongs to another process of this machine that is still there."""
    match = LEFTOVER.match(path.name)
    return match is not None and match["host"] == _host() and _runs(int(match["pid"]))


def _runs(pid: int) -> bool:
    """Return whether another process of this number is there. Containers reuse numbers: our own does not count."""
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9-]", "-", socket.gethostname())[:32] or "host"


def _sync_folder(folder: Path) -> None:
    """Make the new name itself durable; file systems that cannot sync a folder are left as they are."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)
