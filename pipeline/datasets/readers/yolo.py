"""Expressions in YOLO's form: ``labels/NAME.txt`` with ``class x y w h`` a line, class names in ``data.yaml``.

Both trees that tools write: ``train/images`` beside ``train/labels``, and ``images/train`` beside ``labels/train``. A
box over the whole picture means that the picture is a face crop (AffectNet's copy); others are boxes of faces, each a
source of its own.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from singanimation.pipeline.datasets.dataset import Dataset, Findings, Reader, build_dataset
from singanimation.pipeline.datasets.files import child, list_pictures, read_text, subfolders
from singanimation.pipeline.datasets.labels import folder_emotion, map_label, read_label_map, whole_number
from singanimation.pipeline.datasets.licences import AFFECTNET
from singanimation.pipeline.datasets.splits import FolderSplits
from singanimation.pipeline.errors import DatasetError, PictureError
from singanimation.pipeline.files.pictures import picture_size
from singanimation.pipeline.files.regular import is_regular
from singanimation.pipeline.records import Source

_YAML = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
_WHOLE = 0.98

Box = tuple[float, float, float, float]


def _lacks(path: Path) -> str | None:
    if not path.is_dir():
        return "is no folder"
    file = _names_file(path)
    if file is None:
        return "has no data.yaml"
    names = _names(file)
    if not any(folder_emotion(name) for name in names.values()):
        return f"its {file.name} names no expressions"
    return None if any(_label_file(path, picture) for picture in list_pictures(path)) else "has no labels/*.txt"


def _read(path: Path) -> Dataset:
    findings = Findings()
    file = _names_file(path)
    if file is None:
        raise DatasetError(f"{path} has no data.yaml.")
    names, user_map = _names(file), read_label_map(path)
    pictures = list_pictures(path, findings)
    splits = FolderSplits.of(path, pictures)
    licence = AFFECTNET if "affectnet" in f"{path.resolve().name} {read_text(file)}".lower() else None
    sources = []
    has_splits = False
    for picture in pictures:
        labels = _label_file(path, picture)
        if labels is None:
            findings.add("{count} pictures have no file in labels and were left out", str(picture))
            continue
        split = splits(picture)
        has_splits = has_splits or split is not None
        faces = list(_faces(path / picture, labels, findings))
        if not faces:
            findings.add("{count} pictures have no face in their label file and were left out", str(picture))
        for index, (number, box) in enumerate(faces):
            raw = names.get(number)
            if raw is None:
                findings.add(f"{{count}} classes are not named in {file.name}", f"{labels.name} {number}")
            sources.append(
                Source(
                    dataset="yolo",
                    source_id=str(picture) if len(faces) == 1 else f"{picture}#{index}",
                    path=path / picture,
                    source_path=str(picture),
                    split=split or "train",
                    group_id=str(picture),
                    label=map_label(raw or number, {}, user_map),
                    source_label=raw or number,
                    licence=licence,
                    is_face_crop=box is None,
                    box=box,
                )
            )
    return build_dataset("yolo", sources, findings, path, licence=licence, has_splits=has_splits)


def _names_file(path: Path) -> Path | None:
    """Return what names the classes: ``data.yaml``, or the ``classes.txt`` of labelling tools; at the top or below."""
    for folder in (path, *subfolders(path)):
        found = child(folder, *_YAML, "classes.txt", "obj.names")
        if found is not None and is_regular(found):
            return found
    return None


def _names(file: Path) -> dict[str, str]:
    """Return number -> name. Raises DatasetError for a file that names no classes."""
    text = read_text(file)
    if file.suffix.lower() in (".txt", ".names"):
        return {str(number): line.strip() for number, line in enumerate(text.splitlines()) if line.strip()}
    import yaml

    try:
        content: Any = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise DatasetError(f"{file} cannot be read as YAML ({str(error).splitlines()[0]}).") from None
    names = content.get("names") if isinstance(content, Mapping) else None
    if isinstance(names, Mapping):
        return {str(number): str(name) for number, name in names.items()}
    return {str(number): str(name) for number, name in enumerate(names)} if isinstance(names, list) else {}


def _label_file(path: Path, picture: PurePosixPath) -> Path | None:
    """Return a picture's label file: the last ``images`` on its way reads ``labels``, or it lies beside it."""
    parts = list(picture.parts)
    places = [picture.with_suffix(".txt")]
    folders = [index for index, part in enumerate(parts[:-1]) if part.lower() == "images"]
    if folders:
        parts[folders[-1]] = "labels"
        places.insert(0, PurePosixPath(*parts).with_suffix(".txt"))
    return next((path / place for place in places if is_regular(path / place)), None)


def _faces(picture: Path, labels: Path, findings: Findings) -> Iterator[tuple[str, Box | None]]:
    """Yield class number and box (pixels of the picture; None for the whole of it) of each line."""
    for line in read_text(labels).splitlines():
        words = line.split()
        if not words:
            continue
        number = whole_number(words[0])
        try:
            values = [float(word) for word in words[1:]]
        except ValueError:
            values = []
        if number is None or len(values) < 4:
            findings.add(
                "{count} lines of label files are no `class x y w h` and were left out", f"{labels.name} {line}"
            )
            continue
        yield number, _box(picture, values)


def _box(picture: Path, values: list[float]) -> Box | None:
    if len(values) > 5:  # an outline: x y x y ...
        xs, ys = values[0::2], values[1::2]
        x0, y0, x1, y1 = min(xs), min(ys), max(xs), max(ys)
    else:
        x, y, width, height = values[:4]
        x0, y0, x1, y1 = x - width / 2, y - height / 2, x + width / 2, y + height / 2
    if not (x1 > x0 and y1 > y0) or min(x1 - x0, y1 - y0) >= _WHOLE:
        return None
    try:
        wide, high = picture_size(picture)
    except PictureError:
        return None  # the run says why it cannot be read
    return (x0 * wide, y0 * high, x1 * wide, y1 * high)


READER = Reader("yolo", _lacks, _read, named=False)
