"""The flow's one task: a chunk of sources, minutes of work. Only its job's key and two numbers go through Prefect."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from singanimation.flows.job.job import JOBS


@task(name="augment sources", task_run_name="sources {first} to {end}", cache_policy=NO_CACHE)
def augment_sources(job_key: str, first: int, end: int) -> int:
    """Work on ``todo[first:end]`` of a job of this process, and return how many sources that was."""
    job = JOBS[job_key]
    for index in range(first, end):
        job.work(index)
    return end - first
