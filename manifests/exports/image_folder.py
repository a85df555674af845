"""Class folders: ``<split>/<label>/<name>``, and ``rows.csv`` that says what each picture is."""

from collections.abc import Iterable
from pathlib import Path

from singanimation.manifests.exports.csv_index import RowsTable
from singanimation.manifests.exports.records import ExportReport, Names, Record


def export_image_folder(records: Iterable[Record], output: Path, report: ExportReport) -> None:
    """Write what ``torchvision.datasets.ImageFolder(output / "train")`` and our own reader read.

    ImageFolder numbers the classes by the alphabet, not in RAF-DB's order: go by ``class_to_idx``.
    """
    names = Names()
    with RowsTable(output / "rows.csv") as table:
        for record in records:
            folder = Path(record.split_name) / record.label_name
            file = folder / f"{names.stem(record)}{record.ending}"
            (output / folder).mkdir(parents=True, exist_ok=True)
            (output / file).write_bytes(record.picture)
            table.add(file.as_posix(), record)
            report.add(record)
