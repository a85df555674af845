"""Class folders: ``<split>/<label>/<name>``, and ``rows.csv`` that says what each picture is."""

from collections.abc import Iterable
from pathlib import Path

from singanimation.manifests.exports.csv_index import RowsTable
from singanimation.manifests.exports.records import ExportReport, Names, Record


def export_image_folder(records: Iterable[Record], output: Path, report: ExportReport) -> None:
    """Write what ``torchvision.datasets.ImageFolder(output / "train")`` and our own reader read.

    ImageFolder numbers the classes by the alphabet, not in RAF-DB's order: go by ``class_to_idx``. Every split has the
    folders of all classes that any split has, so that a class means the same number in each.
    """
    names = Names()
    splits: set[str] = set()
    labels: set[str] = set()
    with RowsTable(output / "rows.csv") as table:
        for record in records:
            folder = Path(record.split_name) / record.label_name
            file = folder / f"{names.stem(record)}{record.ending}"
            (output / folder).mkdir(parents=True, exist_ok=True)
            (output / file).write_bytes(record.picture)
            table.add(file.as_posix(), record)
            report.add(record)
            splits.add(record.split_name)
            labels.add(record.label_name)
    empty = [folder for split in splits for label in labels if not (folder := output / split / label).exists()]
    for folder in empty:
        folder.mkdir()
    if empty:
        first = ", ".join(sorted(folder.relative_to(output).as_posix() for folder in empty)[:3])
        report.warnings.append(
            f"{len(empty)} class folders are empty ({first}{', ...' if len(empty) > 3 else ''}), so that classes have "
            "the same numbers in every split: ImageFolder wants allow_empty=True for those."
        )
