"""Lists of who wears what, in the form of CelebA's ``list_attr_celeba``: 1 for yes, -1 for no.

The authors' text has a count in its first line, the names in its second, then a picture and its values a line; Kaggle's
CSV has one header that begins with ``image_id``. A list may have any of the columns that are known here; a picture that
is not in it is not known.
"""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from singanimation.pipeline.datasets.files import read_text
from singanimation.pipeline.errors import DatasetError

YES, NO, UNKNOWN = 1, 0, -1

COLUMNS: dict[str, dict[str, int]] = {
    "spectacles": {"Eyeglasses": 1},
    "beard": {"No_Beard": -1, "Goatee": 1, "Mustache": 1, "5_o_Clock_Shadow": 1},
    "hair": {"Bangs": 1},
}
"""Attribute -> CelebA's columns that tell of it, with the value that says it is there: one is enough."""


class AttributeList:
    """Who wears what: ``wearing(names, attribute)`` answers for pictures by their file name without its ending."""

    def __init__(self, path: Path, rows: dict[str, int], values: dict[str, np.ndarray]) -> None:
        self.path, self._rows, self._values = path, rows, values

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def attributes(self) -> tuple[str, ...]:
        """Return the attributes that the list tells of."""
        return tuple(self._values)

    def wearing(self, names: Sequence[str], attribute: str) -> np.ndarray:
        """Return ``YES``, ``NO`` or ``UNKNOWN`` for each of ``names``: int8 (N,)."""
        values = self._values.get(attribute)
        places = [self._rows.get(_key(name), -1) for name in names]
        if values is None:
            return np.full(len(places), UNKNOWN, np.int8)
        return np.array([UNKNOWN if place < 0 else values[place] for place in places], np.int8)


def read_attributes(path: Path) -> AttributeList:
    """Read a list of attributes. Raises DatasetError naming the line that cannot be read, or the columns it lacks."""
    lines = [line.replace(",", " ").replace(";", " ").split() for line in read_text(path).splitlines()]
    if lines and len(lines[0]) == 1 and lines[0][0].isdigit():
        lines = lines[1:]
    header = [word.strip('"') for word in lines[0]] if lines else []
    if header and header[0].lower() in ("image_id", "image", "file_name", "filename"):
        header = header[1:]
    known = {name: {c: v for c, v in own.items() if c in header} for name, own in COLUMNS.items()}
    if not any(known.values()):
        wanted = ", ".join(column for own in COLUMNS.values() for column in own)
        raise DatasetError(f"{path} is no list of attributes like CelebA's: its header has none of {wanted}.")
    rows: dict[str, int] = {}
    found: dict[str, list[int]] = {name: [] for name, own in known.items() if own}
    for number, words in enumerate(lines[1:], 1):
        if not words:
            continue
        values = ["-1" if word == "0" else word for word in words[1:]]
        if len(values) != len(header) or not {*values} <= {"1", "-1"}:
            raise DatasetError(
                f"{path}: entry {number} ({words[0][:40]}) has {len(values)} values where the header has "
                f"{len(header)}, or others than 1 and -1."
            )
        if rows.setdefault(_key(words[0]), len(rows)) < len(rows) - 1:
            continue  # named twice: the first counts
        for name, column in found.items():
            says = [values[header.index(each)] == str(sign) for each, sign in known[name].items()]
            column.append(YES if any(says) else NO)
    if not rows:
        raise DatasetError(f"{path} names no picture.")
    return AttributeList(path, rows, {name: np.array(column, np.int8) for name, column in found.items()})


def _key(name: str) -> str:
    return PurePosixPath(name.strip('"').replace("\\", "/")).stem.lower()
