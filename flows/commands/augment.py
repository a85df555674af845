"""``augment --input ... --per-image ...``: the plan, the run, and the closing words."""

import sys
from typing import Any

from rich.console import Console

from singanimation.flows.cli import print_json
from singanimation.flows.job.class_counts import class_lines
from singanimation.flows.job.cost import disk_warning, estimate_cost
from singanimation.flows.job.job import Job, open_job
from singanimation.flows.job.plan import plan_run
from singanimation.flows.job.pool import LOADER
from singanimation.flows.job.preview import make_preview, print_preview
from singanimation.flows.job.progress import Reporter, make_reporter, readable_seconds
from singanimation.flows.job.summary import close_job, closing_words, summary_of
from singanimation.flows.prefect_server.server import connected, prepare_environment
from singanimation.pipeline.errors import ExitCode
from singanimation.pipeline.settings import Settings


def run_main_job(
    settings: Settings, *, dry_run: bool = False, quiet: bool = False, as_json: bool = False, loader: str = LOADER
) -> ExitCode:
    """Plan, and unless ``dry_run`` augment; print what came of it. Raises SinganimationError for users' errors."""
    plan = plan_run(settings)
    if dry_run:
        preview = make_preview(plan)
        if as_json:
            print_json(preview.as_json())
        elif not quiet:
            print_preview(preview, Console(markup=False, emoji=False))
        return ExitCode.DONE
    prepare_environment()
    reporter = make_reporter(quiet)
    with reporter, open_job(plan, reporter, loader) as job:
        try:
            summary = work_off(job, reporter)
        except KeyboardInterrupt:
            job.interrupt()
            job.run.write_summary(summary_of(job))
            raise
    if as_json:
        print_json(summary)
    elif not quiet:
        for line in closing_words(summary):
            print(line)
    if summary["stopped"] and not quiet:
        print(f"augment: {summary['stopped']}", file=sys.stderr)
    return ExitCode(summary["exit_code"])


def work_off(job: Job, reporter: Reporter) -> dict[str, Any]:
    """Say what is going to be done, run the flow on an open job, and return the summary."""
    if not job.todo:
        reporter.say(f"Nothing to do: all {len(job.plan.sources):,} sources are complete in {job.run.output}.")
        return close_job(job)
    edits = min(job.settings.edits, job.settings.per_image) * len(job.todo)
    cost = estimate_cost(len(job.todo), edits, job.settings.per_image * len(job.todo), job.settings, job.workers)
    warning = disk_warning(job.run.output, cost.bytes)
    reporter.say(
        f"{len(job.todo):,} of {len(job.plan.sources):,} sources to do, {job.workers} worker(s), about "
        f"{readable_seconds(cost.seconds)}; run {job.run.run_id} in {job.run.output}"
    )
    if warning:
        reporter.say(f"warning: {warning}")
    if job.todo.balance_note:
        reporter.say(job.todo.balance_note)
    for line in class_lines(job.todo.planned, "Planned by --balance") if job.todo.planned else []:
        reporter.say(line)
    reporter.update(job.totals)
    if job.server is not None:
        job.server.start()
    with connected(job.server):
        from singanimation.flows.augment import run_job

        return run_job(job)
