"""Tables in text: CSV and its kin, JSON lines and JSON, read line by line; what would shift a cell is an error."""

import codecs
import csv
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from singanimation.pipeline.files.regular import is_regular

if TYPE_CHECKING:
    import pandas as pd


def read_text_table(path: Path, rows: int | None = None) -> "pd.DataFrame":
    """Return a text table, or its first ``rows``: strings, None for empty cells; of JSON whatever it holds.

    Raises ValueError (also UnicodeDecodeError, csv.Error, RecursionError) for what is none.
    """
    import pandas as pd

    suffix = path.suffix.lower()
    if suffix == ".json":
        return pd.DataFrame(_records(json.loads(path.read_text(encoding=_encoding(path)))))
    with path.open(encoding=_encoding(path), newline="") as file:
        if suffix in (".jsonl", ".ndjson"):
            objects = (line for line in file if line.strip())
            return pd.DataFrame([_object(line) for line in itertools.islice(objects, rows)])
        first = file.readline()
        file.seek(0)
        return _by_column(_lines(file, "\t" if suffix == ".tsv" else _separator(first), rows))


_SEPARATORS = ",\t;|"


_MOST_WORDS = 1000


def _by_column(lines: Iterator[list[str | None]]) -> "pd.DataFrame":
    """Return a header and its lines as a frame, column by column, so that no row is kept twice."""
    import pandas as pd

    header = next(lines, None)
    if header is None:
        raise ValueError("it is empty")
    cells: list[list[str | None]] = [[] for _ in header]
    same: dict[str | None, str | None] = {}  # labels and splits are a few words, however many rows
    for line in lines:
        for column, value in zip(cells, line, strict=True):
            if column and column[-1] == value:  # a person's pictures follow each other
                column.append(column[-1])
            else:
                column.append(same.setdefault(value, value) if len(same) < _MOST_WORDS else same.get(value, value))
    frame = pd.DataFrame({place: pd.Series(column, dtype=object) for place, column in enumerate(cells)})
    frame.columns = _distinct(header)
    return frame


def _lines(file: Iterable[str], separator: str, rows: int | None) -> Iterator[list[str | None]]:
    """Yield a text table's header and lines, all of the header's length; None for empty cells.

    Raises ValueError for a line with more fields than the header, and for a quote that is left open: what followed
    would be read as other columns' or other rows' values.
    """
    reader = csv.reader(_without_nul(file), delimiter=separator, skipinitialspace=True, strict=True)
    width = begun = count = 0
    for line in reader:
        first, begun = begun + 1, reader.line_num
        if not any(field.strip() for field in line):
            continue
        if not width:
            width = len(line)
        while len(line) > width and not line[-1].strip():
            line.pop()
        if len(line) > width:
            raise ValueError(f"line {first} has {len(line)} fields, and the header {width}")
        if begun > first and width > 1 and any(_swallowed(field, separator, width) for field in line):
            raise ValueError(f"a quote that is opened in line {first} is not closed in it")
        yield [field.strip() or None for field in line] + [None] * (width - len(line))
        count += 1
        if rows is not None and count > rows:
            return


def _without_nul(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        if "\0" in line:
            raise ValueError("it holds NUL bytes")
        yield line


def _swallowed(field: str, separator: str, width: int) -> bool:
    """Return whether a field of several lines holds what look like lines of the table."""
    return any(line.count(separator) >= width - 1 for line in field.splitlines()[1:])


def _distinct(names: Sequence[str | None]) -> list[str]:
    """Return a header's names, repeated ones numbered."""
    found: list[str] = []
    for index, name in enumerate(names):
        text = name or f"column {index + 1}"
        found.append(text if text not in found else f"{text}.{index}")
    return found


def _encoding(path: Path) -> str:
    """Return how a text file is written: UTF-8 with or without a mark, or UTF-16 with one (Windows' Unicode)."""
    with path.open("rb") as file:
        wide = file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    return "utf-16" if wide else "utf-8-sig"


def _records(content: Any) -> list[dict[str, Any]]:
    """Return the rows of a JSON file: a list of objects, or an object of names and labels. Raises ValueError."""
    if isinstance(content, list) and content and all(isinstance(row, dict) for row in content):
        return content
    if isinstance(content, dict) and content and all(isinstance(value, str | int) for value in content.values()):
        return [{"file": name, "label": value} for name, value in content.items()]
    raise ValueError("it is neither a list of objects nor an object of names and labels")


def _object(line: str) -> dict[str, Any]:
    value = json.loads(line)
    if not isinstance(value, dict):
        raise ValueError(f"a line is no JSON object: {line[:40]}")
    return value


def _separator(header: str) -> str:
    """Return what separates the header's names: mostly a comma; spreadsheets write semicolons or tabs too."""
    return max(_SEPARATORS, key=header.count)


def header_of(path: Path) -> list[str]:
    """Return the column names of a text table from its first line alone, none where it cannot be read."""
    if not is_regular(path):
        return []
    try:
        with path.open(encoding=_encoding(path), errors="replace", newline="") as file:
            line = file.readline(65536)
        return [name.strip() for name in next(csv.reader([line], delimiter=_separator(line)), [])]
    except (OSError, csv.Error):
        return []
