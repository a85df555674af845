"""OpenFace's CSV files, read by column name.

Three forms: FaceLandmarkImg's (one file for each picture, a row for each face), FeatureExtraction's (one for each
folder or video, a row for each frame), and tables with a column of file names, such as `augment aus` writes. Some of
OpenFace's releases put a space before each name. Intensities of 0..5 become 0..1 (Baltrusaitis et al. 2018).
"""

import csv
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from singanimation.pipeline.errors import DatasetError
from singanimation.pipeline.expressions import AU_NAMES

SCALE = 5.0
"""OpenFace's intensities go from 0 to 5."""

LEAST_CONFIDENCE = 0.725
"""A face below this confidence counts as not tracked: OpenFace's own boundary (``validation_boundary``)."""

_FILE_COLUMNS = ("file", "file_name", "filename", "image", "image_path", "path")
_JAW = ("x_0", "x_16")


@dataclass(frozen=True)
class OpenFaceRow:
    """One face of one picture or frame.

    ``action_units`` (17,) in 0..1, OpenFace's order, 0 for those the file lacks; ``problem`` says why they are not
    to be used; ``width`` is the face's in pixels, 0 where the file holds no landmarks.
    """

    action_units: tuple[float, ...]
    problem: str | None
    width: float
    file: str
    frame: int


@dataclass(frozen=True)
class OpenFaceTable:
    """One CSV file: its rows, and which of the 17 action units it lacks. ``named``, ``framed``: what rows go by."""

    path: Path
    rows: tuple[OpenFaceRow, ...]
    lacking: tuple[str, ...]
    named: bool
    framed: bool


def read_openface(path: Path) -> OpenFaceTable | None:
    """Read one CSV file; None where it is none of OpenFace's (no column ``AU.._r``).

    Raises DatasetError for one that cannot be read or holds an intensity that is no number.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file, skipinitialspace=True)
            names = [name.strip() for name in next(lines, [])]
            if not any(f"{unit}_r" in names for unit in AU_NAMES):
                return None
            return _table(path, names, lines)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path} cannot be read as a CSV file of OpenFace ({error}).") from error


def _table(path: Path, names: Sequence[str], lines: Iterator[list[str]]) -> OpenFaceTable:
    places = {name: index for index, name in reversed(list(enumerate(names)))}
    name = next((column for column in _FILE_COLUMNS if column in places), None)
    rows = tuple(
        _row(_Cells(line, places, f"{path}, line {number}"), name)
        for number, line in enumerate(lines, 2)
        if any(cell.strip() for cell in line)
    )
    lacking = tuple(unit for unit in AU_NAMES if f"{unit}_r" not in places)
    return OpenFaceTable(path, rows, lacking, name is not None, "frame" in places)


def _row(cells: "_Cells", name: str | None) -> OpenFaceRow:
    units = (cells.number(f"{unit}_r", 0.0) / SCALE for unit in AU_NAMES)
    left, right = (cells.number(column, 0.0) for column in _JAW)
    return OpenFaceRow(
        tuple(min(max(unit, 0.0), 1.0) for unit in units),
        _problem(cells.number("success", 1.0), cells.number("confidence", 1.0)),
        abs(right - left),
        cells.text(name) if name is not None else "",
        int(cells.number("frame", 0.0)),
    )


@dataclass(frozen=True)
class _Cells:
    """One line of a file by its columns' names; ``where`` says which for the error."""

    line: Sequence[str]
    places: Mapping[str, int]
    where: str

    def text(self, name: str) -> str:
        place = self.places[name]
        return self.line[place].strip() if place < len(self.line) else ""

    def number(self, name: str, absent: float) -> float:
        """Return a number, ``absent`` where there is no such column, 0 for the nan of frames without a face."""
        if name not in self.places:
            return absent
        text = self.text(name)
        try:
            value = float(text)
        except ValueError:
            raise DatasetError(f"{self.where}: {text!r} stands in {name}, where OpenFace writes a number.") from None
        return value if value == value else 0.0


def _problem(success: float, confidence: float) -> str | None:
    if success < 1:
        return "OpenFace found no face (success 0)"
    return None if confidence >= LEAST_CONFIDENCE else f"OpenFace's confidence is below {LEAST_CONFIDENCE}"


def largest_face(rows: Sequence[OpenFaceRow]) -> OpenFaceRow:
    """Return the usable row with the widest face (the first where widths are equal), else the first row."""
    usable = [row for row in rows if row.problem is None]
    return max(usable, key=lambda row: row.width) if usable else rows[0]


def common_tail(first: PurePosixPath | Path, second: PurePosixPath | Path) -> int:
    """Return how many of the last parts of two paths are the same, suffixes aside."""
    pairs = zip(reversed(first.with_suffix("").parts), reversed(second.with_suffix("").parts), strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
