"""``--input s3://BUCKET/...``: a data set in a bucket, copied into the cache; later runs fetch what changed alone."""

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from singanimation.pipeline.datasets.files import inside
from singanimation.pipeline.datasets.tables import TABLE_SUFFIXES
from singanimation.pipeline.digests import digest
from singanimation.pipeline.errors import DatasetError, MachineError
from singanimation.pipeline.files.atomic import atomic_file
from singanimation.pipeline.files.pictures import SUFFIXES
from singanimation.pipeline.files.places import place, store_of, why
from singanimation.pipeline.system import user_cache

_FILES = frozenset({*TABLE_SUFFIXES, *SUFFIXES, ".tar", ".tgz", ".gz"})
_STATE = "fetched.json"
_AT_A_TIME = 1000


def fetch(text: str) -> Path:
    """Return the local folder (or file) that holds what ``text`` names; a table's folder is fetched with it.

    A file is fetched where its size or its ETag is not that of the last time; what is gone from the bucket goes here
    too. Raises DatasetError in one sentence for a bucket that does not answer or holds nothing there, UsageError
    without the libraries, MachineError for the disk.
    """
    remote = place(text)
    as_file = remote.suffix.lower() in _FILES
    folder = remote.parent if as_file else remote
    kept = user_cache() / "singanimation" / "inputs" / digest(str(folder), length=16)
    local = kept / (folder.name or "bucket")
    try:
        _mirror(folder, local, kept / _STATE)
    except OSError as error:
        if error.filename is not None and str(kept) in str(error.filename):
            raise MachineError(f"{error.filename} could not be written ({why(error)}).") from error
        raise DatasetError(f"--input {remote}: the bucket does not answer ({why(error)}).") from error
    except Exception as error:  # a store's libraries fail in many ways
        if isinstance(error, DatasetError | MachineError):
            raise
        raise DatasetError(f"--input {remote}: the bucket does not answer ({why(error)}).") from error
    found = local / remote.name if as_file else local
    if not found.exists():
        raise DatasetError(f"--input {remote}: there is no such object in the bucket.")
    return found


def _mirror(folder: Path, local: Path, state: Path) -> None:
    store, name = store_of(folder)
    try:
        listed = store.find(name, detail=True)
    except FileNotFoundError:
        listed = {}
    there = {way: (path, about) for path, about in listed.items() if (way := _way(path, name)) is not None}
    if not there:
        raise DatasetError(f"--input {folder}: there is no such folder in the bucket, or nothing is in it.")
    had = _read(state)
    kept = {way: mark for way, mark in had.items() if way in there and mark == _mark(there[way][1])}
    kept = {way: mark for way, mark in kept.items() if (local / way).is_file()}
    for way in had.keys() - there.keys():
        (local / way).unlink(missing_ok=True)
    wanted = sorted(there.keys() - kept.keys())
    for first in range(0, len(wanted), _AT_A_TIME):
        some = wanted[first : first + _AT_A_TIME]
        for way in some:
            (local / way).parent.mkdir(parents=True, exist_ok=True)
        store.get([there[way][0] for way in some], [str(local / way) for way in some])
        kept |= {way: _mark(there[way][1]) for way in some}
        _write(state, kept)  # a fetch that is interrupted goes on here
    if had.keys() - there.keys():
        _write(state, kept)


def _way(path: str, root: str) -> str | None:
    """Return an object's way below the folder; None for a folder's own mark and for names that lead out of it."""
    way = path.removeprefix(root).lstrip("/")
    if not way or path.endswith("/"):
        return None
    safe = inside(way)
    return way if safe is not None and safe.as_posix() == way else None


def _mark(about: Mapping[str, Any]) -> str:
    return f"{about.get('size')} {about.get('ETag') or about.get('etag') or about.get('LastModified')}"


def _read(state: Path) -> dict[str, str]:
    with suppress(OSError, ValueError):
        content = json.loads(state.read_text(encoding="utf-8"))
        if isinstance(content, dict):
            return {str(way): str(mark) for way, mark in content.items()}
    return {}


def _write(state: Path, kept: Mapping[str, str]) -> None:
    with atomic_file(state) as file:
        file.write(json.dumps(dict(sorted(kept.items()))).encode())
