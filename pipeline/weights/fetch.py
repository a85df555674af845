"""Bring a weights file into the cache: locked, checked before it gets its name, pinned."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from singanimation.pipeline.errors import UsageError, WeightsError
from singanimation.pipeline.files.atomic import replace_synced
from singanimation.pipeline.weights.checks import adopt, read_pin, record_path, verify, write_pin
from singanimation.pipeline.weights.entries import Entry, get_entry
from singanimation.pipeline.weights.places import cache_folder

if TYPE_CHECKING:
    from singanimation.pipeline.weights.download import Report


def fetch(name: str, *, source: str | None = None, force: bool = False, report: "Report" = lambda *_: None) -> Path:
    """Return the cached file of ``name``, fetched if it is not there yet (or anew with ``force``).

    ``source`` is another address or a local file in place of the official address; its bytes are checked alike. Two
    processes at the same time fetch once: the second waits. The file appears whole and checked, or not at all.
    Raises UsageError (no such name, ships with the package), WeightsError (network, wrong hash) and MachineError.
    """
    entry = get_entry(name)
    if entry.url is None:
        raise UsageError(f"{name} ships with the package: there is nothing to fetch.")
    target = cache_folder() / entry.file
    with _locked(target):
        if target.is_file() and not force:
            adopt(entry, target)
            return target
        partial = target.with_name(target.name + ".partial")
        origin = source or entry.url
        _bring(origin, partial, report)
        _check_and_name(entry, partial, target, origin)
    return target


@contextmanager
def _locked(target: Path) -> Iterator[None]:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(target.with_name(f".{target.name}.lock"))
        lock.acquire()
    except OSError as error:
        raise WeightsError(
            f"the folder for weights, {target.parent}, cannot be written ({error.strerror or error}); set "
            "SINGANIMATION_WEIGHTS to another."
        ) from error
    try:
        yield
    finally:
        lock.release()


def _bring(origin: str, partial: Path, report: "Report") -> None:
    if origin.startswith(("http://", "https://")):
        from singanimation.pipeline.weights.download import download  # httpx: only where something is fetched

        download(origin, partial, report)
        return
    path = Path(origin).expanduser()
    if not path.is_file():
        raise UsageError(f"--from {origin}: no such file, and no address that begins with https://.")
    try:
        shutil.copyfile(path, partial)
    except OSError as error:
        raise WeightsError(f"{path} could not be copied to {partial} ({error.strerror or error}).") from error


def _check_and_name(entry: Entry, partial: Path, target: Path, origin: str) -> None:
    verdict = verify(entry, partial, read_pin(target))
    if not verdict.good:
        partial.unlink()
        hint = f"; delete {record_path(target)} if you trust the new file" if "pinned" in verdict.sentence else ""
        raise WeightsError(f"{origin} is not the file it should be, and was removed: {verdict.sentence}{hint}.")
    size = partial.stat().st_size
    replace_synced(partial, target)
    write_pin(target, verdict.sha256, size, origin)
