"""AffectNet, both forms: the CSV files of 2017 with pictures in subfolders, and the annotation arrays of 2021.

The lists of 2017 lie in ``Manually_Annotated_file_lists``, beside the pictures or at the top; a row's picture is found
by its last folder and name (``689/0a3d...jpg``), wherever the pictures were unpacked.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from singanimation.pipeline.datasets.dataset import Dataset, Findings, Reader, build_dataset
from singanimation.pipeline.datasets.files import child, find_holder, inside, list_pictures, relative, subfolders
from singanimation.pipeline.datasets.labels import map_label, whole_number
from singanimation.pipeline.datasets.licences import AFFECTNET
from singanimation.pipeline.datasets.tables import cell, header_of, read_table
from singanimation.pipeline.errors import DatasetError
from singanimation.pipeline.files.regular import is_regular, is_special
from singanimation.pipeline.records import Source

NUMBERS = {"0": "neutral", "1": "happiness", "2": "sadness", "3": "surprise", "4": "fear", "5": "disgust", "6": "anger"}
_NAMES = {"7": "contempt", "8": "none", "9": "uncertain", "10": "no face"}
_DROPPED = ("8", "9", "10")
_CSV = {"training.csv": "train", "validation.csv": "validation", "automatically_annotated.csv": "train"}
_SETS = {"train_set": "train", "val_set": "validation"}
_PATH = "subDirectory_filePath"


def _lacks(path: Path) -> str | None:
    if not path.is_dir():
        return "is no folder"
    if _arrays_base(path) is not None:
        return None
    tables = _lists(path)
    if not tables:
        return "has neither training.csv nor train_set/annotations"
    if any(_path_column(header_of(table)) for table in tables):
        return None
    return f"its {tables[0].name} has no column {_PATH}"


def _read(path: Path) -> Dataset:
    findings = Findings()
    arrays = _arrays_base(path)
    found = _from_arrays(path, arrays, findings) if arrays else _from_lists(path, findings)
    sources: dict[str, Source] = {}
    for source in found:
        if source.source_id in sources:
            findings.add("{count} names occur twice, the first counts", source.source_id)
        else:
            sources[source.source_id] = source
    return build_dataset("affectnet", sources.values(), findings, path, licence=AFFECTNET)


def _lists(path: Path) -> list[Path]:
    """Return the lists of 2017, at the top or at most two folders below, in the order of ``_CSV``."""
    level = [path, *(first := subfolders(path)), *(inner for outer in first for inner in subfolders(outer))]
    found = [child(folder, name) for name in _CSV for folder in level]
    return [table for table in found if table is not None and is_regular(table)]


def _path_column(names: Sequence[str]) -> str | None:
    return next((name for name in names if name.lower() == _PATH.lower()), None)


def _arrays_base(path: Path) -> Path | None:
    for name in _SETS:
        base = find_holder(path, name)
        if base is not None and child(child(base, name) or base, "annotations") is not None:
            return base
    return None


def _from_lists(path: Path, findings: Findings) -> Iterator[Source]:
    present = _by_last_folder(path, findings)
    for table in _lists(path):
        name, split = table.name, _CSV[table.name.lower()]
        place = _path_column(header_of(table))
        if place is None:
            findings.add(f"{{count}} lists have no column {_PATH} and were left out", name)
            continue
        frame = read_table(table)
        if "expression" not in frame.columns:
            raise DatasetError(f"{table} has no column expression; it has {', '.join(frame.columns)}.")
        for row in frame.to_dict("records"):
            text = cell(row.get(place)) or ""
            picture = inside(text)
            file = present.get(PurePosixPath(*picture.parts[-2:])) if picture is not None else None
            if picture is None:
                findings.add(f"{{count}} names in {name} lead out of the folder and were refused", text)
            elif file is None:
                findings.add(f"{{count}} pictures that {name} names are missing", text)
            elif (raw := _kept_label(cell(row.get("expression")), text, findings)) is not None:
                yield Source(
                    dataset="affectnet",
                    source_id=str(picture),
                    path=file,
                    source_path=relative(file, path),
                    split=split,
                    group_id=str(picture),
                    label=map_label(raw, NUMBERS),
                    source_label=_NAMES.get(raw, raw),
                    licence=AFFECTNET,
                    box=_box(row),
                    landmarks=_landmarks(cell(row.get("facial_landmarks"))),
                )


def _by_last_folder(path: Path, findings: Findings) -> dict[PurePosixPath, Path]:
    """Return ``689/name.jpg`` -> picture; the manually annotated ones come before others of the same name."""
    found: dict[PurePosixPath, Path] = {}
    for picture in sorted(list_pictures(path, findings), key=lambda each: "auto" in str(each).lower()):
        found.setdefault(PurePosixPath(*picture.parts[-2:]), path / picture)
    return found


def _kept_label(text: str | None, name: str, findings: Findings) -> str | None:
    """Return the label's number, or None for pictures to drop (no expression, uncertain, no face, unknown)."""
    number = whole_number(text or "")
    if number in _DROPPED:
        findings.add(f"{{count}} pictures are labelled {_NAMES[number]} and were left out", name)
        return None
    if number not in NUMBERS and number not in _NAMES:
        findings.add("{count} labels are out of range (0..10), their pictures were left out", f"{name} {text}")
        return None
    return number


def _box(row: dict[str, object]) -> tuple[float, float, float, float] | None:
    """Return x0, y0, x1, y1; widths below 0 mean that there is no box."""
    try:
        x, y, width, height = (float(str(row[f"face_{name}"])) for name in ("x", "y", "width", "height"))
    except (KeyError, ValueError):
        return None
    return (x, y, x + width, y + height) if width > 0 and height > 0 else None


def _landmarks(text: str | None) -> np.ndarray | None:
    """Return float32 (68, 2) from ``x;y;x;y...`` in pixels of the picture."""
    try:
        values = np.asarray((text or "").split(";"), np.float32)
    except ValueError:
        return None
    return values.reshape(68, 2) if values.size == 136 else None


def _from_arrays(path: Path, base: Path, findings: Findings) -> Iterator[Source]:
    for name, split in _SETS.items():
        folder = child(base, name)
        pictures = child(folder, "images") if folder is not None else None
        if folder is None or pictures is None:
            continue
        for picture in list_pictures(pictures, findings):
            file = folder / "annotations" / f"{picture.stem}_exp.npy"
            try:
                if is_special(file):
                    raise ValueError("no ordinary file")
                text = str(np.load(file, allow_pickle=False))
            except FileNotFoundError:
                findings.add("{count} pictures have no label file and were left out", str(picture))
                continue
            except (OSError, ValueError, EOFError):
                findings.add("{count} label files are damaged, their pictures were left out", file.name)
                continue
            raw = _kept_label(text, str(picture), findings)
            if raw is not None:
                yield Source(
                    dataset="affectnet",
                    source_id=f"{name}/{picture}",
                    path=pictures / picture,
                    source_path=relative(pictures / picture, path),
                    split=split,
                    group_id=f"{name}/{picture}",
                    label=map_label(raw, NUMBERS),
                    source_label=_NAMES.get(raw, raw),
                    licence=AFFECTNET,
                    is_face_crop=True,
                )


READER = Reader("affectnet", _lacks, _read)
