"""A CSV index beside plain picture files."""

import csv
import re
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

from singanimation.manifests.exports.class_folders import ClassFolders
from singanimation.manifests.exports.records import ExportReport, Record
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
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]")
_FORMULA = re.compile(r"[\s\u200b\ufeff]*[-=+@\uff1d\uff0b\uff0d\uff20]")


class RowsTable:
    """A CSV file of ``file_name`` and the row's plain columns, vectors spread over a column each."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", newline="", encoding="utf-8")
        self._writer = csv.writer(self._file, lineterminator="\n")

    def __enter__(self) -> "RowsTable":
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
    """Write ``pictures/<split>/<label>/<name>`` and ``index.csv`` with a row for each, paths relative to it."""
    folders = ClassFolders(output / "pictures")
    with RowsTable(output / "index.csv") as table:
        for record in records:
            table.add((Path("pictures") / folders.write(record)).as_posix(), record)
            report.add(record)
    folders.fill(report)


def _cell(value: Any) -> Any:
    """Return a cell on one line that no spreadsheet takes for a formula; None becomes empty.

    They look past white space in front, and take the full-width forms for signs too. The csv module leaves a carriage
    return unquoted, which readers take for the end of a line: control characters become spaces.
    """
    if isinstance(value, str):
        text = _CONTROL.sub(" ", value)
        return f"'{text}" if _FORMULA.match(text) else text
    if isinstance(value, float):
        return f"{value:.6g}"
    return "" if value is None else value
