"""The flow: from a data set of faces to a manifest of edited and regenerated ones.

source -> crop -> action units -> edits -> fitted SinGANs -> variants -> SIFID -> manifest

One Prefect task takes a chunk of sources through all of these, in worker processes of our own, where ``source.work``
reads as the list of the stages; one source is one part of the manifest. Threads hand out the work because Prefect's
process runner costs 11 s before the first task (it imports Prefect in every worker), against 0.1 s.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prefect import flow, tags, task
from prefect.cache_policies import NO_CACHE
from prefect.futures import wait
from prefect.task_runners import ThreadPoolTaskRunner

from singanimation.flows.job.job import JOBS, Job, open_job
from singanimation.flows.job.plan import plan_run
from singanimation.flows.job.pool import LOADER
from singanimation.flows.job.progress import PlainReporter
from singanimation.flows.job.summary import close_job
from singanimation.flows.prefect_server.crashed_runs import mark_crashed, process_tag
from singanimation.pipeline.settings import make_settings


@task(name="augment sources", task_run_name="sources {first} to {end}", cache_policy=NO_CACHE)
def augment_sources(job_key: str, first: int, end: int) -> int:
    """Work on ``todo[first:end]`` of a job of this process, and return how many sources that was."""
    job = JOBS[job_key]
    for index in range(first, end):
        job.work(index)
    return end - first


@flow(name="augment", flow_run_name="{job_key}", validate_parameters=False)
def augment(options: dict[str, Any], job_key: str = "scheduled", loader: str = LOADER) -> dict[str, Any]:
    """Augment what ``options`` (Settings as plain values) ask for, or the open job of this key; return the summary."""
    with _job(options, job_key, loader) as job:
        chunks = [augment_sources.submit(job.key, first, end) for first, end in job.chunks()]
        try:
            wait(chunks)
        except BaseException:
            job.interrupt()
            raise
        for chunk in chunks:
            chunk.result()
        return close_job(job)


def run_job(job: Job) -> dict[str, Any]:
    """Run the flow on an open job, one thread a worker, and return the summary."""
    runner = ThreadPoolTaskRunner(max_workers=job.workers)
    options = job.settings.model_dump(mode="json", exclude_none=True)
    mark_crashed()
    with tags(process_tag()):
        # Prefect's annotation takes runners of bare futures alone, which none of its own are
        return augment.with_options(task_runner=runner)(options, job.key)  # pyright: ignore[reportArgumentType]


@contextmanager
def _job(options: dict[str, Any], job_key: str, loader: str) -> Iterator[Job]:
    if job_key in JOBS:
        yield JOBS[job_key]
        return
    with open_job(plan_run(make_settings(**options)), PlainReporter(), loader) as job:
        yield job
