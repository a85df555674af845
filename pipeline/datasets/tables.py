"""Tables that describe pictures: CSV, TSV, JSON lines and Parquet, their columns found by their usual names."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from singanimation.pipeline.errors import DatasetError

if TYPE_CHECKING:
    import pandas as pd

TABLE_SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")

ALIASES: dict[str, tuple[str, ...]] = {
    "file": (
        "file_name",
        "filename",
        "file",
        "image_path",
        "path",
        "image_name",
        "img",
        "image",
        "filepath",
        "subdirectory_filepath",
        "pth",
    ),
    "label": ("label_name", "label", "emotion", "expression", "class", "category", "emotions"),
    "split": ("split", "usage", "subset", "partition", "set"),
    "group": ("group_id", "person_id", "subject_id", "subject", "person", "identity", "identity_id"),
    "id": ("variant_id", "source_id", "face_id", "image_id", "id"),
    "licence": ("licence", "license"),
}
"""What a column is for -> the names it goes by, the surest first; upper and lower case alike."""


def read_table(path: Path, columns: Sequence[str] | None = None, *, rows: int | None = None) -> "pd.DataFrame":
    """Read a table, or its first ``rows``; text files come as strings, missing cells as None.

    ``columns`` saves reading the rest of a Parquet file. Raises DatasetError naming the file.
    """
    import pandas as pd

    suffix = path.suffix.lower()
    try:
        if suffix == ".parquet":
            return pd.read_parquet(path, columns=list(columns) if columns else None)
        if suffix == ".jsonl":
            lines = path.read_text(encoding="utf-8-sig").splitlines()[:rows]
            frame = pd.DataFrame([_object(line) for line in lines if line.strip()])
        else:
            frame = pd.read_csv(
                path,
                sep=_separator(path),
                dtype=str,
                encoding="utf-8-sig",
                keep_default_na=False,
                na_values=[""],
                skipinitialspace=True,
                nrows=rows,
            )
    except UnicodeDecodeError:
        raise DatasetError(f"{path} cannot be read as a table: it is not written in UTF-8; save it so.") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        text = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
        raise DatasetError(f"{path} cannot be read as a table ({text}).") from error
    frame.columns = [str(name).strip() for name in frame.columns]
    return frame


def _object(line: str) -> dict[str, Any]:
    value = json.loads(line)
    if not isinstance(value, dict):
        raise ValueError(f"a line is no JSON object: {line[:40]}")
    return value


def _separator(path: Path) -> str:
    """Return a tab for TSV files, for CSV files a comma, or the semicolon that some spreadsheets write instead."""
    if path.suffix.lower() == ".tsv":
        return "\t"
    with path.open(encoding="utf-8-sig") as file:
        header = file.readline()
    return ";" if ";" in header and "," not in header else ","


def column(names: Sequence[str], purpose: str) -> str | None:
    """Return which of the columns serves ``purpose`` (a key of ALIASES), else None."""
    by_lower = {str(name).strip().lower(): str(name) for name in reversed(list(names))}
    return next((by_lower[alias] for alias in ALIASES[purpose] if alias in by_lower), None)


def cell(value: Any) -> str | None:
    """Return a cell as text: whole floats without ``.0``, None for missing ones."""
    if isinstance(value, list | tuple | dict) or hasattr(value, "shape") and value.shape:
        return str(value)  # nothing that names anything, but nothing to fall over either
    if value is None or value != value:  # NaN and NaT are not equal to themselves
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value).strip()
    return text or None


def whole_count(value: Any) -> int:
    """Return a cell as a count, 0 where it is no whole number."""
    text = cell(value)
    return int(text) if text is not None and text.isdigit() else 0
