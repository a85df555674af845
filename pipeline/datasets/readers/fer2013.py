"""FER2013: 48x48 grey faces, as ``fer2013.csv`` (pixels as text) or as class folders by name."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from singanimation.pipeline.datasets.dataset import Dataset, Findings, Reader, build_dataset
from singanimation.pipeline.datasets.files import child, find_holder, list_pictures
from singanimation.pipeline.datasets.labels import canonical_split, folder_emotion, map_label
from singanimation.pipeline.datasets.licences import FER2013
from singanimation.pipeline.datasets.readers.image_folder import class_folder, split_folder
from singanimation.pipeline.datasets.tables import cell, read_table
from singanimation.pipeline.errors import DatasetError, PictureError
from singanimation.pipeline.expressions import EMOTIONS
from singanimation.pipeline.files.pictures import picture_size
from singanimation.pipeline.records import Source

SIDE = 48
NUMBERS = {"0": "anger", "1": "disgust", "2": "fear", "3": "happiness", "4": "sadness", "5": "surprise", "6": "neutral"}
TABLE_NAMES = ("fer2013.csv", "icml_face_data.csv")
_COLUMNS = {"emotion", "pixels", "usage"}
_LOOKED_AT = 20


def _lacks(path: Path) -> str | None:
    table = find_table(path)
    if table is not None:
        header = _header(table)
        return None if header >= _COLUMNS else f"its table {table.name} has no columns emotion, pixels, Usage"
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
    table = find_table(path)
    sources = list(_from_table(table, findings) if table is not None else _from_folders(path, findings))
    return build_dataset("fer2013", sources, findings, path, licence=FER2013)


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


def _header(table: Path) -> set[str]:
    try:
        with table.open(encoding="utf-8-sig", errors="replace") as file:
            return {name.strip().lower() for name in file.readline().split(",")}
    except OSError as error:
        raise DatasetError(f"{table} cannot be read ({error.strerror}).") from error


def _from_table(table: Path, findings: Findings) -> Iterator[Source]:
    frame = read_table(table)
    names = {name.lower(): name for name in frame.columns}
    columns = (frame[names[name]] for name in ("emotion", "pixels", "usage"))
    for number, (emotion, pixels, usage) in enumerate(zip(*columns, strict=True)):
        source_id = f"{number:05d}"
        data, raw, split = face_bytes(cell(pixels)), cell(emotion), canonical_split(cell(usage) or "")
        if data is None:
            findings.add(f"{{count}} rows have no {SIDE * SIDE} pixel values 0..255 and were left out", source_id)
            continue
        if split is None:
            findings.add("{count} rows have no usage that we know and were left out", f"{source_id} {usage}")
            continue
        label = map_label(raw, NUMBERS)
        if label is None:
            findings.add(
                "{count} labels are out of range (0..6), their pictures are kept without one", f"{source_id} {raw}"
            )
        yield Source(
            dataset="fer2013",
            source_id=source_id,
            path=None,
            source_path=f"{table.name}#{source_id}",
            split=split,
            group_id=source_id,
            label=label,
            source_label=raw,
            licence=FER2013,
            is_face_crop=True,
            data=data,
        )


def _from_folders(path: Path, findings: Findings) -> Iterator[Source]:
    for picture in list_pictures(path, findings):
        folder = class_folder(picture)
        yield Source(
            dataset="fer2013",
            source_id=str(picture),
            path=path / picture,
            source_path=str(picture),
            split=split_folder(picture) or "train",
            group_id=str(picture),
            label=folder_emotion(folder or ""),
            source_label=folder,
            licence=FER2013,
            is_face_crop=True,
        )


def _is_fer_size(picture: Path) -> bool:
    try:
        return picture_size(picture) == (SIDE, SIDE)
    except PictureError:
        return True  # damaged pictures say nothing about the layout


READER = Reader("fer2013", _lacks, _read)
