"""Handing a manifest over: Hugging Face shards, class folders, RAF-DB's own tree, WebDataset shards, CSV.

Accepted rows only unless asked; the sources' licences go along; nothing is uploaded but by ``push``, on a yes.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from singanimation.manifests.exports.csv_index import export_csv
from singanimation.manifests.exports.huggingface import export_huggingface
from singanimation.manifests.exports.image_folder import export_image_folder
from singanimation.manifests.exports.raf_db import export_raf_db
from singanimation.manifests.exports.records import Exporter, ExportOptions, ExportReport, plain_line
from singanimation.manifests.exports.records import make_options as make_options
from singanimation.manifests.exports.selection import records
from singanimation.manifests.exports.webdataset import export_webdataset
from singanimation.manifests.run_settings import run_settings
from singanimation.pipeline.errors import ManifestError, OutputError, UsageError
from singanimation.pipeline.files.atomic import disk_fault

EXPORTERS: Mapping[str, Exporter] = {
    "hf": export_huggingface,
    "imagefolder": export_image_folder,
    "raf-db": export_raf_db,
    "webdataset": export_webdataset,
    "csv": export_csv,
}

LICENCES = "LICENCES.txt"


def export(path: Path | str, to: str, output: Path, options: ExportOptions | None = None) -> ExportReport:
    """Write a manifest in the layout ``to`` (a key of EXPORTERS) into ``output``, which must not exist or be empty.

    The folder appears whole or not at all. Raises UsageError for an unknown layout, OutputError for a folder in use,
    ManifestError where nothing is left to export, MachineError when the disk fails.
    """
    exporter = EXPORTERS.get(to)
    if exporter is None:
        raise UsageError(f"--to {to}: no such layout; use {', '.join(EXPORTERS)}.")
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise OutputError(f"{output} is not empty; name a new folder for the export.")
    report = ExportReport(output, settings=run_settings(path))
    building = output.parent / f".{output.name}.{os.getpid()}.partial"
    try:
        building.mkdir(parents=True)
        found = records(path, options or ExportOptions(), report, real_last=to == "webdataset")
        exporter(found, building, report)
        if not report.total:
            raise ManifestError(" ".join([f"{path} has nothing to export as {to}.", *report.warnings]))
        (building / LICENCES).write_text(licence_text(report), encoding="utf-8")
        if output.exists():
            output.rmdir()
        building.rename(output)
    except OSError as error:
        raise disk_fault(output, error) from error
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return report


def licence_text(report: ExportReport) -> str:
    """Return the licences of the pictures' sources, as they must travel with them."""
    known = "".join(f"- {plain_line(licence)}\n" for licence in sorted(report.licences)) or "- not known\n"
    return (
        "The pictures here come from, or were made from, sources with these licences:\n\n"
        + known
        + "\nSynthetic pictures are arguably data derived from their sources: what a source forbids, such as passing "
        "pictures on, holds for them too.\n"
    )
