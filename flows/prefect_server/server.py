"""The Prefect server of a run: started beside it, ended with it, whatever ends it, and open to nobody else.

Prefect can start a server of its own, but only when the flow begins, importing it in both processes one after
the other (8 s of 10 measured), leaves it behind when the run is killed, and asks no password of those who find it.
Ours starts while the work begins, goes when the pipe from its parent closes, listens on loopback alone, asks a
random password, answers no page of another origin, and keeps its files from other users.
"""

import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from singanimation.pipeline.errors import SinganimationError
from singanimation.pipeline.system import own_group_flags, user_cache

STARTUP_SECONDS = 300.0
"""5 s on an idle machine, 20 with a new data base; a busy one was seen to take 100."""

# What a newcomer's terminal and network are spared. The user's own environment wins.
_DEFAULTS = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_SERVER_LEVEL": "CRITICAL",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": str(int(STARTUP_SECONDS)),
}


def prepare_environment() -> None:
    """Set Prefect's settings for this process and its children; call it before Prefect is imported."""
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    if "PREFECT_HOME" in os.environ:  # the user's: made where it is not there yet, else left as it is
        with suppress(OSError):
            Path(os.environ["PREFECT_HOME"]).expanduser().mkdir(mode=0o700, parents=True, exist_ok=True)
    else:
        os.environ["PREFECT_HOME"] = str(_home())


def _home() -> Path:
    """Return the kept PREFECT_HOME: a migrated data base saves 10 s a run; a temporary one where it cannot be.

    One a release of Prefect: no server starts on a data base that a later release has migrated.
    """
    cache = user_cache() / "singanimation" / f"prefect-{version('prefect')}"
    try:
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        cache.chmod(0o700)  # made by an earlier version, or under another umask
        if os.access(cache, os.W_OK):
            return cache
    except OSError:
        pass
    return Path(tempfile.mkdtemp(prefix="singanimation-prefect-"))


class Server:
    """A Prefect server process. ``start`` returns at once, ``wait`` when it answers."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0
        self._auth = f"singanimation:{secrets.token_urlsafe(32)}"

    @property
    def api_url(self) -> str:
        """Return the address for PREFECT_API_URL; known once ``wait`` has returned."""
        return f"http://127.0.0.1:{self._port}/api"

    @property
    def auth_string(self) -> str:
        """Return the name and password for PREFECT_API_AUTH_STRING."""
        return self._auth

    def start(self) -> None:
        """Start the process, once."""
        if self._process is not None:
            return
        prepare_environment()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "singanimation.flows.prefect_server.server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=self._environment(),
            start_new_session=True,
            creationflags=own_group_flags(),
        )

    def _environment(self) -> dict[str, str]:
        """Return what the process is given: by its environment, which other users cannot read."""
        others = ("PREFECT_API_URL", "PREFECT_API_KEY", "PREFECT_API_AUTH_STRING")
        kept = {name: value for name, value in os.environ.items() if name not in others}
        return kept | {
            "PREFECT_SERVER_API_AUTH_STRING": self._auth,
            "PREFECT_UI_ENABLED": "0",
            "PREFECT__SERVER_FINAL": "1",
            "PREFECT__SERVER_EPHEMERAL": "1",  # only what a flow's own records need
        }

    def wait(self, seconds: float = STARTUP_SECONDS) -> str:
        """Wait until the server answers and return its address. Raises SinganimationError when it does not."""
        deadline = time.monotonic() + seconds
        if not self._port and self._process is not None and self._process.stdout is not None:
            # the process says where it listens: a port chosen here could be another's by then, and get the password
            self._port = int(self._process.stdout.readline() or 0)
        while self._port and (process := self._process) is not None and process.poll() is None:
            if time.monotonic() > deadline:
                break
            with suppress(OSError), urllib.request.urlopen(f"{self.api_url}/health", timeout=5) as answer:
                if answer.status == 200:
                    return self.api_url
            time.sleep(0.1)
        raise SinganimationError(
            "Prefect's server did not start; `augment doctor` says more, or set PREFECT_API_URL to a server of yours."
        )

    def stop(self) -> None:
        """End the process: it goes when its pipe closes."""
        process, self._process = self._process, None
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def connected(server: Server | None) -> Iterator[None]:
    """Point Prefect at ``server`` (waiting for it) inside the block; None: at what the user has set."""
    if server is None:
        yield
        return
    # while the server starts
    from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_KEY, PREFECT_API_URL, temporary_settings

    own: dict[Any, Any] = {
        PREFECT_API_URL: server.wait(),
        PREFECT_API_AUTH_STRING: server.auth_string,
        PREFECT_API_KEY: None,
    }
    with temporary_settings(updates=own):
        yield


def user_has_server() -> bool:
    """Say whether the user points Prefect at a server of their own."""
    return bool(os.environ.get("PREFECT_API_URL"))


def _serve(door: socket.socket) -> None:
    try:
        import uvicorn

        app = "prefect.server.api.server:create_app"
        uvicorn.Server(uvicorn.Config(app, factory=True, log_level="error", lifespan="on")).run([door])
    finally:
        os._exit(1)


def main() -> None:
    """Listen on a free port of loopback, print it, and serve until the pipe from the parent closes.

    Not in the main thread, where uvicorn would heed signals: those that are sent to all processes of a service at once
    are for the run to answer, which needs its server until its end.
    """
    os.umask(0o077)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    door = socket.socket()
    door.bind(("127.0.0.1", 0))
    port = door.getsockname()[1]
    os.environ["PREFECT_SERVER_CORS_ALLOWED_ORIGINS"] = f"http://127.0.0.1:{port}"  # its own, and no other
    print(port, flush=True)
    threading.Thread(target=_serve, args=(door,), daemon=True).start()
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()
