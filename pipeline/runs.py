"""One run: its output folder, the lock on it, its id, log and the files that tell what it did."""

import _thread
import json
import logging
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from singanimation.pipeline.digests import digest
from singanimation.pipeline.errors import ExitCode, MachineError, OutputError, OutputHeldError, SinganimationError
from singanimation.pipeline.files.atomic import atomic_file
from singanimation.pipeline.files.lease import hold_place
from singanimation.pipeline.files.places import check_bucket, in_bucket, send
from singanimation.pipeline.settings import Settings

LOGGER = logging.getLogger("singanimation")
"""Everything the program logs goes through this logger or its children; ``runs/<id>/log`` is its file."""

_FORMAT = "%(asctime)s %(levelname)s %(message)s"


@dataclass(frozen=True)
class Run:
    """A run that holds its output folder. ``folder`` is ``<output>/runs/<run_id>``."""

    run_id: str
    output: Path
    folder: Path
    settings: Settings
    started: datetime

    @property
    def manifest(self) -> Path:
        """Return the folder of the manifest's parts."""
        return self.output / "manifest"

    def write_summary(self, summary: Mapping[str, Any]) -> Path:
        """Write ``summary.json`` and return its path. Raises MachineError for the disk."""
        path = self.folder / "summary.json"
        _write_json(path, {"run_id": self.run_id, "started": self.started.isoformat(), **summary})
        return path


@contextmanager
def open_run(settings: Settings) -> Iterator[Run]:
    """Make the output folder ready, hold its lock, write ``settings.json``, and log to the run's file.

    Raises OutputError when the folder cannot be written, or another run holds it (and says which).
    """
    output = settings.output_folder.absolute()
    make_folder(output)
    with hold_output(output):
        started = datetime.now(UTC)
        run_id = make_run_id(settings, started)
        folder = output / "runs" / run_id
        make_folder(folder)
        make_folder(output / "manifest")
        try:
            _write_json(folder / "settings.json", settings.model_dump(mode="json"))
            log, handler = _open_log(folder)
        except (OSError, MachineError) as error:
            raise OutputError(_cannot_write(folder, error)) from None
        handler.setFormatter(logging.Formatter(_FORMAT))
        level, propagate = LOGGER.level, LOGGER.propagate
        LOGGER.addHandler(handler)
        LOGGER.setLevel(logging.INFO)
        LOGGER.propagate = False  # the file is the log; Prefect would print it all on the terminal
        try:
            yield Run(run_id, output, folder, settings, started)
        except Exception as error:
            LOGGER.error("the run ended: %s", error, exc_info=not isinstance(error, SinganimationError))
            raise
        except KeyboardInterrupt:
            LOGGER.warning("interrupted")
            if not (folder / "summary.json").exists():  # before there was anything to count
                content = {"exit_code": int(ExitCode.INTERRUPTED), "stopped": "interrupted"}
                with suppress(MachineError):
                    _write_json(folder / "summary.json", {"run_id": run_id, "started": started.isoformat(), **content})
            raise
        finally:
            LOGGER.removeHandler(handler)
            LOGGER.setLevel(level)
            LOGGER.propagate = propagate
            handler.close()
            if in_bucket(folder):  # a log grows, which objects do not: it is sent at the end
                with suppress(MachineError):
                    send(log, folder / "log")
                log.unlink(missing_ok=True)


def _open_log(folder: Path) -> tuple[Path, logging.FileHandler]:
    """Return where the run's log is written, and its handler. Raises OSError."""
    path = folder / "log"
    if in_bucket(folder):
        descriptor, name = tempfile.mkstemp(prefix="singanimation-", suffix=".log")
        os.close(descriptor)
        path = Path(name)
    return path, logging.FileHandler(path, encoding="utf-8")


def make_run_id(settings: Settings, started: datetime) -> str:
    """Return ``20260131T101500Z-1a2b3c4d``: the UTC time, and a digest of settings, time and process."""
    short = digest(settings.model_dump_json(), started.isoformat(), os.getpid(), length=8)
    return f"{started:%Y%m%dT%H%M%SZ}-{short}"


def free_bytes(folder: Path) -> int | None:
    """Return the free bytes on the disk of ``folder``, which need not exist yet; None for a bucket: it has no end."""
    if in_bucket(folder):
        return None
    return shutil.disk_usage(existing_folder(folder)).free


def existing_folder(folder: Path) -> Path:
    """Return ``folder``, or where it is not there yet the nearest of its parents that is."""
    place = folder.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    return place


def human_bytes(count: float) -> str:
    """Return ``1.3 GB``: decimal units, three digits at most."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if count >= 10 or unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


@contextmanager
def hold_output(output: Path) -> Iterator[None]:
    """Hold the folder's lock; the file beside it says who holds it (only a note: the lock is the truth).

    Raises OutputHeldError where another process holds it, OutputError where nothing can be written.
    """
    if in_bucket(output):
        with hold_place(output / "runs", lambda held: _in_use(output, held), _thread.interrupt_main):
            yield
        return
    note = output / "runs" / "holder.json"
    make_folder(note.parent)

    def taken() -> str:
        return _in_use(output, _holder(note))

    with hold_lock(output / "runs" / ".lock", output, taken):
        try:
            since = datetime.now(UTC).isoformat(timespec="seconds")
            try:
                _write_json(note, {"pid": os.getpid(), "host": socket.gethostname(), "since": since})
            except MachineError as error:
                raise OutputError(_cannot_write(output, error)) from None
            yield
        finally:
            note.unlink(missing_ok=True)


@contextmanager
def hold_lock(path: Path, folder: Path, taken: Callable[[], str]) -> Iterator[None]:
    """Hold the lock file ``path`` of the output ``folder``, without waiting.

    Raises OutputHeldError where another process holds it (in the words of ``taken``), OutputError where the folder
    cannot be written.
    """
    lock = FileLock(path, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise OutputHeldError(taken()) from None
    except OSError as error:
        raise OutputError(_cannot_write(folder, error)) from None
    try:
        yield
    finally:
        lock.release()


def _holder(note: Path) -> Mapping[str, Any]:
    try:
        held = json.loads(note.read_text(encoding="utf-8"))
        return held if isinstance(held, dict) else {}
    except (OSError, ValueError):
        return {}


def _in_use(output: Path, held: Mapping[str, Any]) -> str:
    try:
        holder = f"process {held['pid']} on {held['host']} since {held['since']}"
    except KeyError:
        holder = "another run"
    return f"{output} is in use by {holder}; wait for it or choose another --output."


def make_folder(folder: Path) -> None:
    """Make a folder to write into; a bucket has none, and is asked whether it is there. Raises OutputError."""
    if in_bucket(folder):
        check_bucket(folder)
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(_cannot_write(folder, error)) from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"The output folder {folder} is not writable; choose another --output.")


def _cannot_write(folder: Path, error: Exception) -> str:
    why = getattr(error.__cause__ or error, "strerror", None) or type(error).__name__
    return f"Cannot write to the output folder {folder}: {why}; choose another --output."


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    with atomic_file(path) as file:
        file.write((json.dumps(content, indent=2, sort_keys=True, default=str) + "\n").encode())
