"""The parent's side of py-feat's worker process: start it, ask it, and be rid of it whatever happens."""

import json
import os
import subprocess
import sys
import tempfile
import threading
import weakref
from contextlib import suppress
from multiprocessing import util
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from singanimation.pipeline.errors import MachineError, WeightsError

START_SECONDS = 180.0
"""The longest that importing py-feat and loading its weights may take (12 s on one busy core)."""

ANSWER_SECONDS = 120.0
"""The longest that one batch may take (16 crops: 4 s on one core)."""

_WORKER = Path(__file__).with_name("worker.py")
_LARGEST_ANSWER = 1 << 28
_DYING_SECONDS = 2.0
# What py-feat must find before it is imported: one thread, and no search for weights in the network.
_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}


class PyFeatProcess:
    """One worker process; a dead one is replaced at the next question. Thread-safe: one question at a time.

    ``names`` are its action units. Raises WeightsError when the weights cannot be used, MachineError when the
    process dies or does not answer.
    """

    def __init__(
        self,
        weights: Path,
        detector: Path | None,
        device: str = "cpu",
        start_seconds: float = START_SECONDS,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self._command = [sys.executable, "-P", str(_WORKER), "--weights", str(weights), "--device", device]
        self._command += ["--detector", str(detector)] if detector else []
        self._weights, self._limits = weights, (start_seconds, answer_seconds)
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - as long as this object
        # at the end of the interpreter, and of a multiprocessing child, which runs no atexit functions
        weakref.finalize(self, _end, state := _State())
        util.Finalize(self, _end, (state,), exitpriority=10)
        self._state = state
        with self._lock:
            self.names: tuple[str, ...] = tuple(self._start()[1])

    @property
    def pid(self) -> int | None:
        """The worker's process number, None where there is none."""
        return self._process.pid if self._process else None

    def estimate(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return py-feat's action units float32 (N, K) and mesh points (N, 478, 2) in 0..1 of uint8 (N, H, W, 3)."""
        header, payload = self._ask("units", crops)
        values = np.frombuffer(payload, np.float32)
        count = int(np.prod(header["units"]))
        return values[:count].reshape(header["units"]), values[count:].reshape(header["points"])

    def faces(self, picture: np.ndarray) -> np.ndarray:
        """Return the faces of a picture uint8 (H, W, 3): float32 (K, 5), x0, y0, x1, y1 and score."""
        header, payload = self._ask("faces", picture[None])
        return np.frombuffer(payload, np.float32).reshape(header["boxes"])

    def close(self) -> None:
        """End the worker, at once where it does not end by itself."""
        with self._lock:
            self._forget()

    def _ask(self, what: str, pictures: np.ndarray) -> tuple[dict[str, Any], bytes]:
        with self._lock:
            process = self._process
            if process is None or process.poll() is not None:
                process, _ = self._start()
            header = json.dumps({"what": what, "shape": pictures.shape}).encode()
            answer, payload = self._talk(process, self._limits[1], header, np.ascontiguousarray(pictures).tobytes())
        if "error" in answer:
            raise MachineError(f"Py-Feat could not look at a picture ({answer['error']}).")
        return answer, payload

    def _start(self) -> tuple[subprocess.Popen[bytes], list[str]]:
        """Start a worker; return it and the names of py-feat's action units."""
        self._forget()
        self._said.seek(0)
        self._said.truncate()
        process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env=os.environ | _ENVIRONMENT,
        )
        self._process = self._state.process = process
        questions, replies = cast(IO[bytes], process.stdin), cast(IO[bytes], process.stdout)  # both are pipes
        self._requests = Connection(os.dup(questions.fileno()), readable=False)
        self._answers = Connection(os.dup(replies.fileno()), writable=False)
        questions.close()
        replies.close()
        answer, _ = self._talk(process, self._limits[0])
        if "error" not in answer:
            return process, answer["names"]
        self._forget()
        if answer["kind"] in ("ImportError", "ModuleNotFoundError", "OSError"):
            raise WeightsError(f"Py-Feat is installed but cannot be imported ({answer['error']}).")
        raise WeightsError(f"Py-Feat cannot use the weights {self._weights} ({answer['error']}).")

    def _talk(self, process: subprocess.Popen[bytes], seconds: float, *messages: bytes) -> tuple[dict[str, Any], bytes]:
        """Send the messages and return the answer. A process that takes longer is killed, which ends the waiting."""
        late = threading.Event()

        def end() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(seconds, end)
        timer.daemon = True
        timer.start()
        try:
            for message in messages:
                self._requests.send_bytes(message)
            return json.loads(self._answers.recv_bytes(_LARGEST_ANSWER)), self._answers.recv_bytes(_LARGEST_ANSWER)
        except (EOFError, OSError):
            with suppress(subprocess.TimeoutExpired):
                process.wait(_DYING_SECONDS)
            self._forget()
        except BaseException:  # interrupted: the answer that is still to come belongs to no later question
            self._forget()
            raise
        finally:
            timer.cancel()
        if late.is_set():
            raise MachineError(f"Py-Feat's process did not answer within {seconds:.0f} s and was ended.")
        raise MachineError(f"Py-Feat's process died with status {process.returncode}{self._last_words()}")

    def _last_words(self) -> str:
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").strip().splitlines()
        return f": {lines[-1].strip()}" if lines else " (killed, or out of memory?)."

    def _forget(self) -> None:
        if self._process is not None:
            self._requests.close()
            self._answers.close()
            _end(self._state)
            self._process = None


class _State:
    """What the finalizers hold: the process, and not the object that they wait for."""

    process: subprocess.Popen[bytes] | None = None


def _end(state: _State) -> None:
    """Kill the process where it still runs, and reap it: it has nothing to save, and no zombie stays."""
    process, state.process = state.process, None
    if process is not None:
        process.kill()
        process.wait()
