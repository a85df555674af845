"""Class folders: ``<split>/<label>/<name>``, and ``rows.csv`` that says what each picture is."""

from collections.abc import Iterable
from pathlib import Path

from singanimation.manifests.exports.class_folders import ClassFolders
from singanimation.manifests.exports.csv_index import RowsTable
from singanimation.manifests.exports.records import ExportReport, Record


def export_image_folder(records: Iterable[Record], output: Path, report: ExportReport) -> None:
    """Write what ``torchvision.datasets.ImageFolder(output / "train")`` and our own reader read.

    ImageFolder numbers the classes by the alphabet, not in RAF-DB's order: go by ``class_to_idx``. Every split has the
    folders of all classes that any split has, so that a class means the same number in each.
    """
    folders = ClassFolders(output)
    with RowsTable(output / "rows.csv") as table:
        for record in records:
            table.add(folders.write(record).as_posix(), record)
            report.add(record)
    folders.fill(report)
