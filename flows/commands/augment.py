"""``augment --input ... --per-image ...``: the plan, the run, and the closing words."""

import sys
from typing import Any

from rich.console import Console

from singanimation.flows.cli import print_json
from singanimation.flows.job.class_counts import class_lines
from singanimation.flows.job.cost import estimate
from singanimation.flows.job.job import Job, check_disk, open_job, summary_of
from singanimation.flows.job.plan import make_plan, print_plan
from singanimation.flows.job.pool import LOADER
from singanimation.flows.job.progress import Reporter, make_reporter, readable_seconds
from singanimation.flows.prefect_server.server import connected, prepare_environment
from singanimation.pipeline.errors import ExitCode
from singanimation.pipeline.pyfeat import check_estimator
from singanimation.pipeline.settings import Settings

_LISTED = 5


def run_main_job(
    settings: Settings, *, dry_run: bool = False, quiet: bool = False, as_json: bool = False, loader: str = LOADER
) -> ExitCode:
    """Plan, and unless ``dry_run`` augment; print what came of it. Raises SinganimationError for users' errors."""
    check_estimator(settings.aus)
    if dry_run:
        plan = make_plan(settings)
        if as_json:
            print_json(plan.as_json())
        elif not quiet:
            print_plan(plan, Console())
        return ExitCode.DONE
    _check_generator(settings)
    prepare_environment()
    reporter = make_reporter(quiet)
    with reporter, open_job(settings, reporter, loader) as job:
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


def _check_generator(settings: Settings) -> None:
    """Load a generator of the user's own once before anything is written. Raises WeightsError."""
    if settings.ganimation is not None:
        from singanimation.stages.expansion.checkpoints import load_generator

        load_generator(settings.ganimation)


def work_off(job: Job, reporter: Reporter) -> dict[str, Any]:
    """Say what is going to be done, run the flow on an open job, and return the summary."""
    if not job.todo:
        reporter.say(f"Nothing to do: all {job.chosen:,} sources are complete in {job.run.output}.")
        from singanimation.flows.job.summary import close_job

        return close_job(job)
    edits = min(job.settings.edits, job.settings.per_image) * len(job.todo)
    cost = estimate(len(job.todo), edits, job.settings.per_image * len(job.todo), job.settings, job.workers)
    warning = check_disk(job.run.output, cost.bytes)
    reporter.say(
        f"{len(job.todo):,} of {job.chosen:,} sources to do, {job.workers} worker(s), about "
        f"{readable_seconds(cost.seconds)}; run {job.run.run_id} in {job.run.output}"
    )
    if warning:
        reporter.say(f"warning: {warning}")
    if job.balance_note:
        reporter.say(job.balance_note)
    for line in class_lines(job.planned, "Planned by --balance") if job.planned else []:
        reporter.say(line)
    reporter.update(job.totals)
    if job.server is not None:
        job.server.start()
    with connected(job.server):
        from singanimation.flows.augment import run_job

        return run_job(job)


def closing_words(summary: dict[str, Any]) -> list[str]:
    """Return the lines a run ends with: counts by reason, short and lost sources, where things lie, how to load."""
    sources, variants = summary["sources"], summary["variants"]
    rejected = variants["rejected"]
    lines = [
        f"{sources['worked_on']:,} sources worked on, {sources['complete_before']:,} were complete before.",
        f"{variants['accepted']:,} variants accepted, {sum(rejected.values()):,} rejected{_by_reason(rejected)}.",
    ]
    if summary.get("accepted_again"):
        lines.append(f"{summary['accepted_again']:,} variants rejected before were accepted under this SIFID limit.")
    if sources["failed"]:
        lines.append(
            f"{sum(sources['failed'].values()):,} sources could not be used{_by_reason(sources['failed'])}: "
            f"{_some(sources['unusable'])}."
        )
    if sources["short"]:
        lines.append(f"{len(sources['short']):,} sources are short of --per-image: {_some(sources['short'])}.")
    if sources["lost"]:
        lines.append(
            f"{len(sources['lost']):,} sources are not done (run the same command again): {_some(sources['lost'])}."
        )
    if summary.get("classes"):
        lines += class_lines(summary["classes"], "In the manifest now")
    lines.append(f"Manifest:      {summary['manifest']}")
    if summary.get("contact_sheet"):
        lines.append(f"Contact sheet: {summary['contact_sheet']}")
    lines += [
        "Load it:",
        "    import datasets",
        f'    datasets.load_dataset("parquet", data_files="{summary["manifest"]}/*.parquet", split="train")',
    ]
    return lines


def _by_reason(counts: dict[str, int]) -> str:
    listed = ", ".join(f"{reason} {count:,}" for reason, count in counts.items())
    return f" ({listed})" if listed else ""


def _some(named: dict[str, Any]) -> str:
    shown = [f"{name} ({value})" for name, value in list(named.items())[:_LISTED]]
    more = len(named) - _LISTED
    return ", ".join(shown) + (f", and {more:,} more" if more > 0 else "")
