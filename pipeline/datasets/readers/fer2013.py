"""FER2013: 48x48 grey faces, as a table of pixels as text or as class folders by name.

Tables: ``fer2013.csv``, ``icml_face_data.csv``, the challenge's ``train.csv`` (no ``Usage``: the challenge's training
part) with ``test.csv`` (no labels), and ``ckextended.csv``, which is CK+ in this form (its own licence, contempt = 7).
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from singanimation.pipeline.datasets.dataset import Dataset, Findings, Reader, build_dataset
from singanimation.pipeline.datasets.files import child, find_holder, list_pictures
from singanimation.pipeline.datasets.folders import Kind, class_folder, read_folders
from singanimation.pipeline.datasets.labels import folder_emotion, map_label, whole_number
from singanimation.pipeline.datasets.licences import CK_PLUS, FER2013
from singanimation.pipeline.datasets.splits import canonical_split, plain_split
from singanimation.pipeline.datasets.tables import cell, header_of, read_table
from singanimation.pipeline.errors import PictureError
from singanimation.pipeline.expressions import EMOTIONS
from singanimation.pipeline.files.pictures import picture_size
from singanimation.pipeline.records import Source

SIDE = 48
NUMBERS = {"0": "anger", "1": "disgust", "2": "fear", "3": "happiness", "4": "sadness", "5": "surprise", "6": "neutral"}
TABLE_NAMES = ("fer2013.csv", "icml_face_data.csv")
_OTHER_NAMES = ("ckextended.csv", "train.csv", "test.csv")
_CK = re.compile(r"(?:^|[^a-z])ck(?:\+|plus|extended|[^a-z]|$)", re.IGNORECASE)
_CONTEMPT = "7"
_LOOKED_AT = 20


def _lacks(path: Path) -> str | None:
    tables = _pixel_tables(path)
    if tables:
        return None
    named = find_table(path)
    if named is not None and (path.is_dir() or named.name.lower() in TABLE_NAMES):
        return f"its table {named.name} has no columns emotion, pixels, Usage"
    if not path.is_dir():
        return "is no fer2013.csv"
    pictures = list_pictures(path)
    classes = {folder_emotion(class_folder(picture) or "") for picture in pictures}
    if not classes >= set(EMOTIONS):
        return "has neither fer2013.csv nor a folder for each of the seven emotions"
    looked_at = pictures[:: max(1, len(pictures) // _LOOKED_AT)]
    if not all(_is_fer_size(path / picture) for picture in looked_at):
        return f"its pictures are not {SIDE}x{SIDE}"
    return None


def _read(path: Path) -> Dataset:
    findings = Findings()
    tables = _pixel_tables(path)
    if not tables:
        kind = Kind("fer2013", FER2013, is_crop=lambda picture: True)
        sources, has_splits = read_folders(path, kind, findings)
        return build_dataset("fer2013", sources, findings, path, licence=FER2013, has_splits=has_splits)
    ck = [table for table in tables if _is_ck(table)]
    if ck and len(ck) < len(tables):
        said = "{count} tables are CK+'s and were left out: give them as an --input of their own"
        findings.add(said, *(table.name for table in ck))
        tables = [table for table in tables if table not in ck]
    name, licence = ("ck+", CK_PLUS) if ck and tables == ck else ("fer2013", FER2013)
    many = len(tables) > 1
    sources = [source for table in tables for source in _from_table(table, name, licence, many, findings)]
    has_splits = any(_usage(table) is not None or plain_split(table.stem) for table in tables)
    return build_dataset(name, sources, findings, path, licence=licence, has_splits=has_splits)


def _is_ck(table: Path) -> bool:
    return bool(_CK.search(table.stem))


def _usage(table: Path) -> str | None:
    return next((name for name in header_of(table) if name.lower() == "usage"), None)


def _pixel_tables(path: Path) -> list[Path]:
    """Return the tables of pixels: the file itself, else FER2013's own, else the challenge's parts and others' copies.

    What counts is the column ``pixels``, of 48 x 48 numbers.
    """
    named = find_table(path)
    if path.is_file() or named is not None:
        return [named] if named is not None and _has_pixels(named) else []
    holder = next((found for name in _OTHER_NAMES if (found := find_holder(path, name)) is not None), path)
    tables = [entry for entry in sorted(holder.iterdir()) if entry.suffix.lower() == ".csv"] if holder.is_dir() else []
    return [table for table in tables if _has_pixels(table)]


def _has_pixels(table: Path) -> bool:
    names = [name.lower() for name in header_of(table)]
    if "pixels" not in names:
        return False
    first = read_table(table, rows=1)
    texts = [cell(value) for value in first[next(name for name in first.columns if name.lower() == "pixels")]]
    return not texts or len((texts[0] or "").split()) == SIDE * SIDE or "emotion" in names and "usage" in names


def find_table(path: Path) -> Path | None:
    """Return FER2013's table: the file itself, or one of its usual names in the folder or near below."""
    if path.is_file():
        return path if path.suffix.lower() == ".csv" else None
    for name in TABLE_NAMES:
        holder = find_holder(path, name)
        if holder is not None:
            return child(holder, name)
    return None


def face_bytes(text: str | None) -> bytes | None:
    """Return 2304 numbers 0..255 written with blanks as the bytes of a 48x48 PGM picture, else None."""
    try:
        values = np.array((text or "").split(), np.int64)
    except (ValueError, OverflowError):
        return None
    if values.size != SIDE * SIDE or values.min() < 0 or values.max() > 255:
        return None
    return b"P5 %d %d 255\n" % (SIDE, SIDE) + values.astype(np.uint8).tobytes()


def _from_table(table: Path, name: str, licence: str, many: bool, findings: Findings) -> Iterator[Source]:
    """Yield a table's rows; ``many`` says that there are other tables, so that ids begin with this one's name."""
    frame = read_table(table)
    names = {column.lower(): column for column in frame.columns}
    labels = frame[names["emotion"]] if "emotion" in names else [None] * len(frame)
    usages = frame[names["usage"]] if "usage" in names else [plain_split(table.stem) or "train"] * len(frame)
    for number, (emotion, pixels, usage) in enumerate(zip(labels, frame[names["pixels"]], usages, strict=True)):
        source_id = f"{table.stem}/{number:05d}" if many else f"{number:05d}"
        data, raw, split = face_bytes(cell(pixels)), cell(emotion), canonical_split(cell(usage) or "")
        if data is None:
            findings.add(f"{{count}} rows have no {SIDE * SIDE} pixel values 0..255 and were left out", source_id)
            continue
        if split is None:
            findings.add("{count} rows have no usage that we know and were left out", f"{source_id} {usage}")
            continue
        contempt = name == "ck+" and whole_number(raw or "") == _CONTEMPT
        label = map_label(raw, NUMBERS)
        if label is None and raw is not None and not contempt:
            findings.add(
                "{count} labels are out of range (0..6), their pictures are kept without one", f"{source_id} {raw}"
            )
        yield Source(
            dataset=name,
            source_id=source_id,
            path=None,
            source_path=f"{table.name}#{number:05d}",
            split=split,
            group_id=source_id,
            label=label,
            source_label="contempt" if contempt else raw,
            licence=licence,
            is_face_crop=True,
            data=data,
        )


def _is_fer_size(picture: Path) -> bool:
    try:
        return picture_size(picture) == (SIDE, SIDE)
    except PictureError:
        return True  # damaged pictures say nothing about the layout


READER = Reader("fer2013", _lacks, _read)
