"""Tables that describe pictures: CSV, TSV, JSON lines and Parquet, their columns found by their usual names."""

import csv
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from singanimation.pipeline.datasets.files import is_picture_name
from singanimation.pipeline.datasets.labels import folder_emotion
from singanimation.pipeline.datasets.text_tables import header_of as header_of
from singanimation.pipeline.datasets.text_tables import read_text_table
from singanimation.pipeline.errors import DatasetError
from singanimation.pipeline.files.regular import is_regular
from singanimation.pipeline.files.untrusted import shown, words

if TYPE_CHECKING:
    import pandas as pd

TABLE_SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".pq")
PARQUET_SUFFIXES = (".parquet", ".pq")

ALIASES: dict[str, tuple[str, ...]] = {
    "file": words(
        "file_name filename file image_path path image_name img image filepath subdirectory_filepath pth file_path "
        "img_path image_file image_filename img_name imgname imagename img_file picture picture_path picture_name "
        "relative_path rel_path full_path face_path photo photo_path image_id img_id"
    ),
    "label": words(
        "label_name label emotion expression class category emotions labels target targets emotion_label "
        "emotion_name class_name classname expr expressions expression_label expression_name label_text "
        "facial_expression emotion_class class_label gt ground_truth true_label annotation dominant_emotion affect "
        "mood class_id label_id emotion_id expression_id categories y"
    ),
    "split": words("split usage subset partition set data_split dataset_split set_name"),
    "group": words(
        "group_id person_id subject_id subject person identity identity_id participant participant_id actor actor_id "
        "subject_name person_name user_id individual individual_id"
    ),
    "id": words("variant_id source_id face_id image_id id"),
    "licence": words("licence license"),
}
"""What a column is for -> the names it goes by, the surest first; case, blanks and dashes do not matter."""


def read_table(path: Path, columns: Sequence[str] | None = None, *, rows: int | None = None) -> "pd.DataFrame":
    """Read a table, or its first ``rows``; text files come as strings, missing cells as None.

    ``columns`` saves reading the rest of a Parquet file. Raises DatasetError naming the file.
    """
    if not is_regular(path):
        raise DatasetError(f"{path} cannot be read as a table: it is no ordinary file, or not there.")
    try:
        frame = _read(path, columns, rows)
    except UnicodeDecodeError:
        raise DatasetError(f"{path} cannot be read as a table: it is not written in UTF-8; save it so.") from None
    except RecursionError:
        raise DatasetError(f"{path} cannot be read as a table: its JSON is nested too deep.") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, csv.Error, MemoryError) as error:
        text = shown(str(error).splitlines()[0].rstrip(".")) if str(error) else type(error).__name__
        raise DatasetError(f"{path} cannot be read as a table ({text}).") from error
    frame.columns = [str(name).strip() for name in frame.columns]
    return frame


def _read(path: Path, columns: Sequence[str] | None, rows: int | None) -> "pd.DataFrame":
    suffix = path.suffix.lower()
    if suffix in PARQUET_SUFFIXES:
        from singanimation.pipeline.datasets.readers.parquet import read_parquet

        return read_parquet(path, columns)
    return read_text_table(path, rows)


def column(names: Iterable[str], purpose: str) -> str | None:
    """Return which of the columns serves ``purpose`` (a key of ALIASES), else None."""
    by_name = {plain_name(str(name)): str(name) for name in reversed(list(names))}
    return next((by_name[alias] for alias in ALIASES[purpose] if alias in by_name), None)


def plain_name(name: str) -> str:
    """Return a column's name in lower case with underscores (``Image Name`` -> ``image_name``)."""
    return re.sub(r"[\s\-.]+", "_", name.strip().lower())


def column_of(frame: "pd.DataFrame", purpose: str) -> str | None:
    """Return which column serves ``file`` or ``label``: by its usual name, else by what it holds.

    Of several with usual names the first that names expressions is the label (``label`` may hold numbers and
    ``emotion`` the words).
    """
    holds = _is_file if purpose == "file" else folder_emotion
    by_name = {plain_name(str(name)): str(name) for name in reversed(list(frame.columns))}
    usual = [by_name[alias] for alias in ALIASES[purpose] if alias in by_name]
    if usual:
        return next((name for name in usual if _share(frame, name, holds) > 0), usual[0])
    return next((str(name) for name in frame.columns if _share(frame, name, holds) >= 0.9), None)


def _share(frame: "pd.DataFrame", name: str, holds: Callable[[str], object]) -> float:
    """Return how many of a column's first texts are what ``holds`` says, 0 for a column without texts."""
    values = [text for value in frame[name].head(50) if isinstance(value, str | bytes) and (text := cell(value))]
    return sum(bool(holds(text)) for text in values) / len(values) if values else 0.0


def _is_file(text: str) -> bool:
    return is_picture_name(text.replace("\\", "/").rsplit("/", 1)[-1])


def cell(value: Any) -> str | None:
    """Return a cell as text: whole floats without ``.0``, None for missing ones; bytes that are no text are counted."""
    if type(value) is str:  # nearly always, and of millions
        return value.strip() or None
    if isinstance(value, list | tuple) and len(value) == 1 or getattr(value, "shape", None) == (1,):
        value = value[0]
    if isinstance(value, bytes | bytearray | memoryview):
        value = _bytes_as_text(bytes(value))
    if isinstance(value, list | tuple | dict) or hasattr(value, "shape") and value.shape:
        return shown(_without_bytes(value))  # nothing that names anything, but nothing to fall over either
    if value is None or value != value:  # NaN and NaT are not equal to themselves
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value).strip()
    return text or None


def _bytes_as_text(data: bytes) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return f"{len(data):,} bytes"
    return text if text.isprintable() else f"{len(data):,} bytes"


def _without_bytes(value: Any) -> Any:
    """Return nested values with ``n bytes`` in the place of bytes, which no message should hold."""
    if isinstance(value, bytes | bytearray | memoryview):
        return _bytes_as_text(bytes(value))
    if isinstance(value, dict):
        return {key: _without_bytes(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple) or hasattr(value, "tolist"):
        items: Iterable[Any] = value if isinstance(value, list | tuple) else value.tolist()
        return [_without_bytes(inner) for inner in list(items)[:20]] if isinstance(items, list | tuple) else items
    return value


def whole_count(value: Any) -> int:
    """Return a cell as a count, 0 where it is no whole number."""
    text = cell(value)
    return int(text) if text is not None and text.isdigit() else 0
