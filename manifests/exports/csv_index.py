"""A CSV index beside plain picture files."""

import csv
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

from singanimation.manifests.exports.records import ExportReport, Names, Record
from singanimation.pipeline.expressions import AU_NAMES, EMOTIONS

_PLAIN = (
    "split",
    "label_name",
    "label",
    "kind",
    "variant_id",
    "parent_id",
    "group_id",
    "dataset",
    "source_id",
    "licence",
    "source_label",
    "label_origin",
    "edit_kind",
    "edit_name",
    "edit_strength",
    "edit_form",
    "edit_donor",
    "engine",
    "start_scale",
    "seed",
    "sifid",
    "sifid_features",
    "status",
    "reason",
)
_VECTORS = {
    "label_weights": [f"weight_{name}" for name in EMOTIONS],
    "au_measured": [f"{name}_measured" for name in AU_NAMES],
}


class RowsTable:
    """A CSV file of ``file_name`` and the row's plain columns, vectors spread over a column each."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> "RowsTable":
        self._file = self._path.open("w", newline="", encoding="utf-8")
        self._writer = csv.writer(self._file, lineterminator="\n")
        self._writer.writerow(["file_name", *_PLAIN, *(name for names in _VECTORS.values() for name in names)])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, file_name: str, record: Record) -> None:
        """Write one record's line."""
        values: list[Any] = [file_name, *(_cell(record.row[name]) for name in _PLAIN)]
        for name, columns in _VECTORS.items():
            vector = record.row[name]
            values.extend([""] * len(columns) if vector is None else [f"{value:.6g}" for value in vector])
        self._writer.writerow(values)


def export_csv(records: Iterable[Record], output: Path, report: ExportReport) -> None:
    """Write ``pictures/<split>/<name>`` and ``index.csv`` with a row for each, paths relative to it."""
    names = Names()
    with RowsTable(output / "index.csv") as table:
        for record in records:
            file = Path("pictures") / record.split_name / f"{names.stem(record)}{record.ending}"
            (output / file).parent.mkdir(parents=True, exist_ok=True)
            (output / file).write_bytes(record.picture)
            table.add(file.as_posix(), record)
            report.add(record)


def _cell(value: Any) -> Any:
    """Return a cell that no spreadsheet takes for a formula; None becomes empty."""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t"):
        return f"'{value}"
    if isinstance(value, float):
        return f"{value:.6g}"
    return "" if value is None else value
