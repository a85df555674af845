"""RAF-DB's own tree, so that code written for RAF-DB trains on it unchanged.

``basic/Image/aligned/train_00001_aligned.jpg`` (100x100), ``basic/EmoLabel/list_patition_label.txt`` with labels 1..7,
and ``basic/EmoLabel/rows.csv`` that says which row each file is.
"""

import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from singanimation.manifests.exports.csv_index import RowsTable
from singanimation.manifests.exports.records import ExportReport, Record
from singanimation.pipeline.errors import ManifestError
from singanimation.pipeline.files.pictures import read_picture

SIDE = 100
JPEG_QUALITY = 95
_OWN_NAME = re.compile(r"^(train|test)_(\d{4,5})_aligned\.jpg$")
_DIGITS = {"train": 5, "test": 4}
# RAF-DB has no validation split: what is held out for validation is no training picture.
_SPLITS = {"train": "train", "validation": "test", "test": "test"}


def export_raf_db(records: Iterable[Record], output: Path, report: ExportReport) -> None:
    """Write the tree. RAF-DB's own pictures keep their names and bytes; all others are numbered after them.

    Pictures of another size are scaled to 100x100, and said: only those put back into an aligned RAF-DB picture's
    frame (``--frame source``) have RAF-DB's framing too.
    """
    folder = output / "basic" / "Image" / "aligned"
    labels = output / "basic" / "EmoLabel"
    folder.mkdir(parents=True)
    labels.mkdir()
    names = _Numbers()
    scaled = moved = 0
    lines: dict[str, int] = {}
    with RowsTable(labels / "rows.csv") as table:
        for record in records:
            if record.label is None:
                raise ManifestError("RAF-DB's label list has no place for pictures without a label; leave them out.")
            split = _SPLITS.get(record.split, "test")
            moved += record.split not in ("train", "test")
            name = names.give(record, split)
            data, was_scaled = _jpeg(record)
            scaled += was_scaled
            (folder / f"{name}_aligned.jpg").write_bytes(data)
            lines[f"{name}.jpg"] = record.label + 1
            table.add(f"../Image/aligned/{name}_aligned.jpg", record)
            report.add(record)
    text = "".join(f"{name} {label}\n" for name, label in sorted(lines.items()))
    (labels / "list_patition_label.txt").write_text(text, encoding="ascii")
    if not any(name.startswith("test") for name in lines):
        report.warnings.append("There are no test pictures, and code for RAF-DB opens the test part.")
    if scaled:
        report.warnings.append(f"{scaled:,} pictures were scaled to {SIDE}x{SIDE}; their framing is not RAF-DB's.")
    if moved:
        report.warnings.append(f"{moved:,} pictures of other splits went into test: RAF-DB has only train and test.")


class _Numbers:
    """Names: RAF-DB's own stay, the others get numbers above all of RAF-DB's (12,271 train, 3,068 test)."""

    def __init__(self) -> None:
        self._next = {"train": 20001, "test": 5001}
        self._taken: set[str] = set()

    def give(self, record: Record, split: str) -> str:
        name = self._own(record, split)
        while name is None or name in self._taken:
            name = f"{split}_{self._next[split]:0{_DIGITS[split]}d}"
            self._next[split] += 1
        self._taken.add(name)
        return name

    def _own(self, record: Record, split: str) -> str | None:
        match = _OWN_NAME.match(PurePosixPath(record.row["source_path"]).name)
        is_own = match is not None and record.row["kind"] == "real" and record.row["dataset"] == "raf-db"
        return f"{split}_{match[2]}" if match is not None and is_own and match[1] == split else None


def _jpeg(record: Record) -> tuple[bytes, bool]:
    """Return JPEG bytes of 100x100, and whether the picture was scaled; such JPEG files pass unchanged."""
    picture = read_picture(record.picture, name=record.row["variant_id"])
    scaled = picture.pixels.shape[:2] != (SIDE, SIDE)
    if record.ending == ".jpg" and not scaled:
        return record.picture, False
    pixels = picture.pixels
    if scaled:
        interpolation = cv2.INTER_AREA if min(pixels.shape[:2]) >= SIDE else cv2.INTER_CUBIC
        pixels = cv2.resize(pixels, (SIDE, SIDE), interpolation=interpolation)
    bgr = np.ascontiguousarray(pixels[:, :, ::-1])
    done, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise ManifestError(f"The picture of row {record.row['variant_id']} could not be written as JPEG.")
    return data.tobytes(), scaled
