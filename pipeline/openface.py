"""OpenFace's CSV files, and those of its neighbours, read by column name.

Three forms: FaceLandmarkImg's (one file for each picture, a row for each face), FeatureExtraction's (one for each
folder or video, a row for each frame), and tables with a column of file names, such as `augment aus` writes. Some of
OpenFace's releases put a space before each name. Intensities of 0..5 become 0..1 (Baltrusaitis et al. 2018).

Whose table it is, its columns tell: ``AU01_r`` (OpenFace, 0..5), ``au_1_intensity`` (LibreFace, 0..5, 12 units), and
``AU01`` (py-feat and `augment aus`, 0..1, never divided; AU43, closed eyes, stands in for AU45). A row with a cell that
is no finite number (``-nan(ind)``, ``1.#QNAN``, nothing) is a face that was not measured.
"""

import csv
import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from singanimation.pipeline.errors import DatasetError
from singanimation.pipeline.expressions import AU_NAMES
from singanimation.pipeline.files.regular import is_regular
from singanimation.pipeline.files.untrusted import shown

SCALE = 5.0
"""OpenFace's intensities go from 0 to 5."""

LEAST_CONFIDENCE = 0.725
"""A face below this confidence counts as not tracked: OpenFace's own boundary (``validation_boundary``)."""

_FILE_COLUMNS = ("file", "file_name", "filename", "image", "image_path", "path", "input", "img_path")
_JAW = ("x_0", "x_16")
_WIDTH = "FaceRectWidth"
_NO_NUMBER = re.compile(r"[+-]?(?:nan\b.*|1\.#(?:q?nan|snan|ind|inf)\d*|inf|infinity)", re.IGNORECASE)
_FEWEST_PLAIN = 3
_MOST_OF_ONE = 1.001


@dataclass(frozen=True)
class Form:
    """One tool's columns: its name for messages and rows, the column of each unit, and the scale that is 1 for us."""

    name: str
    columns: Mapping[str, str]
    scale: float


_OPENFACE = Form("openface", {unit: f"{unit}_r" for unit in AU_NAMES}, 5.0)
_LIBREFACE = Form("libreface", {unit: f"au_{int(unit[2:])}_intensity" for unit in AU_NAMES}, 5.0)


def form_of(names: Sequence[str]) -> Form | None:
    """Return whose columns these are, None for no table of action units that we can read."""
    for form, fewest in ((_OPENFACE, 1), (_LIBREFACE, 1)):
        if sum(column in names for column in form.columns.values()) >= fewest:
            return form
    if sum(unit in names for unit in AU_NAMES) < _FEWEST_PLAIN:
        return None
    plain = {unit: unit for unit in AU_NAMES}
    if "au_estimator" in names:
        return Form("augment aus", plain, 1.0)
    return Form("pyfeat", plain if "AU45" in names else plain | {"AU45": "AU43"}, 1.0)


def looks_like_units(names: Sequence[str]) -> str | None:
    """Return the columns of a table that seems to hold action units in a form that is not read, else None."""
    found = [name for name in names if re.fullmatch(r"action_units|au_?\d+(?:_\w+)?", name.strip(), re.IGNORECASE)]
    return ", ".join(found[:4]) if found else None


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
    tool: str = "openface"


@dataclass(frozen=True)
class OpenFaceTable:
    """One CSV file: its rows, and which of the 17 action units it lacks. ``named``, ``framed``: what rows go by."""

    path: Path
    rows: tuple[OpenFaceRow, ...]
    lacking: tuple[str, ...]
    named: bool
    framed: bool
    tool: str = "openface"


def read_openface(path: Path) -> OpenFaceTable | None:
    """Read one CSV file; None where its columns are no tool's that we know.

    Raises DatasetError for one that cannot be read, or holds text where a number belongs.
    """
    if not is_regular(path):
        return None
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file, skipinitialspace=True)
            names = [name.strip() for name in next(lines, [])]
            form = form_of(names)
            return _table(path, names, lines, form) if form is not None else None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path} cannot be read as a CSV file of OpenFace ({error}).") from error


def _table(path: Path, names: Sequence[str], lines: Iterator[list[str]], form: Form) -> OpenFaceTable:
    places = {name: index for index, name in reversed(list(enumerate(names)))}
    name = next((column for column in _FILE_COLUMNS if column in places), None)
    rows = tuple(
        _row(_Cells(line, places, f"{path}, line {number}"), name, form)
        for number, line in enumerate(lines, 2)
        if any(cell.strip() for cell in line)
    )
    if form.scale == 1 and any(max(row.action_units) > _MOST_OF_ONE for row in rows if row.problem is None):
        raise DatasetError(
            f"{path} has columns AU01 ... without _r, which hold 0..1, and values above 1: if they are intensities of "
            "0..5, call the columns AU01_r ...."
        )
    lacking = tuple(unit for unit in AU_NAMES if form.columns[unit] not in places)
    return OpenFaceTable(path, tuple(map(_clipped, rows)), lacking, name is not None, "frame" in places, form.name)


def _clipped(row: OpenFaceRow) -> OpenFaceRow:
    return replace(row, action_units=tuple(min(max(unit, 0.0), 1.0) for unit in row.action_units))


def _row(cells: "_Cells", name: str | None, form: Form) -> OpenFaceRow:
    values = [cells.number(form.columns[unit], 0.0) for unit in AU_NAMES]
    left, right = (cells.number(column, 0.0) or 0.0 for column in _JAW)
    success, confidence = cells.number("success", 1.0), cells.number("confidence", 1.0)
    problem = _problem(success or 0.0, confidence or 0.0)
    if problem is None and None in values:
        problem = "its action units are no numbers"
    return OpenFaceRow(
        tuple((value or 0.0) / form.scale for value in values),
        problem,
        abs(right - left) or cells.number(_WIDTH, 0.0) or 0.0,
        cells.text(name) if name is not None else "",
        int(cells.number("frame", 0.0) or 0),
        form.name,
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

    def number(self, name: str, absent: float) -> float | None:
        """Return a number, ``absent`` where there is no such column, None for nan, nothing, and a line cut off."""
        if name not in self.places:
            return absent
        text = self.text(name)
        cut_off = len(self.line) <= max(self.places.values())
        if not text or _NO_NUMBER.fullmatch(text):
            return None
        try:
            value = float(text)
        except ValueError:
            if cut_off:
                return None
            raise DatasetError(
                f"{self.where}: {shown(text)!r} stands in {name}, where OpenFace writes a number."
            ) from None
        return value if math.isfinite(value) else None


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
