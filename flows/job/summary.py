"""The end of a run: its contact sheet, its summary, and the lines it ends with."""

from collections.abc import Mapping
from typing import Any

from singanimation.flows.job.class_counts import class_lines
from singanimation.flows.job.job import Job
from singanimation.flows.models import Fingerprint
from singanimation.flows.sheets.contact_sheet import write_contact_sheet
from singanimation.manifests.summary import summarize
from singanimation.pipeline.errors import ExitCode

SHEET = "contact_sheet.png"
_SOURCES_ON_SHEET = 4
_LISTED = 5


def close_job(job: Job) -> dict[str, Any]:
    """Draw the contact sheet, write and return the summary; after ``--balance`` with the classes as they are now."""
    summary = summary_of(job)
    path = job.run.output / SHEET
    if job.totals.done or not path.exists():
        shown = [(source, parts) for source in job.first if (parts := job.parts_of(source))]
        path = write_contact_sheet(path, shown[:_SOURCES_ON_SHEET])
    summary["contact_sheet"] = str(path) if path else None
    if job.todo.planned and any(job.run.manifest.glob("*.parquet")):
        summary["planned_classes"] = job.todo.planned
        summary["classes"] = summarize(job.run.output)["classes"]
    job.run.write_summary(summary)
    return summary


def summary_of(job: Job) -> dict[str, Any]:
    """Return a run's summary as plain values: what ``summary.json`` and ``--json`` hold."""
    totals = job.totals
    before = job.todo.disk.rows
    return {
        "run_id": job.run.run_id,
        "output": str(job.run.output),
        "manifest": str(job.run.manifest),
        "exit_code": int(job.exit_code()),
        "stopped": job.stopped,
        "sources": {
            "chosen": len(job.plan.sources),
            "complete_before": job.todo.complete,
            "worked_on": totals.done,
            "failed": dict(sorted(totals.failed.items())),
            "unusable": dict(sorted(job.unusable.items())),
            "lost": dict(sorted(totals.lost.items())),
            "not_started": job.not_started(),
            "short": dict(sorted(totals.short.items())),
        },
        "edits": totals.edits,
        "rows": {"before": before, "after": before + totals.rows},
        "edits_rejected": totals.edits_rejected,
        "variants": {"accepted": totals.accepted, "rejected": dict(sorted(totals.rejected.items()))},
        "accepted_again": job.todo.accepted_again,
        "models": _models_of(job.models),
        "notes": list(job.notes),
        "working_seconds": round(totals.seconds_working, 1),
    }


def _models_of(models: Fingerprint) -> dict[str, Any]:
    said = [*models.notes, *models.warnings]
    return {
        "au_estimator": models.estimator,
        "face_detector": models.detector,
        "sifid_features": models.sifid_name,
        "sifid_max": models.sifid_threshold,
        "variant_checks": models.checks,
        "notes": said,
    }


def trouble_of(summary: Mapping[str, Any]) -> str | None:
    """Return in one sentence why a run's exit code is not 0, None where it is."""
    sources = summary["sources"]
    if summary.get("stopped"):
        return str(summary["stopped"])
    if sources["lost"]:
        return f"{len(sources['lost']):,} sources are not done: {_some(sources['lost'])}."
    if summary["exit_code"] == ExitCode.NOTHING_ACCEPTED:
        return f"nothing was accepted{by_reason(sources['failed'])}."
    return None


def closing_words(summary: dict[str, Any]) -> list[str]:
    """Return the lines a run ends with: counts by reason, short and lost sources, where things lie, how to load."""
    sources, variants = summary["sources"], summary["variants"]
    rejected = variants["rejected"]
    lines = [
        f"{sources['worked_on']:,} sources worked on, {sources['complete_before']:,} were complete before.",
        f"{variants['accepted']:,} variants accepted, {sum(rejected.values()):,} rejected{by_reason(rejected)}.",
    ]
    if summary.get("edits_rejected"):
        lines.append(f"{summary['edits_rejected']:,} edits rejected (the rows say why); no variants were made of them.")
    if summary.get("accepted_again"):
        lines.append(f"{summary['accepted_again']:,} variants rejected before were accepted under this SIFID limit.")
    if sources["failed"]:
        lines.append(
            f"{sum(sources['failed'].values()):,} sources could not be used{by_reason(sources['failed'])}: "
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
        "Load it (pip install datasets):",
        "    import datasets",
        f'    datasets.load_dataset("parquet", data_files="{summary["manifest"]}/*.parquet", split="train")',
    ]
    return lines


def by_reason(counts: Mapping[str, int]) -> str:
    """Return `` (no_face 2, sifid 1)``, nothing for no counts."""
    listed = ", ".join(f"{reason} {count:,}" for reason, count in counts.items())
    return f" ({listed})" if listed else ""


def _some(named: dict[str, Any]) -> str:
    shown = [f"{name} ({value})" for name, value in list(named.items())[:_LISTED]]
    more = len(named) - _LISTED
    return ", ".join(shown) + (f", and {more:,} more" if more > 0 else "")
