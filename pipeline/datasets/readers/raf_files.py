"""RAF-DB's label, box and landmark files."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from singanimation.pipeline.datasets.dataset import Findings
from singanimation.pipeline.datasets.files import child, inside, read_text
from singanimation.pipeline.datasets.tables import cell, column, read_table
from singanimation.pipeline.errors import DatasetError

_ALIGNED = re.compile(r"_aligned$", re.IGNORECASE)
_LIST_NAMES = ("list_patition_label.txt", "list_partition_label.txt")


@dataclass(frozen=True)
class LabelFile:
    """Raw labels by stem. ``official`` is whether they come from RAF-DB's own list."""

    name: str
    raw: Mapping[str, str]
    official: bool


def stem_of(name: str) -> tuple[str, bool]:
    """Return the stem (``train_00001``, lower case) of a picture's name, and whether it names an aligned crop."""
    stem = PurePosixPath(name).stem
    return _ALIGNED.sub("", stem).lower(), bool(_ALIGNED.search(stem))


def label_list(base: Path) -> Path | None:
    """Return RAF-DB's own label list, in ``EmoLabel`` or at the top, however it is spelt; None where there is none."""
    found = (child(folder, *_LIST_NAMES) for folder in (child(base, "EmoLabel"), base) if folder is not None)
    return next((path for path in found if path is not None), None)


def find_labels(base: Path, findings: Findings) -> LabelFile | None:
    """Return the labels of RAF-DB's list (in ``EmoLabel`` or at the top), else of the copy's CSV files, else None."""
    path = label_list(base)
    if path is not None:
        return LabelFile(path.name, _gather(_list_lines(path), path.name, findings), official=True)
    pairs: list[tuple[str, str | None]] = []
    names: list[str] = []
    for path in sorted([*base.glob("*.csv"), *base.glob("*/*.csv")]):
        found = [] if path.name.lower().startswith("label_map") else _csv_pairs(path, findings)
        if found:
            pairs.extend(found)
            names.append(path.name)
    return LabelFile(" and ".join(names), _gather(pairs, " and ".join(names), findings), False) if names else None


def _list_lines(path: Path) -> Iterator[tuple[str, str | None]]:
    for line in read_text(path).splitlines():
        words = re.split(r"[\s,;]+", line.strip())
        if words != [""]:
            yield (words[0], words[1]) if len(words) == 2 else (line.strip(), None)


def _csv_pairs(path: Path, findings: Findings) -> list[tuple[str, str | None]]:
    try:
        frame = read_table(path)
    except DatasetError as error:
        findings.add(f"{str(error).replace(str(path), path.name).rstrip('.')}; it is not used")
        return []  # without label files the class folders decide
    file, label = column(frame.columns, "file"), column(frame.columns, "label")
    if file is None or label is None:
        return []
    return [(cell(name) or "", cell(raw)) for name, raw in zip(frame[file], frame[label], strict=True)]


def _gather(
    pairs: Iterator[tuple[str, str | None]] | list[tuple[str, str | None]], file: str, findings: Findings
) -> dict[str, str]:
    raw: dict[str, str] = {}
    for text, label in pairs:
        name = inside(text)
        if name is None:
            findings.add(f"{{count}} names in {file} lead out of the folder and were refused", text)
        elif label is None:
            findings.add(f"{{count}} lines of {file} are no `name label` and were left out", text)
        elif (stem := stem_of(name.name)[0]) in raw:
            same = "" if raw[stem] == label else f" ({raw[stem]} and {label})"
            findings.add(f"{{count}} names occur twice in {file}, the first counts", name.name + same)
        else:
            raw[stem] = label
    return raw


def face_box(base: Path, stem: str) -> tuple[float, float, float, float] | None:
    """Return x0, y0, x1, y1 in pixels of the original, or None where there is no such file or it makes no box."""
    for folder in ("boundingbox", "Annotation/boundingbox"):
        values = _numbers(base / folder / f"{stem}_boundingbox.txt")
        if len(values) >= 4 and values[2] > values[0] and values[3] > values[1]:
            return (values[0], values[1], values[2], values[3])
    return None


def face_landmarks(base: Path, stem: str) -> np.ndarray | None:
    """Return float32 (5, 2) manual or (37, 2) automatic landmarks in pixels of the original, or None."""
    for folder, ending, count in (("manual", "manu", 5), ("auto", "auto", 37)):
        values = _numbers(base / "Annotation" / folder / f"{stem}_{ending}_attri.txt")
        # After the landmarks follow gender, race and age.
        if len(values) >= 2 * count:
            return np.asarray(values[: 2 * count], np.float32).reshape(count, 2)
    return None


def _numbers(path: Path) -> list[float]:
    try:
        values = [float(word) for word in path.read_text(errors="replace").split()]
    except (OSError, ValueError):
        return []
    return values if np.isfinite(values).all() else []
