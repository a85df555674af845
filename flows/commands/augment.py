"""``augment --input ... --per-image ...``: the plan, the run, and the closing words."""

import sys
from typing import Any

from rich.console import Console

from singanimation.flows import interrupts
from singanimation.flows.cli import print_json
from singanimation.flows.job.class_counts import class_lines
from singanimation.flows.job.cost import disk_warning, estimate_cost
from singanimation.flows.job.job import Job, open_job
from singanimation.flows.job.plan import RunPlan, plan_run
from singanimation.flows.job.pool import LOADER
from singanimation.flows.job.preview import make_preview, print_preview
from singanimation.flows.job.progress import Reporter, make_reporter, readable_seconds
from singanimation.flows.job.recording import INTERRUPTED_SECONDS, LAST_SECONDS, Recording
from singanimation.flows.job.summary import close_job, closing_words, summary_of, trouble_of
from singanimation.flows.prefect_server.server import prepare_environment
from singanimation.pipeline.errors import ExitCode
from singanimation.pipeline.settings import Settings

_LOOK_SECONDS = 0.5


def run_main_job(
    settings: Settings,
    *,
    dry_run: bool = False,
    quiet: bool = False,
    as_json: bool = False,
    loader: str = LOADER,
    flow_run: str | None = None,
) -> ExitCode:
    """Plan, and unless ``dry_run`` augment; print what came of it. Raises SinganimationError for users' errors.

    ``flow_run`` is the id of a flow run that Prefect already has for this run.
    """
    plan = plan_run(settings)
    if dry_run:
        preview = make_preview(plan)
        if as_json:
            print_json(preview.as_json())
        elif not quiet:
            print_preview(preview, Console(markup=False, emoji=False))
        return ExitCode.DONE
    interrupts.begin()
    summary = run_plan(plan, quiet=quiet, loader=loader, flow_run=flow_run)
    if as_json:
        print_json(summary)
    elif not quiet:
        for line in closing_words(summary):
            print(line)
    trouble = trouble_of(summary)
    if trouble and (quiet or as_json or summary["stopped"]):  # else the closing words have said it
        print(f"augment: {trouble}", file=sys.stderr)
    return ExitCode(summary["exit_code"])


def run_plan(
    plan: RunPlan, *, quiet: bool = False, loader: str = LOADER, flow_run: str | None = None
) -> dict[str, Any]:
    """Do what was planned, with progress on stderr unless ``quiet``, and return the run's summary."""
    prepare_environment()
    reporter = make_reporter(quiet)
    with reporter, open_job(plan, reporter, loader) as job:
        try:
            return work_off(job, reporter, flow_run)
        except KeyboardInterrupt:
            job.interrupt()
            job.run.write_summary(summary_of(job))
            raise


def work_off(job: Job, reporter: Reporter, flow_run: str | None = None) -> dict[str, Any]:
    """Say what is going to be done, have an open job worked off, and return the summary."""
    recording = Recording(job, flow_run)
    if not job.todo:
        reporter.say(f"Nothing to do: all {len(job.plan.sources):,} sources are complete in {job.run.output}.")
        if flow_run is not None:
            recording.start()
            _finish(recording)
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
    job.queue.start()
    recording.start()
    try:
        while not job.queue.wait(_LOOK_SECONDS):
            pass
    except KeyboardInterrupt:
        job.interrupt()
        _finish(recording, INTERRUPTED_SECONDS)
        raise
    if job.queue.fault is not None:
        raise job.queue.fault
    _finish(recording)  # first: what it has to say stands in the summary
    return close_job(job)


def _finish(recording: Recording, seconds: float = LAST_SECONDS) -> None:
    """Let Prefect come to its end; threads of its own that do not must not hold up the process' end."""
    if not recording.finish(seconds):
        interrupts.leave_at_the_end()
