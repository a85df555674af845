"""CelebA: aligned celebrities (178x218), official splits, people known, no expression labels (``Smiling`` is none).

The authors' tree (``Img/img_align_celeba`` or ``Img/img_align_celeba_png``, ``Eval``, ``Anno``), all in one folder, or
Kaggle's CSV files with a header; the picture folder may be doubled. Pictures are known by their number, so that JPEG
and PNG copies read alike.
"""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import numpy as np

from singanimation.pipeline.datasets.dataset import Dataset, Findings, Reader, build_dataset
from singanimation.pipeline.datasets.files import child, list_pictures, read_text, relative, subfolders
from singanimation.pipeline.datasets.licences import CELEBA
from singanimation.pipeline.errors import DatasetError
from singanimation.pipeline.records import Source

_PICTURES = ("img_align_celeba", "img_align_celeba_png")
_SPLITS = {"0": "train", "1": "validation", "2": "test"}
_DEPTH = 3


def _lacks(path: Path) -> str | None:
    if not path.is_dir():
        return "is no folder"
    if _picture_folder(path) is None:
        return f"has no folder {_PICTURES[0]}"
    return None


def _picture_folder(path: Path) -> Path | None:
    """Return the folder of the aligned pictures: the input itself, or one of its usual names at most three below."""
    if path.name.lower() in _PICTURES:
        return path
    level = [path]
    for _ in range(_DEPTH):
        found = next((inner for folder in level if (inner := child(folder, *_PICTURES)) is not None), None)
        if found is not None and found.is_dir():
            return found
        level = [inner for folder in level for inner in subfolders(folder)]
    return None


def _read(path: Path) -> Dataset:
    findings = Findings()
    folder = _picture_folder(path) or path
    splits = _table(path, folder, "list_eval_partition")
    people = _table(path, folder, "identity_CelebA")
    points = _table(path, folder, "list_landmarks_align_celeba")
    if not splits:
        findings.add("there is no list_eval_partition, so nothing tells which pictures are for testing")
    if not people:
        findings.add("there is no identity_CelebA, so each picture counts as a person of its own")
    sources: dict[str, Source] = {}
    for picture in list_pictures(folder, findings):
        key = picture.stem.lower()
        if key in sources:
            findings.add("{count} pictures occur twice, the first counts", str(picture))
            continue
        row = splits.get(key, [""])
        if splits and row[0] not in _SPLITS:
            findings.add("{count} pictures have no split 0, 1 or 2 and are left out", picture.name)
            continue
        sources[key] = Source(
            dataset="celeba",
            source_id=picture.name,
            path=folder / picture,
            source_path=relative(folder / picture, path),
            split=_SPLITS.get(row[0], "train"),
            group_id=(people.get(key) or [picture.name])[0],
            licence=CELEBA,
            is_face_crop=True,
            landmarks=_landmarks(points.get(key)),
        )
    missing = [f"{name}.jpg" for name in splits if name not in sources]
    if missing:
        findings.add("{count} pictures that list_eval_partition names are missing", *missing)
    return build_dataset("celeba", sources.values(), findings, path, licence=CELEBA, has_splits=bool(splits))


def _file(path: Path, folder: Path, stem: str) -> Path | None:
    """Return ``stem.txt`` or ``stem.csv``, beside the pictures' folder or anywhere near in the input."""
    names = (f"{stem}.txt", f"{stem}.csv")
    places = [path, *subfolders(path), *(inner for outer in subfolders(path) for inner in subfolders(outer))]
    up = path.resolve().parent
    if folder == path:  # the pictures' folder itself was given: its lists lie beside it
        places.append(up)
    bases = (up, up.parent) if folder == path else (up,)
    places += [found for base in bases for name in ("Eval", "Anno") if (found := child(base, name)) is not None]
    for place in places:
        found = child(place, *names)
        while found is not None and found.is_dir():  # unpacked archives: a folder of the file's own name
            found = child(found, *names)
        if found is not None:
            return found
    return None


def _table(path: Path, folder: Path, stem: str) -> Mapping[str, list[str]]:
    """Return picture -> the values after its name, from ``stem.txt`` or ``stem.csv``; header lines fall away.

    Pictures go by their name without its ending, in lower case: copies are PNG, or write ``.JPG``.
    """
    file = _file(path, folder, stem)
    if file is None:
        return {}
    rows = (line.replace(",", " ").replace(";", " ").split() for line in read_text(file).splitlines())
    found = {PurePosixPath(row[0].strip('"').lower()).stem: row[1:] for row in rows if len(row) > 1 and "." in row[0]}
    if not found:
        raise DatasetError(f"{file} has no lines like `000001.jpg 0`; it is needed to tell pictures apart.")
    return found


def _landmarks(values: list[str] | None) -> np.ndarray | None:
    """Return float32 (5, 2): eyes, nose, mouth corners, in pixels."""
    try:
        return np.asarray(values, np.float32).reshape(5, 2) if values else None
    except ValueError:
        return None


READER = Reader("celeba", _lacks, _read)
