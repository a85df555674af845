"""Labels and splits as data sets write them, mapped through canonical names, never through sorted folders."""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from singanimation.pipeline.datasets.files import child, read_text
from singanimation.pipeline.errors import DatasetError
from singanimation.pipeline.expressions import EMOTIONS, canonical_emotion

RAF_NUMBERS: Mapping[str, str] = {str(number): name for number, name in enumerate(EMOTIONS, 1)}
RAF_NUMBERS_FROM_0: Mapping[str, str] = {str(number): name for number, name in enumerate(EMOTIONS)}

_SPLIT_WORDS = {
    "train": "train",
    "training": "train",
    "trainset": "train",
    "trainingset": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "valset": "validation",
    "validset": "validation",
    "validationset": "validation",
    "dev": "validation",
    "publictest": "validation",
    "test": "test",
    "testing": "test",
    "testset": "test",
    "privatetest": "test",
}
_NUMBER_BEFORE_NAME = re.compile(r"^\d+[\s_.\-]+(?=[^\W\d])")


def canonical_split(text: str) -> str | None:
    """Return ``train``, ``validation`` or ``test`` for a usual way to write it (``valid``, ``aligned_train``)."""
    words = [word for word in re.split(r"[\s_\-.]+", text.strip().lower()) if word not in ("aligned", "set", "images")]
    return _SPLIT_WORDS.get("".join(words))


def held_out_first(*splits: str | None) -> str | None:
    """Return the most held-out of the splits given: nobody's test picture becomes a training picture."""
    given = [split for split in splits if split]
    return max(given, key=lambda name: ("train", "validation", "test").index(name), default=None)


def folder_emotion(name: str) -> str | None:
    """Return the emotion that a class folder's name means (``happy``, ``Anger``, ``03_disgust``), else None."""
    return canonical_emotion(_NUMBER_BEFORE_NAME.sub("", name.strip()))


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
    except (ValueError, AttributeError) as error:
        raise DatasetError(f'{path} is no label map; write {{"1": "happiness"}} or lines `1,happiness`.') from error
    return {whole_number(key) or key.strip(): value.strip() for key, value in pairs}


def _pair(line: str) -> tuple[str, str]:
    """Split ``1,happily surprised`` at its comma, semicolon or tab, else at its first blank."""
    separator = next((mark for mark in ",;\t" if mark in line), None)
    key, value = line.strip().split(separator, 1)
    return key.strip().strip('"'), value.strip().strip('"')
