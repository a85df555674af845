"""Labels as data sets write them, mapped through canonical names, never through sorted folders."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from singanimation.pipeline.datasets.files import child, read_text
from singanimation.pipeline.datasets.splits import canonical_split as canonical_split
from singanimation.pipeline.datasets.splits import held_out_first as held_out_first
from singanimation.pipeline.datasets.splits import without_splits
from singanimation.pipeline.errors import DatasetError
from singanimation.pipeline.expressions import EMOTIONS, canonical_emotion

if TYPE_CHECKING:
    import pandas as pd

    from singanimation.pipeline.datasets.dataset import Findings

RAF_NUMBERS: Mapping[str, str] = {str(number): name for number, name in enumerate(EMOTIONS, 1)}
RAF_NUMBERS_FROM_0: Mapping[str, str] = {str(number): name for number, name in enumerate(EMOTIONS)}

_CLASS_WORDS = frozenset({"class", "emotion", "expression", "emo", "expr", "category", "people", "person", "face"})
_NAME = re.compile(r"[\w\s.\-]{1,80}")
_NUMBER_BEFORE_NAME = re.compile(r"^\d+[\s_.\-]+(?=[^\W\d])")


@lru_cache(maxsize=8192)  # asked for each picture's folders
def folder_emotion(name: str) -> str | None:
    """Return the emotion that a class folder's name means (``happy``, ``Anger``, ``03_disgust``, ``train_fear``)."""
    text = _NUMBER_BEFORE_NAME.sub("", name.strip())
    return canonical_emotion(text) or canonical_emotion(_bare(text))


def _bare(text: str) -> str:
    """Return a class's name without the words and numbers that people put around it (``class_happy``, ``fear 2``)."""
    if not _NAME.fullmatch(text):
        return ""
    words = [word for word in without_splits(text).split() if word.lower() not in _CLASS_WORDS and not word.isdigit()]
    return words[0] if len(words) == 1 else ""


def whole_number(text: str) -> str | None:
    """Return ``"5"`` for ``5``, ``05``, ``5.0`` or ``5.0e+00``; None for anything else."""
    try:
        value = float(text)
    except (TypeError, ValueError):
        return None
    return str(int(value)) if value.is_integer() and abs(value) < 1e6 else None


def raf_numbers(raw: Iterable[str]) -> Mapping[str, str]:
    """Return the map of RAF-DB's 1..7, or of 0..6 where a 0 and no 7 occurs (copies that count from 0)."""
    seen = {number for text in raw if (number := whole_number(text)) is not None}
    return RAF_NUMBERS_FROM_0 if "0" in seen and "7" not in seen else RAF_NUMBERS


def map_label(raw: str | None, numbers: Mapping[str, str], user_map: Mapping[str, str] | None = None) -> str | None:
    """Return the canonical label for a raw one: the user's map first, then names, then ``numbers``; else None."""
    if raw is None or not raw.strip():
        return None
    number = whole_number(raw)
    if user_map is not None:
        named = user_map.get(raw.strip()) or (user_map.get(number) if number else None)
        if named is not None:
            return folder_emotion(named)
    return folder_emotion(raw) or folder_emotion(numbers.get(number or "", ""))


Meaning = Callable[[str | None], tuple[str | None, str | None]]
"""From a table's raw label to the canonical one and the one to keep as the source's."""


def label_meaning(
    file: Path, frame: "pd.DataFrame", column: str | None, user_map: Mapping[str, str] | None, findings: "Findings"
) -> Meaning:
    """Return what a table's labels mean: stored numbers go by a ClassLabel's names, and names by the user's map.

    Without either, numbers 1..7 are RAF-DB's; others mean nothing.
    """
    from singanimation.pipeline.datasets.readers.parquet import label_names, parquet_schema
    from singanimation.pipeline.datasets.tables import PARQUET_SUFFIXES, cell

    if column is None:
        return lambda raw: (None, None)
    names = label_names(parquet_schema(file), column) if file.suffix.lower() in PARQUET_SUFFIXES else {}
    seen = {names.get(text, text) for value in frame[column] if (text := cell(value)) is not None}
    numbers: Mapping[str, str] = {}
    if user_map is None and "7" in seen and seen <= set(RAF_NUMBERS):
        findings.add(f"the labels of {file.name} are 1..7: taken as RAF-DB's order, 1 surprise to 7 neutral")
        numbers = RAF_NUMBERS

    def read(raw: str | None) -> tuple[str | None, str | None]:
        number = whole_number(raw or "") if names else None
        name = raw if number is None else names.get(number)
        label = map_label(name, numbers, user_map)
        return label, raw if label is not None else name

    return read


def read_label_map(folder: Path) -> dict[str, str] | None:
    """Return the user's ``label_map.json`` (``{"1": "happiness"}``) or ``label_map.csv`` (label,name), if any.

    Names outside the seven are allowed (compound expressions): their pictures have no label, and keep the name.
    Raises DatasetError where the file cannot be understood.
    """
    path = child(folder, "label_map.json", "label_map.csv", "label_map.txt")
    if path is None:
        return None
    text = read_text(path)
    try:
        if path.suffix.lower() == ".json":
            pairs = [(str(key), str(value)) for key, value in json.loads(text).items()]
        else:
            pairs = [_pair(line) for line in text.splitlines() if line.strip()]
    except (ValueError, AttributeError, RecursionError) as error:
        raise DatasetError(f'{path} is no label map; write {{"1": "happiness"}} or lines `1,happiness`.') from error
    return {whole_number(key) or key.strip(): value.strip() for key, value in pairs}


def _pair(line: str) -> tuple[str, str]:
    """Split ``1,happily surprised`` at its comma, semicolon or tab, else at its first blank."""
    separator = next((mark for mark in ",;\t" if mark in line), None)
    key, value = line.strip().split(separator, 1)
    return key.strip().strip('"'), value.strip().strip('"')
