"""Files that appear whole or not at all, whatever happens to the process or the power.

On a disk by a temporary name, fsync and a rename. In a bucket, which has no rename, by one put of a file that is whole
here: a stream that an error ends would publish what it got.
"""

import errno
import os
import re
import socket
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from singanimation.pipeline.errors import MachineError
from singanimation.pipeline.files.places import in_bucket, send
from singanimation.pipeline.system import replace, sync_file, sync_folder

_LONGEST_NAME = 160
"""Bytes: temporary names are longer than the file's own, and disks hold 255."""

_FULL = frozenset(getattr(errno, name) for name in ("ENOSPC", "EDQUOT", "EFBIG") if hasattr(errno, name))


@contextmanager
def atomic_file(target: Path) -> Iterator[BinaryIO]:
    """Open a temporary file beside ``target``; when the block ends well it takes the target's place, synced.

    On any error the temporary file is removed and the target is as before. Raises MachineError for disk faults. A
    target in a bucket is made in the system's temporary folder, and sent.
    """
    if in_bucket(target):
        with _sent(target) as file:
            yield file
        return
    name = target.name if len(os.fsencode(target.name)) <= _LONGEST_NAME else target.name[: _LONGEST_NAME // 4]
    temporary = target.parent / f".{name}.{host()}~{os.getpid()}~{uuid.uuid4().hex[:8]}.tmp"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            yield file
        _sync_and_replace(temporary, target)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise disk_fault(target, error) from error
        raise


@contextmanager
def _sent(target: Path) -> Iterator[BinaryIO]:
    with tempfile.TemporaryDirectory(prefix="singanimation-") as folder:
        made = Path(folder) / "made"
        try:
            with made.open("wb") as file:
                yield file
        except OSError as error:
            raise disk_fault(made, error) from error
        send(made, target)


def replace_synced(made: Path, target: Path) -> None:
    """Give the file ``made`` the name ``target``, its bytes and its name synced. Raises MachineError for the disk."""
    try:
        _sync_and_replace(made, target)
    except OSError as error:
        raise disk_fault(target, error) from error


def disk_fault(target: Path, error: OSError) -> MachineError:
    """Return the MachineError that says in one sentence what the disk refused, and what to do."""
    if error.errno in _FULL:
        return MachineError(
            f"{target} could not be written: the disk is full ({error.strerror}); "
            "nothing half-written was left, free some space and run again to go on."
        )
    return MachineError(f"{target} could not be written ({error.strerror or error}); nothing half-written was left.")


def host() -> str:
    """Return this machine's name as it stands in the names of temporary files."""
    return re.sub(r"[^A-Za-z0-9-]", "-", socket.gethostname())[:32] or "host"


def _sync_and_replace(made: Path, target: Path) -> None:
    with made.open("rb+") as file:
        sync_file(file.fileno())
    replace(made, target)
    sync_folder(target.parent)
