"""One-thread worker processes that keep their models, survive each other, and never outlive their parent."""

import importlib
import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import cv2

from singanimation.flows import interrupts
from singanimation.flows.models import Fingerprint, Models
from singanimation.flows.source.outcome import Outcome, SourceJob
from singanimation.flows.source.work import augment_source
from singanimation.pipeline.errors import MachineError
from singanimation.pipeline.settings import Settings
from singanimation.pipeline.system import process_context

LOADER = "singanimation.flows.models:load_models"
"""``module:function`` that builds the models from the settings, in the worker."""

LIBRARY_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""What libraries read their number of threads from; one each gives the same bytes whatever the number of workers."""

_LOADING_TRIES = 2

_models: Models | None = None


class WorkerPool:
    """Worker processes for one run. Thread-safe: each thread that calls ``augment`` keeps one worker busy."""

    def __init__(self, settings: Settings, workers: int, loader: str = LOADER) -> None:
        self._settings, self.workers, self._loader = settings, workers, loader
        self._lock, self._retrying = threading.Lock(), threading.Lock()
        self._closed = False
        self._loading: list[Future[Fingerprint]] = []
        self._executor = self._start()

    def at_most(self, workers: int) -> None:
        """Have no more workers than that; only before any is at work."""
        if workers < self.workers:
            self.workers = workers
            self._executor = self._start()

    def load(self) -> None:
        """Let every worker load the models, and return at once."""
        executor = self._executor
        self._loading = [_submit(executor, _fingerprint, self._settings, self._loader) for _ in range(self.workers)]

    def fingerprint(self) -> Fingerprint:
        """Wait for the models and say what they are. Raises WeightsError and its kin; MachineError for dead workers."""
        for _ in range(_LOADING_TRIES):
            executor = self._executor
            try:
                if not self._loading:
                    self.load()
                return self._loading[0].result()
            except (BrokenProcessPool, CancelledError):
                self._loading = []
                self._replace(executor)
            except MemoryError:
                break
        raise MachineError(
            "A worker process died while it loaded the models (killed, or out of memory?); use fewer --workers, "
            "or run the same command again."
        )

    def augment(self, job: SourceJob) -> Outcome:
        """Work on one source in some worker. A worker that dies is replaced, and the source tried once more."""
        outcome = self._try(job)
        if outcome is None:
            with self._retrying:  # one at a time: a source that kills its worker takes no second one with it
                outcome = self._try(job)
        if outcome is None:
            why = "interrupted" if self._closed else "its worker process died twice (killed, or out of memory?)"
            outcome = Outcome(job.identity.source.source_id, lost=why, fault=None if self._closed else "worker_died")
        return outcome

    def _try(self, job: SourceJob) -> Outcome | None:
        executor = self._executor
        try:
            return _submit(executor, _augment, job, self._settings, self._loader).result()
        except (BrokenProcessPool, CancelledError):
            self._replace(executor)
        except RuntimeError:  # submitted after the shutdown
            if not self._closed:
                raise
        return None

    def close(self, *, now: bool = False) -> None:
        """End the workers; ``now`` does not wait for what they are at (a part is whole, or absent)."""
        with self._lock:
            self._closed = True
            processes = list((self._executor._processes or {}).values()) if now else []
            self._executor.shutdown(wait=not now, cancel_futures=True)
        for process in processes:
            process.kill()

    def _replace(self, broken: ProcessPoolExecutor) -> None:
        with self._lock:
            if not self._closed and self._executor is broken:  # the first thread to notice does it for all
                broken.shutdown(wait=False, cancel_futures=True)
                self._executor = self._start()

    def _start(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(self.workers, mp_context=process_context(), initializer=prepare_worker)


def _submit(executor: ProcessPoolExecutor, *call: Any) -> "Future[Any]":
    """Submit a call. Workers start with it: Ctrl-C must not find one before it ignores that."""
    with interrupts.blocked():
        return executor.submit(*call)


def prepare_worker() -> None:
    """One thread each (the same bytes whatever the number of workers), no Ctrl-C, and an end with the parent."""
    for name in LIBRARY_THREADS:
        os.environ[name] = "1"
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    interrupts.unblock()
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _loaded(settings: Settings, loader: str) -> Models:
    global _models
    models = _models
    if models is None:
        cv2.setNumThreads(0)
        models = _models = resolve(loader)(settings)
    return models


def resolve(name: str) -> Callable[..., Any]:
    """Return the function that ``module:function`` names."""
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)


def _fingerprint(settings: Settings, loader: str) -> Fingerprint:
    return _loaded(settings, loader).fingerprint


def _augment(job: SourceJob, settings: Settings, loader: str) -> Outcome:
    try:
        return augment_source(job, _loaded(settings, loader))
    except MachineError as error:
        return Outcome(job.identity.source.source_id, lost=str(error))
    except Exception as error:  # a fault of ours or of the machine: the source is not done, and the log says all
        text = f"{type(error).__name__}: {error}"
        return Outcome(job.identity.source.source_id, lost=text, message=traceback.format_exc(), fault="internal_error")
