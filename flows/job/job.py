"""One augmentation job: opened by the command line or by a scheduled flow run, worked off by the flow's tasks."""

import logging
import math
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from singanimation.flows.job.class_counts import Classes
from singanimation.flows.job.cost import estimate
from singanimation.flows.job.finished import Finished
from singanimation.flows.job.pool import LOADER, WorkerPool
from singanimation.flows.job.progress import Reporter, Totals
from singanimation.flows.job.resume import open_manifest
from singanimation.flows.job.todo import find_todo, open_sources
from singanimation.flows.models import Fingerprint
from singanimation.flows.prefect_server.server import Server, user_has_server
from singanimation.flows.source.row_ids import Identity
from singanimation.flows.source.work import SourceJob
from singanimation.manifests.scan import ManifestScan
from singanimation.pipeline.errors import ExitCode, UsageError
from singanimation.pipeline.records import Source
from singanimation.pipeline.runs import Run, free_bytes, human_bytes, open_run
from singanimation.pipeline.settings import Settings
from singanimation.pipeline.system import most_processes, usable_cores

LOGGER = logging.getLogger("singanimation.job")

CHUNK_SECONDS = 120.0
"""About this much work goes into one Prefect task (a task costs milliseconds, its record stays for ever)."""

INTERRUPTED = "interrupted"

_FIRST = 12
_SMALLEST_FREE = 32 * 1024 * 1024


@dataclass
class Job:
    """What the tasks of one run share. ``todo`` holds the identities of the sources that have work left.

    ``planned`` is what ``--balance`` aims at, ``balance_note`` what became of an earlier plan; ``accepted_again``
    counts rejected variants that a new limit took in; ``unusable`` names the sources that failed, and why.
    """

    settings: Settings
    run: Run
    reporter: Reporter
    workers: int
    pool: WorkerPool
    server: Server | None
    todo: list[Identity] = field(default_factory=list)
    models: Fingerprint | None = None
    disk: ManifestScan | None = None
    finished: Finished | None = None
    chosen: int = 0
    first: list[Source] = field(default_factory=list)
    parts: dict[str, Path] = field(default_factory=dict)
    complete: int = 0
    accepted_again: int = 0
    planned: Classes | None = None
    balance_note: str | None = None
    totals: Totals = field(default_factory=Totals)
    unusable: dict[str, str] = field(default_factory=dict)
    stopped: str | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def key(self) -> str:
        """Return what a task finds this job by."""
        return self.run.run_id

    def chunks(self) -> list[tuple[int, int]]:
        """Cut ``todo`` into ranges (first, last + 1) of about CHUNK_SECONDS, and enough for all workers."""
        count = len(self.todo)
        if not count:
            return []
        edits = min(self.settings.edits, self.settings.per_image)
        each = estimate(1, edits, self.settings.per_image, self.settings, 1).seconds
        size = min(max(round(CHUNK_SECONDS / each), 1), max(math.ceil(count / (4 * self.workers)), 1))
        return [(first, min(first + size, count)) for first in range(0, count, size)]

    def work(self, index: int) -> None:
        """Work on one source of ``todo`` and count what came of it."""
        identity = self.todo[index]
        source = identity.source
        if self.stopped is not None:
            return
        known = self.disk.known(source.dataset, source.source_id) if self.disk else {}
        outcome = self.pool.augment(SourceJob(identity, known, self.run.run_id, self.run.manifest))
        if outcome.lost is not None and self.stopped is not None:
            return  # ended with the run, by no fault of its own
        if outcome.lost is not None:
            LOGGER.error("%s: not done: %s\n%s", source.source_id, outcome.lost, outcome.message or "")
        elif outcome.failed is not None:
            LOGGER.warning("%s: %s: %s", source.source_id, outcome.failed, outcome.message)
        else:
            notes = "; ".join(outcome.notes)
            LOGGER.info(
                "%s: %d accepted, %d rejected %s",
                source.source_id,
                outcome.accepted,
                sum(outcome.rejected.values()),
                notes,
            )
        with self._lock:
            self.totals.add(outcome)
            if outcome.failed is not None:
                self.unusable[source.source_id] = outcome.failed
            if outcome.part is not None and source in self.first:
                self.parts[source.source_id] = outcome.part
            if outcome.part is not None and not known:
                self.finished.state_of(identity, ManifestScan(outcome.part))  # worked out now, not at the next start
            if outcome.lost is not None and free_bytes(self.run.manifest) < _SMALLEST_FREE:
                self.stopped = f"The disk of {self.run.output} is full; free some space and run the same command again."
            self.reporter.update(self.totals)

    def parts_of(self, source: Source) -> list[Path]:
        """Return the parts with a source's rows, this run's included (for the first few sources)."""
        before = self.disk.parts(source.dataset, source.source_id) if self.disk else []
        now = self.parts.get(source.source_id)
        return list(dict.fromkeys([*before, *([now] if now else [])]))

    def interrupt(self) -> None:
        """Stop at once; finished sources stay."""
        self.stopped = self.stopped or INTERRUPTED
        self.pool.close(now=True)

    def not_started(self) -> int:
        """Return how many sources were left when the run stopped early."""
        return self.totals.sources - self.totals.done

    def exit_code(self) -> ExitCode:
        """Return what the command line ends with."""
        if self.stopped == INTERRUPTED:
            return ExitCode.INTERRUPTED
        if self.totals.lost or self.not_started():
            return ExitCode.PARTLY_DONE
        if self.totals.accepted == 0 and not self.complete:
            return ExitCode.NOTHING_ACCEPTED
        return ExitCode.DONE


JOBS: dict[str, Job] = {}
"""Open jobs of this process by key: Prefect's parameters are JSON, so the flow and its tasks are handed the key."""


@contextmanager
def open_job(settings: Settings, reporter: Reporter, loader: str = LOADER) -> Iterator[Job]:
    """Open the data set and the output folder, start workers, and find out what is left to do.

    Raises UsageError and its kin before anything is worked on.
    """
    dataset, sources = open_sources(settings)
    workers = worker_count(settings, len(sources))
    with ExitStack() as stack:
        run = stack.enter_context(open_run(settings))
        for warning in dataset.warnings:
            reporter.say(f"warning: {warning}")
            LOGGER.warning("%s", warning)
        pool = WorkerPool(settings, workers, loader)
        stack.callback(pool.close, now=True)
        fingerprint = pool.fingerprint()
        server = None if user_has_server() else Server()
        job = Job(settings, run, reporter, workers, pool, server, chosen=len(sources), first=sources[:_FIRST])
        if server is not None:
            stack.callback(server.stop)
            if not any(run.manifest.glob("*.parquet")):  # surely needed: let it start while the models load
                server.start()
        job.disk = _on_disk(run, settings, reporter)
        job.models = fingerprint.result()
        _tell_models(job.models, reporter)
        find_todo(job, sources, job.models)
        stack.callback(job.finished.save)
        JOBS[job.key] = job
        stack.callback(JOBS.pop, job.key)
        yield job


def _on_disk(run: Run, settings: Settings, reporter: Reporter) -> ManifestScan:
    if not settings.resume and any(run.manifest.glob("*.parquet")):
        raise UsageError(f"--no-resume: {run.output} already holds a manifest; choose another --output.")
    disk = open_manifest(run.manifest)
    for problem in disk.problems:
        reporter.say(f"warning: {problem}")
        LOGGER.warning("%s", problem)
    return disk


def worker_count(settings: Settings, sources: int) -> int:
    """Return how many worker processes to use: as asked, else one a core, one on a GPU."""
    if settings.workers is not None:
        return most_processes(settings.workers)
    if settings.device.startswith("cuda"):
        return 1
    return most_processes(max(min(usable_cores(), sources), 1))


def check_disk(output: Path, needed: int) -> str | None:
    """Return a warning when the disk looks too small for what a run will write."""
    free = free_bytes(output)
    if needed <= free:
        return None
    return f"the run may need {human_bytes(needed)}, and the disk of {output} has {human_bytes(free)} free."


def _tell_models(models: Fingerprint, reporter: Reporter) -> None:
    LOGGER.info(
        "action units: %s; faces found by: %s; SIFID on: %s", models.estimator, models.detector, models.sifid_name
    )
    for note in models.notes:
        LOGGER.info("%s", note)
    for warning in models.warnings:
        reporter.say(f"warning: {warning}")
        LOGGER.warning("%s", warning)


def summary_of(job: Job) -> dict[str, Any]:
    """Return a run's summary as plain values: what ``summary.json`` and ``--json`` hold."""
    totals = job.totals
    return {
        "run_id": job.run.run_id,
        "output": str(job.run.output),
        "manifest": str(job.run.manifest),
        "exit_code": int(job.exit_code()),
        "stopped": job.stopped,
        "sources": {
            "chosen": job.chosen,
            "complete_before": job.complete,
            "worked_on": totals.done,
            "failed": dict(sorted(totals.failed.items())),
            "unusable": dict(sorted(job.unusable.items())),
            "lost": dict(sorted(totals.lost.items())),
            "not_started": job.not_started(),
            "short": dict(sorted(totals.short.items())),
        },
        "edits": totals.edits,
        "variants": {"accepted": totals.accepted, "rejected": dict(sorted(totals.rejected.items()))},
        "accepted_again": job.accepted_again,
        "models": _models_of(job.models),
        "working_seconds": round(totals.seconds_working, 1),
    }


def _models_of(models: Fingerprint | None) -> dict[str, Any] | None:
    if models is None:
        return None
    said = [*models.notes, *models.warnings]
    return {
        "au_estimator": models.estimator,
        "face_detector": models.detector,
        "sifid_features": models.sifid_name,
        "sifid_max": models.sifid_threshold,
        "variant_checks": models.checks,
        "notes": said,
    }
