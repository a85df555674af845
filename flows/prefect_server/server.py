"""The Prefect server of a run: started beside it, ended with it, whatever ends it.

Prefect can start a server of its own, but only when the flow begins, importing it in both processes one after
the other (8 s of 10 measured), and leaves it behind when the run is killed. Ours starts while the models load
(4.7 s, in parallel; the flow itself then takes 1.8 s) and goes when the pipe from its parent closes.
"""

import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

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
    os.environ.setdefault("PREFECT_HOME", str(_home()))


def _home() -> Path:
    """Return the kept PREFECT_HOME: a migrated data base saves 10 s a run; a temporary one where it cannot be."""
    cache = user_cache() / "singanimation" / "prefect"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        if os.access(cache, os.W_OK):
            return cache
    except OSError:
        pass
    return Path(tempfile.mkdtemp(prefix="singanimation-prefect-"))


class Server:
    """A Prefect server process. ``start`` returns at once, ``wait`` when it answers."""

    def __init__(self, *, scheduling: bool = False) -> None:
        self._scheduling = scheduling
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0

    @property
    def api_url(self) -> str:
        """Return the address for PREFECT_API_URL."""
        return f"http://127.0.0.1:{self._port}/api"

    def start(self) -> None:
        """Start the process, once; a port that is taken meanwhile shows in ``wait``."""
        if self._process is not None:
            return
        prepare_environment()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        environment = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
        environment |= {"PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_FINAL": "1"}
        if not self._scheduling:  # only what a flow's own records need
            environment["PREFECT__SERVER_EPHEMERAL"] = "1"
        command = [sys.executable, "-m", "singanimation.flows.prefect_server.server", str(self._port)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
            creationflags=own_group_flags(),
        )

    def wait(self) -> str:
        """Wait until the server answers and return its address. Raises SinganimationError when it does not."""
        deadline = time.monotonic() + STARTUP_SECONDS
        while self._process is not None and self._process.poll() is None and time.monotonic() < deadline:
            with suppress(OSError), urllib.request.urlopen(f"{self.api_url}/health", timeout=5) as answer:
                if answer.status == 200:
                    return self.api_url
            time.sleep(0.1)
        raise SinganimationError(
            "Prefect's server did not start; `augment doctor` says more, or set PREFECT_API_URL to a server of yours."
        )

    def stop(self) -> None:
        """End the process."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


@contextmanager
def connected(server: Server | None) -> Iterator[None]:
    """Point Prefect at ``server`` (waiting for it) inside the block; None: at what the user has set."""
    if server is None:
        yield
        return
    from prefect.settings import PREFECT_API_URL, temporary_settings  # while the server starts

    url = server.wait()
    with temporary_settings(updates={PREFECT_API_URL: url}):
        yield


def user_has_server() -> bool:
    """Say whether the user points Prefect at a server of their own."""
    return bool(os.environ.get("PREFECT_API_URL"))


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def main() -> None:
    """Serve until the pipe from the parent closes: ``python -m singanimation.flows.prefect_server.server PORT``."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import uvicorn

    uvicorn.run(
        "prefect.server.api.server:create_app",
        factory=True,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        log_level="error",
        lifespan="on",
    )


if __name__ == "__main__":
    main()
