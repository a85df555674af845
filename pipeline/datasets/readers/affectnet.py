"""AffectNet, both forms: the CSV files of 2017 with pictures in subfolders, and the annotation arrays of 2021."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from singanimation.pipeline.datasets.dataset import Dataset, Findings, Reader, build_dataset
from singanimation.pipeline.datasets.files import child, find_holder, inside, list_pictures, relative
from singanimation.pipeline.datasets.labels import map_label, whole_number
from singanimation.pipeline.datasets.licences import AFFECTNET
from singanimation.pipeline.datasets.tables import cell, read_table
from singanimation.pipeline.errors import DatasetError
from singanimation.pipeline.records import Source

NUMBERS = {"0": "neutral", "1": "happiness", "2": "sadness", "3": "surprise", "4": "fear", "5": "disgust", "6": "anger"}
_NAMES = {"7": "contempt", "8": "none", "9": "uncertain", "10": "no face"}
_DROPPED = ("8", "9", "10")
_CSV = {"training.csv": "train", "validation.csv": "validation"}
_SETS = {"train_set": "train", "val_set": "validation"}
_PATH = "subDirectory_filePath"


def _lacks(path: Path) -> str | None:
    if not path.is_dir():
        return "is no folder"
    if _arrays_base(path) is not None:
        return None
    base = _csv_base(path)
    if base is None:
        return "has neither training.csv nor train_set/annotations"
    table = next(found for name in _CSV if (found := child(base, name)) is not None)
    header = table.open(encoding="utf-8-sig", errors="replace").readline()
    return None if _PATH.lower() in header.lower() else f"its {table.name} has no column {_PATH}"


def _read(path: Path) -> Dataset:
    findings = Findings()
    arrays = _arrays_base(path)
    found = _from_arrays(path, arrays, findings) if arrays else _from_csv(path, _csv_base(path) or path, findings)
    sources: dict[str, Source] = {}
    for source in found:
        if source.source_id in sources:
            findings.add("{count} names occur twice, the first counts", source.source_id)
        else:
            sources[source.source_id] = source
    return build_dataset("affectnet", sources.values(), findings, path, licence=AFFECTNET)


def _csv_base(path: Path) -> Path | None:
    return find_holder(path, "training.csv") or find_holder(path, "validation.csv")


def _arrays_base(path: Path) -> Path | None:
    for name in _SETS:
        base = find_holder(path, name)
        if base is not None and child(child(base, name) or base, "annotations") is not None:
            return base
    return None


def _from_csv(path: Path, base: Path, findings: Findings) -> Iterator[Source]:
    folders = [
        folder
        for folder in (child(base, "Manually_Annotated_Images"), child(base, "Manually_Annotated"), base)
        if folder is not None and folder.is_dir()
    ]
    present = {name: folder / name for folder in reversed(folders) for name in list_pictures(folder, findings)}
    for name, split in _CSV.items():
        table = child(base, name)
        if table is None:
            continue
        frame = read_table(table)
        if "expression" not in frame.columns:
            raise DatasetError(f"{table} has no column expression; it has {', '.join(frame.columns)}.")
        for row in frame.to_dict("records"):
            text = cell(row.get(_PATH)) or ""
            picture = inside(text)
            if picture is None:
                findings.add(f"{{count}} names in {name} lead out of the folder and were refused", text)
            elif picture not in present:
                findings.add(f"{{count}} pictures that {name} names are missing", text)
            elif (raw := _kept_label(cell(row.get("expression")), text, findings)) is not None:
                yield Source(
                    dataset="affectnet",
                    source_id=str(picture),
                    path=present[picture],
                    source_path=relative(present[picture], path),
                    split=split,
                    group_id=str(picture),
                    label=map_label(raw, NUMBERS),
                    source_label=_NAMES.get(raw, raw),
                    licence=AFFECTNET,
                    box=_box(row),
                    landmarks=_landmarks(cell(row.get("facial_landmarks"))),
                )


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
