"""The lock on an output in a bucket: a numbered mark that one run alone can make, and keeps fresh while it lives.

Buckets know no locks. What they know is a put that fails where the name is taken (``If-None-Match: *``). Who wants the
output makes ``runs/.lock-N`` so; a mark that has not been renewed for ``STALE_SECONDS``, or whose process on this
machine is gone, is passed over by making ``N + 1``: of several who try, one succeeds. Ages are told by the store's own
clock.
"""

import json
import logging
import os
import re
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from singanimation.pipeline.errors import MachineError, OutputError, OutputHeldError
from singanimation.pipeline.files.places import reached, store_of, why
from singanimation.pipeline.system import process_began, process_runs

LOGGER = logging.getLogger("singanimation.lease")

STALE_SECONDS = 300.0
RENEW_SECONDS = 60.0
_MARK = re.compile(r"\.lock-(\d{6})$")
_SAME_SECONDS = 10.0


@contextmanager
def hold_place(folder: Path, taken: Callable[[Mapping[str, Any]], str], lost: Callable[[], None]) -> Iterator[None]:
    """Hold the output whose ``runs`` is ``folder``, without waiting.

    ``taken`` words who holds it; ``lost`` is called, from another thread, when the mark could not be renewed in time or
    another run has passed over it. Raises OutputHeldError, OutputError, MachineError.
    """
    mark = _take(folder, taken)
    ended = threading.Event()
    renewing = threading.Thread(target=_renew, args=(mark, ended, lost), name="lease", daemon=True)
    renewing.start()
    try:
        yield
    finally:
        ended.set()
        renewing.join()
        store, name = store_of(mark)
        with suppress(Exception):  # a store that is away: the mark becomes stale
            store.rm_file(name)


def _take(folder: Path, taken: Callable[[Mapping[str, Any]], str]) -> Path:
    with reached(folder):
        before = _marks(folder)
        last = max(before, default=0)
        if before and not _left_over(folder, before[last]):
            raise OutputHeldError(taken(before[last]))
        mark = folder / f".lock-{last + 1:06d}"
        if not _make(mark):
            raise OutputHeldError(taken(_read(mark)))
        if _make(mark):
            raise OutputError(
                f"{folder} lies in a store that overwrites although asked not to (If-None-Match), and two runs could "
                "not be kept apart there; write to a folder, and copy it."
            )
        store, name = store_of(mark)
        for number, held in _marks(folder).items():
            if number == last + 1:
                continue
            if held != before.get(number):  # made between our two looks
                store.rm_file(name)
                raise OutputHeldError(taken(held))
            with suppress(FileNotFoundError):
                store.rm_file(store_of(folder / f".lock-{number:06d}")[1])
    return mark


def _marks(folder: Path) -> dict[int, Mapping[str, Any]]:
    """Return what each mark says, by its number."""
    store, name = store_of(folder)
    try:
        found = [_MARK.search(path) for path in store.ls(name, detail=False)]
    except FileNotFoundError:
        return {}
    return {int(match[1]): _read(folder / match[0]) for match in found if match}


def _read(mark: Path) -> Mapping[str, Any]:
    store, name = store_of(mark)
    try:
        said = json.loads(store.cat_file(name))
        return said if isinstance(said, dict) else {}
    except (FileNotFoundError, ValueError):
        return {}


def _make(mark: Path) -> bool:
    """Make the mark where there is none of its name; return whether that was so."""
    pid = os.getpid()
    said = {"pid": pid, "began": process_began(pid) or 0, "host": socket.gethostname(), "token": uuid.uuid4().hex}
    said["since"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    store, name = store_of(mark)
    try:
        store.pipe_file(name, json.dumps(said).encode(), mode="create")
    except FileExistsError:
        return False
    return True


def _left_over(folder: Path, held: Mapping[str, Any]) -> bool:
    """Say whether nobody renews the last mark any more: its process was of this machine and is gone, or it is old."""
    if held.get("host") == socket.gethostname():
        try:
            pid, began = int(held["pid"]), float(held["began"])
        except (KeyError, TypeError, ValueError):
            return True
        now = process_began(pid) if process_runs(pid) else None
        return now is None or abs(now - began) > _SAME_SECONDS
    return _age(folder) > STALE_SECONDS


def _age(folder: Path) -> float:
    """Return how many seconds ago the last mark was written, by the store's clock."""
    store, name = store_of(folder)
    clock = f"{name}/.clock-{uuid.uuid4().hex}"
    store.pipe_file(clock, b"")
    try:
        written = [store.modified(path) for path in store.ls(name, detail=False) if _MARK.search(path)]
        return (store.modified(clock) - max(written)).total_seconds() if written else STALE_SECONDS + 1
    finally:
        store.rm_file(clock)


def _renew(mark: Path, ended: threading.Event, lost: Callable[[], None]) -> None:
    store, name = store_of(mark)
    content = store.cat_file(name)
    renewed = time.monotonic()
    while not ended.wait(RENEW_SECONDS):
        try:
            number = int(mark.name[-6:])
            if any(other > number for other in _marks(mark.parent)):
                raise MachineError("another run has taken it over")
            store.pipe_file(name, content)
            renewed = time.monotonic()
            continue
        except MachineError as error:
            trouble = str(error)
        except Exception as error:
            if time.monotonic() - renewed < STALE_SECONDS - RENEW_SECONDS:
                continue  # a store that is away for a while
            trouble = why(error)
        LOGGER.error("%s is not held any more: %s", mark.parent.parent, trouble)
        lost()
        return
