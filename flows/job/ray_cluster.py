"""A Ray cluster as a run finds it: connecting, what of it the run has, and our own signals beside Ray's."""

import logging
import math
import os
import signal
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.settings import Settings

_CONNECT_SECONDS = 10.0


def connect(address: str | None) -> Any:
    """Connect to the cluster at ``address`` (else RAY_ADDRESS, else start Ray here) and return the module ``ray``.

    Raises UsageError where Ray is not installed, or does not answer.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_worker_niceness", "0")  # Ray's own 15 leaves actors next to nothing of a busy machine
    try:
        import ray
    except ImportError:
        raise UsageError("--runner ray needs Ray: pip install 'singanimation[ray]'.") from None
    # without an address Ray looks for any cluster that was ever started on this machine, whoever it is meant for
    where = address or os.environ.get("RAY_ADDRESS") or "local"
    _check_port(where)
    try:
        with own_signals():
            own: dict[str, Any] = {"include_dashboard": False} if where == "local" else {}
            ray.init(where, log_to_driver=False, logging_level=logging.ERROR, namespace="singanimation", **own)
    except (ConnectionError, RuntimeError, ValueError, ImportError, OSError, TimeoutError) as error:
        first = str(error).strip().splitlines() or [type(error).__name__]
        raise UsageError(f"--address {where}: Ray does not answer ({first[0].rstrip('.')}).") from None
    return ray


def _check_port(where: str) -> None:
    """Raise UsageError where nobody listens at ``host:port``: Ray itself tries for more than three minutes."""
    host, colon, port = where.rpartition(":")
    if not colon or not port.isdigit() or "/" in host:
        return  # local, auto, a client's address
    try:
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_SECONDS).close()
    except OSError as error:
        raise UsageError(f"--address {where}: no Ray cluster answers there ({error.strerror or error}).") from None


@contextmanager
def own_signals() -> Iterator[None]:
    """Keep our answers to Ctrl-C and SIGTERM through the block: Ray puts one of its own in their place."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def share_of(resources: Mapping[str, float], settings: Settings) -> tuple[int, float]:
    """Return how many actors a cluster gives, and what part of a GPU each has: 1, or 0 where no GPU is to be used.

    With more ``--workers`` than GPUs several share one. Raises UsageError for GPUs that are not there.
    """
    gpus, cores = int(resources.get("GPU", 0)), int(resources.get("CPU", 0))
    if settings.device not in ("auto", "cpu", "cuda"):
        raise UsageError(f"--device {settings.device}: Ray gives each actor its GPU; say cuda, cpu or auto.")
    if settings.device == "cuda" and not gpus:
        raise UsageError("--device cuda: the Ray cluster has no GPU.")
    if not gpus or settings.device == "cpu":
        return settings.workers or max(cores, 1), 0.0
    wanted = settings.workers or gpus
    return wanted, 1 / math.ceil(wanted / gpus)
