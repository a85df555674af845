"""One augmentation job: opened by the command line or by a scheduled flow run, worked off by the flow's tasks."""

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from singanimation.flows.job.cost import cut_into_tasks
from singanimation.flows.job.faults import Faults
from singanimation.flows.job.plan import RunPlan
from singanimation.flows.job.pool import LOADER
from singanimation.flows.job.pools import Pool, make_pool
from singanimation.flows.job.progress import Reporter, Totals
from singanimation.flows.job.remembered import RememberedModels
from singanimation.flows.job.resume import open_manifest
from singanimation.flows.job.telling import log_outcome, tell_models
from singanimation.flows.job.todo import Todo, find_todo
from singanimation.flows.job.work_queue import WorkQueue
from singanimation.flows.models import Fingerprint
from singanimation.flows.prefect_server.server import Server, user_has_server
from singanimation.flows.source.outcome import Outcome, SourceJob
from singanimation.flows.source.row_ids import Identity
from singanimation.flows.source.work import give_up
from singanimation.manifests.scan import ManifestScan
from singanimation.pipeline.errors import ExitCode, MachineError, UsageError
from singanimation.pipeline.records import Source
from singanimation.pipeline.runs import Run, free_bytes, open_run
from singanimation.pipeline.settings import Settings

LOGGER = logging.getLogger("singanimation.job")

INTERRUPTED = "interrupted"

_FIRST = 12
_SMALLEST_FREE = 32 * 1024 * 1024


@dataclass
class Job:
    """What the tasks of one run share. ``unusable`` names the sources that failed, and why; ``parts`` are this run's

    for the first few sources; ``stopped`` says why no more work is begun, ``notes`` what was said besides.
    """

    plan: RunPlan
    run: Run
    reporter: Reporter
    pool: Pool
    server: Server | None
    models: Fingerprint
    todo: Todo
    totals: Totals
    faults: Faults
    parts: dict[str, Path] = field(default_factory=dict)
    unusable: dict[str, str] = field(default_factory=dict)
    stopped: str | None = None
    notes: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        """Make the queue that hands the sources out."""
        self.queue = WorkQueue(len(self.todo), self.threads, self.work)

    @property
    def settings(self) -> Settings:
        """Return what the run was asked."""
        return self.plan.settings

    @property
    def workers(self) -> int:
        """Return how many workers there are: processes, or actors of a cluster."""
        return self.pool.workers

    @property
    def threads(self) -> int:
        """Return how many threads hand sources out: one more than workers, so that none waits for the next source."""
        return self.workers + 1

    @property
    def first(self) -> Sequence[Source]:
        """Return the sources that the contact sheet may show."""
        return self.plan.sources[:_FIRST]

    @property
    def key(self) -> str:
        """Return what a task finds this job by."""
        return self.run.run_id

    def chunks(self) -> list[tuple[int, int]]:
        """Return the ranges of ``todo`` (first, last + 1) that are Prefect's tasks."""
        return cut_into_tasks(len(self.todo), self.settings, self.workers)

    def work(self, index: int) -> None:
        """Work on one source of ``todo`` and count what came of it."""
        identity = replace(self.todo.identities[index])  # what it encodes for its ids, a kilobyte, goes with the copy
        source = identity.source
        if self.stopped is not None:
            return
        known = self.todo.disk.known(source.dataset, source.source_id)
        job = SourceJob(identity, known, self.run.run_id, self.run.manifest)
        outcome = self.pool.augment(job)
        if outcome.lost is not None and self.stopped is not None:
            return  # ended with the run, by no fault of its own
        outcome = self._judged(job, outcome)
        log_outcome(source, outcome)
        with self._lock:
            self._count(identity, outcome, new=not known)

    def _judged(self, job: SourceJob, outcome: Outcome) -> Outcome:
        """Return the outcome; of a source that is lost to the same fault as in an earlier run, that it has failed."""
        row_id = job.identity.real()
        if outcome.lost is None:
            self.faults.gone(row_id)
        elif outcome.fault is not None and self.faults.again(row_id, outcome.fault):
            try:
                return give_up(job, outcome.fault, f"{outcome.lost}; the same as in an earlier run.")
            except MachineError as error:
                return Outcome(outcome.source_id, lost=str(error))
        return outcome

    def _count(self, identity: Identity, outcome: Outcome, *, new: bool) -> None:
        source = identity.source
        self.totals.add(outcome)
        if outcome.failed is not None:
            self.unusable[source.source_id] = outcome.failed
        if outcome.part is not None and source in self.first:
            self.parts[source.source_id] = outcome.part
        if outcome.part is not None and new:  # worked out now, not at the next start
            self.todo.finished.state_of(identity, ManifestScan(outcome.part))
        free = free_bytes(self.run.manifest) if outcome.lost is not None else None
        if free is not None and free < _SMALLEST_FREE:
            self.stopped = f"The disk of {self.run.output} is full; free some space and run the same command again."
        self.reporter.update(self.totals)

    def note(self, text: str) -> None:
        """Keep what was said for the log and the summary."""
        LOGGER.warning("%s", text)
        self.notes.append(text)

    def parts_of(self, source: Source) -> list[Path]:
        """Return the parts with a source's rows, this run's included (for the first few sources)."""
        before = self.todo.disk.parts(source.dataset, source.source_id)
        now = self.parts.get(source.source_id)
        return list(dict.fromkeys([*before, *([now] if now else [])]))

    def interrupt(self) -> None:
        """Stop at once; finished sources stay."""
        self.stopped = self.stopped or INTERRUPTED
        self.queue.stop()
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
        if self.totals.accepted == 0 and not self.todo.complete:
            return ExitCode.NOTHING_ACCEPTED
        return ExitCode.DONE


JOBS: dict[str, Job] = {}
"""Open jobs of this process by key: Prefect's parameters are JSON, so the flow and its tasks are handed the key."""


@contextmanager
def open_job(plan: RunPlan, reporter: Reporter, loader: str = LOADER) -> Iterator[Job]:
    """Open the output folder, start workers, and find out what is left to do of ``plan``.

    Raises UsageError and its kin before anything is worked on.
    """
    settings = plan.settings
    with ExitStack() as stack:
        run = stack.enter_context(open_run(settings))
        for warning in plan.dataset.warnings:
            reporter.say(f"warning: {warning}")
            LOGGER.warning("%s", warning)
        for note in plan.notes:
            reporter.say(note)
            LOGGER.info("%s", note)
        pool = make_pool(plan, loader)
        stack.callback(pool.close, now=True)
        server = None if user_has_server() else Server()
        if server is not None:
            stack.callback(server.stop)
        models, todo = _find_work(plan, run, reporter, pool, RememberedModels(run.output, settings, loader))
        stack.callback(todo.finished.save)
        faults = Faults(run.output)
        stack.callback(faults.save)
        totals = Totals(len(todo), lost=dict(todo.lost), short=dict(todo.short))
        job = Job(plan, run, reporter, pool, server, models, todo, totals, faults)
        JOBS[job.key] = job
        stack.callback(JOBS.pop, job.key)
        yield job


def _find_work(
    plan: RunPlan, run: Run, reporter: Reporter, pool: Pool, memory: RememberedModels
) -> tuple[Fingerprint, Todo]:
    """Return what the models are and what is left to do; the models are loaded where there is something, or may be."""
    remembered = memory.read()
    if remembered is None:
        pool.load()  # in its own processes, while the manifest is read
    disk = _on_disk(run, plan.settings, reporter)
    todo = None
    if remembered is not None:
        todo = find_todo(run, plan.sources, remembered, disk, plan.donors_of)
        if not len(todo):
            tell_models(remembered, reporter)
            return remembered, todo
        pool.at_most(len(todo))
    models = pool.fingerprint()
    tell_models(models, reporter)
    if todo is None or models != remembered:
        memory.save(models)
        todo = find_todo(run, plan.sources, models, disk, plan.donors_of)
    return models, todo


def _on_disk(run: Run, settings: Settings, reporter: Reporter) -> ManifestScan:
    if not settings.resume and any(run.manifest.glob("*.parquet")):
        raise UsageError(f"--no-resume: {run.output} already holds a manifest; choose another --output.")
    disk = open_manifest(run.manifest)
    for problem in disk.problems:
        reporter.say(f"warning: {problem}")
        LOGGER.warning("%s", problem)
    return disk
