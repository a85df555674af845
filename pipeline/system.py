"""What differs between operating systems, in one place: Linux is tested, macOS and Windows are kept in mind.

The rest of the program asks here and nowhere else; the tests fake the platform and look at what is called.
"""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multiprocessing.context import SpawnContext

WINDOWS_MOST_PROCESSES = 61
"""More than Windows can wait for at once: ``ProcessPoolExecutor`` refuses them there."""

_REPLACE_TRIES = 10
_REPLACE_PAUSE = 0.1


def is_windows() -> bool:
    """Return whether this is Windows."""
    return sys.platform == "win32"


def sync_file(descriptor: int) -> None:
    """Bring a file's bytes to the disk. Raises OSError.

    On macOS ``fsync`` leaves them in the drive's own cache; F_FULLFSYNC is what empties it (Apple's fsync(2)), where
    the file system knows it.
    """
    os.fsync(descriptor)
    if sys.platform == "darwin":
        import fcntl

        try:
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
        except OSError:
            return  # a network file system: fsync is all that there is


def sync_folder(folder: Path) -> None:
    """Make a new name in ``folder`` durable. Raises OSError.

    Windows cannot open a folder and keeps names by itself; file systems that cannot sync a folder are left as they
    are.
    """
    import errno

    if is_windows():
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def replace(made: Path, target: Path) -> None:
    """Give the file ``made`` the name ``target``. Raises OSError.

    Windows refuses while another program (a virus scanner, an indexer, a reader) has the target open: it is tried
    again for a second.
    """
    for left in reversed(range(_REPLACE_TRIES if is_windows() else 1)):
        try:
            made.replace(target)
            return
        except PermissionError:
            if not left:
                raise
            time.sleep(_REPLACE_PAUSE)


def process_runs(pid: int) -> bool:
    """Return whether a process of this number is there, whoever it belongs to.

    ``os.kill(pid, 0)`` asks that on POSIX only: on Windows signal 0 is Ctrl-C, and is sent.
    """
    import psutil

    return pid >= 0 and psutil.pid_exists(pid)


def process_began(pid: int) -> float | None:
    """Return when the process of this number began, in seconds since 1970; None where the system does not say."""
    import psutil

    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        return None


def usable_cores() -> int:
    """Return how many CPU cores this process may use; macOS and some others only say how many there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def most_processes(wanted: int) -> int:
    """Return how many of the ``wanted`` worker processes one pool can have here."""
    return min(wanted, WINDOWS_MOST_PROCESSES) if is_windows() else wanted


def available_memory() -> int | None:
    """Return the bytes of memory that programs can still get, None where the system does not say."""
    import psutil

    try:
        return int(psutil.virtual_memory().available)
    except (OSError, NotImplementedError, ValueError, KeyError):
        return None


def user_cache() -> Path:
    """Return the folder where programs keep what can be made or fetched again (XDG_CACHE_HOME on any system)."""
    if os.environ.get("XDG_CACHE_HOME"):
        return Path(os.environ["XDG_CACHE_HOME"])
    if is_windows():
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    return Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")


def own_group_flags() -> int:
    """Return ``creationflags`` for a child that Ctrl-C does not reach; elsewhere ``start_new_session`` does that."""
    return getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0x200) if is_windows() else 0


def process_context() -> "SpawnContext":
    """Return how worker processes are started: ``spawn`` on every system.

    It is all that Windows has, and a fork of a process with threads (torch, Prefect) may hang.
    """
    import multiprocessing

    return multiprocessing.get_context("spawn")
