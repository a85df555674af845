"""One job with the fake models, without Prefect, as a process that can be killed; its settings come as JSON."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor

if __name__ == "__main__":
    from singanimation.flows.job.job import open_job
    from singanimation.flows.job.plan import plan_run
    from singanimation.flows.job.progress import Reporter
    from singanimation.flows.job.summary import close_job
    from singanimation.pipeline.settings import make_settings

    settings = make_settings(**json.loads(sys.argv[1]))
    job_of = open_job(plan_run(settings), Reporter(), "fake_models:load")
    with job_of as job, ThreadPoolExecutor(job.workers) as threads:
        list(threads.map(job.work, range(len(job.todo))))
        close_job(job)
