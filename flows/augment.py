"""The flow: from a data set of faces to a manifest of edited and regenerated ones.

source -> crop -> action units -> edits -> fitted SinGANs -> variants -> SIFID -> manifest

One Prefect task takes a chunk of sources through all of these, in worker processes of our own, where ``source.work``
reads as the list of the stages; one source is one part of the manifest. Threads hand out the work because Prefect's
process runner costs 11 s before the first task (it imports Prefect in every worker), against 0.1 s.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from prefect import flow, tags, task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.flow_engine import run_flow
from prefect.futures import wait
from prefect.states import Cancelled, Failed
from prefect.task_runners import ThreadPoolTaskRunner

from singanimation.flows.job.job import JOBS, Job, open_job
from singanimation.flows.job.plan import plan_run
from singanimation.flows.job.progress import PlainReporter
from singanimation.flows.job.summary import close_job, summary_of
from singanimation.flows.prefect_server.crashed_runs import mark_crashed, process_tag
from singanimation.pipeline.errors import ExitCode
from singanimation.pipeline.settings import make_settings


@task(name="augment sources", task_run_name="sources {first} to {end}", cache_policy=NO_CACHE)
def augment_sources(job_key: str, first: int, end: int) -> int:
    """Work on ``todo[first:end]`` of a job of this process, and return how many sources that was."""
    return JOBS[job_key].queue.chunk(first, end)


@flow(name="augment", flow_run_name="{job_key}", validate_parameters=False)
def augment(options: dict[str, Any], job_key: str = "scheduled") -> dict[str, Any] | State[Any]:
    """Augment what ``options`` (Settings as plain values) ask for, or the open job of this key; return the summary."""
    with _job(options, job_key) as job:
        chunks = [augment_sources.submit(job.key, first, end) for first, end in job.chunks()]
        try:
            wait(chunks)
        except BaseException:
            job.interrupt()
            raise
        for chunk in chunks:
            chunk.result()
        summary = summary_of(job) if job_key in JOBS else close_job(job)
    return _state(summary) or summary


def run_job(job: Job, flow_run: str | None = None) -> None:
    """Run the flow on an open job, in the job's number of threads, as a new flow run or as one that Prefect has."""
    runner = ThreadPoolTaskRunner(max_workers=job.threads)
    # Prefect's annotation takes runners of bare futures alone, which none of its own are
    recorded = augment.with_options(task_runner=runner)  # pyright: ignore[reportArgumentType]
    given = {"options": job.settings.model_dump(mode="json", exclude_none=True), "job_key": job.key}
    mark_crashed()
    with tags(process_tag()):
        if flow_run is None:
            recorded(**given, return_state=True)
            return
        with get_client(sync_client=True) as client:
            known = client.read_flow_run(UUID(flow_run))
        run_flow(recorded, flow_run=known, parameters=given, return_type="state")  # its own parameters do not count


def _state(summary: dict[str, Any]) -> State[Any] | None:
    """Return the state of a flow run that did not end as it should."""
    code = summary["exit_code"]
    if code == ExitCode.INTERRUPTED:
        return Cancelled(message=str(summary["stopped"]))
    if code != ExitCode.DONE:
        lost = len(summary["sources"]["lost"])
        return Failed(
            message=summary["stopped"] or (f"{lost} sources are not done" if lost else "nothing was accepted")
        )
    return None


@contextmanager
def _job(options: dict[str, Any], job_key: str) -> Iterator[Job]:
    if job_key in JOBS:
        yield JOBS[job_key]
        return
    with open_job(plan_run(make_settings(**options)), PlainReporter()) as job:
        try:
            yield job
        except BaseException:
            job.run.write_summary(summary_of(job))
            raise
