"""CelebA: aligned celebrities (178x218), official splits, people known, no expression labels (``Smiling`` is none).

Official text files (``list_eval_partition.txt``, ``identity_CelebA.txt``) or Kaggle's CSV files with a header; the
picture folder may be doubled (``img_align_celeba/img_align_celeba``).
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from singanimation.pipeline.datasets.dataset import Dataset, Findings, Reader, build_dataset
from singanimation.pipeline.datasets.files import child, find_holder, list_pictures, read_text, relative
from singanimation.pipeline.datasets.licences import CELEBA
from singanimation.pipeline.records import Source

_PICTURES = "img_align_celeba"
_SPLITS = {"0": "train", "1": "validation", "2": "test"}


def _lacks(path: Path) -> str | None:
    if not path.is_dir():
        return "is no folder"
    if find_holder(path, _PICTURES) is None:
        return f"has no folder {_PICTURES}"
    return None


def _read(path: Path) -> Dataset:
    findings = Findings()
    base = find_holder(path, _PICTURES) or path
    folder = child(base, _PICTURES) or base
    splits = _table(base, "list_eval_partition")
    people = _table(base, "identity_CelebA")
    points = _table(base, "list_landmarks_align_celeba")
    if not splits:
        findings.add("there is no list_eval_partition: all pictures count as train")
    sources: dict[str, Source] = {}
    for picture in list_pictures(folder, findings):
        if picture.name in sources:
            findings.add("{count} pictures occur twice, the first counts", str(picture))
            continue
        row = splits.get(picture.name.lower(), [""])
        if splits and row[0] not in _SPLITS:
            findings.add("{count} pictures have no split 0, 1 or 2 and are left out", picture.name)
            continue
        sources[picture.name] = Source(
            dataset="celeba",
            source_id=picture.name,
            path=folder / picture,
            source_path=relative(folder / picture, path),
            split=_SPLITS.get(row[0], "train"),
            group_id=(people.get(picture.name.lower()) or [picture.name])[0],
            licence=CELEBA,
            is_face_crop=True,
            landmarks=_landmarks(points.get(picture.name.lower())),
        )
    there = {name.lower() for name in sources}
    missing = [name for name in splits if name not in there]
    if missing:
        findings.add("{count} pictures that list_eval_partition names are missing", *missing)
    return build_dataset("celeba", sources.values(), findings, path, licence=CELEBA)


def _table(base: Path, stem: str) -> Mapping[str, list[str]]:
    """Return picture -> the values after its name, from ``stem.txt`` or ``stem.csv``; header lines fall away.

    Names are in lower case: copies write ``.JPG`` in one place and ``.jpg`` in another.
    """
    path = child(base, f"{stem}.txt", f"{stem}.csv")
    if path is None:
        return {}
    if path.is_dir():
        path = child(path, f"{stem}.txt", f"{stem}.csv")
        if path is None:
            return {}
    rows = (line.replace(",", " ").split() for line in read_text(path).splitlines())
    return {row[0].lower(): row[1:] for row in rows if len(row) > 1 and "." in row[0]}


def _landmarks(values: list[str] | None) -> np.ndarray | None:
    """Return float32 (5, 2): eyes, nose, mouth corners, in pixels."""
    try:
        return np.asarray(values, np.float32).reshape(5, 2) if values else None
    except ValueError:
        return None


READER = Reader("celeba", _lacks, _read)
