"""The end of a run: contact sheet and summary."""

from typing import Any

from singanimation.flows.job.job import Job, summary_of
from singanimation.flows.sheets.contact_sheet import write_contact_sheet
from singanimation.manifests.summary import summarize

SHEET = "contact_sheet.png"
_SOURCES_ON_SHEET = 4


def close_job(job: Job) -> dict[str, Any]:
    """Draw the contact sheet, write and return the summary; after ``--balance`` with the classes as they are now."""
    summary = summary_of(job)
    path = job.run.output / SHEET
    if job.totals.done or not path.exists():
        shown = [(source, parts) for source in job.first if (parts := job.parts_of(source))]
        path = write_contact_sheet(path, shown[:_SOURCES_ON_SHEET])
    summary["contact_sheet"] = str(path) if path else None
    if job.planned and any(job.run.manifest.glob("*.parquet")):
        summary["planned_classes"] = job.planned
        summary["classes"] = summarize(job.run.output)["classes"]
    job.run.write_summary(summary)
    return summary
