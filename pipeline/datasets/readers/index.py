"""A Parquet, CSV, TSV or JSON-lines index: pictures embedded, or named relative to the index's folder.

Columns go by their usual names (``tables.ALIASES``). Numeric labels need names: a ``datasets`` ClassLabel, a
``label_map.csv`` beside the index, or RAF-DB's 1..7. Landmarks are flat or (K, 2), in pixels or 0..1. Embedded
pictures are kept in memory.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from singanimation.pipeline.datasets.dataset import Dataset, Findings, Reader, build_dataset
from singanimation.pipeline.datasets.files import inside, is_output_folder, list_pictures
from singanimation.pipeline.datasets.labels import RAF_NUMBERS, canonical_split, map_label, read_label_map
from singanimation.pipeline.datasets.metadata import find_metadata
from singanimation.pipeline.datasets.readers.image_folder import class_folder
from singanimation.pipeline.datasets.readers.parquet import (
    LARGE_BYTES,
    is_our_manifest,
    label_names,
    parquet_schema,
    picture_bytes,
    picture_columns,
    picture_path,
)
from singanimation.pipeline.datasets.tables import TABLE_SUFFIXES, cell, column, read_table
from singanimation.pipeline.errors import DatasetError, PictureError
from singanimation.pipeline.files.pictures import picture_size
from singanimation.pipeline.records import KINDS, STATUSES, Source

_LOOKED_AT = 20
_OUR_ID = "variant_id"
_JUDGED = {"kind": (KINDS, ("real", "variant")), "status": (STATUSES, ("accepted",))}
_PURPOSES = ("label", "split", "group", "id", "licence")


@dataclass(frozen=True)
class _Columns:
    """Which columns serve what; None where there is none."""

    picture: str | None
    file: str | None
    label: str | None
    split: str | None
    group: str | None
    id: str | None
    licence: str | None
    landmarks: str | None


def _lacks(path: Path) -> str | None:
    files = _tables(path)
    if not files:
        return "is no table" if path.is_file() else "holds neither Parquet shards nor a table that labels its pictures"
    if files[0].suffix.lower() == ".parquet" and is_our_manifest(parquet_schema(files[0])):
        return "is one of our manifests"
    columns = _columns(files[0])
    if columns.picture is None and columns.file is None:
        return f"{files[0].name} has no column with pictures or their file names"
    return None


def _tables(path: Path) -> list[Path]:
    """Return the table itself, the Parquet shards of a folder without loose pictures (a downloaded data set), or the
    one table beside a folder's pictures.
    """
    if path.is_file():
        return [path] if path.suffix.lower() in TABLE_SUFFIXES else []
    pictures = list_pictures(path)
    if pictures:
        return _table_beside(path, pictures)
    return sorted(shard for shard in path.rglob("*.parquet") if not is_output_folder(shard.parent.parent))


def _table_beside(path: Path, pictures: Sequence[PurePosixPath]) -> list[Path]:
    """Return the only table at the top of a folder when it tells labels of pictures there that no folder tells.

    One that our export wrote beside its class folders knows more than they do: people and licences.
    """
    tables = [
        entry
        for entry in path.iterdir()
        if entry.suffix.lower() in TABLE_SUFFIXES and not entry.name.lower().startswith((".", "label_map"))
    ]
    if len(tables) != 1 or find_metadata(path):
        return []
    user_map = read_label_map(path)
    told = any(map_label(class_folder(picture), {}, user_map) for picture in pictures)
    try:
        columns = _columns(tables[0])
        if columns.file is None or columns.label is None or (told and columns.id != _OUR_ID):
            return []
        names = read_table(tables[0], [columns.file], rows=_LOOKED_AT)[columns.file]
    except DatasetError:
        return []  # some other table that lies beside the pictures
    present = set(pictures)
    return tables if any(inside(cell(name) or "") in present for name in names) else []


def _columns(path: Path) -> _Columns:
    if path.suffix.lower() == ".parquet":
        schema = parquet_schema(path)
        names, pictures = list(schema.names), picture_columns(schema)
    else:
        names, pictures = [str(name) for name in read_table(path, rows=20).columns], []
    picture = pictures[0] if pictures else None
    file = column([name for name in names if name not in pictures], "file")
    found = {purpose: column(names, purpose) for purpose in _PURPOSES}
    landmarks = next((name for name in names if name.lower() == "landmarks"), None)
    return _Columns(picture, file, landmarks=landmarks, **found)


def _read(path: Path) -> Dataset:
    findings = Findings()
    name = path.stem if path.is_file() else path.resolve().name
    folder = path.parent if path.is_file() else path
    user_map = read_label_map(folder)
    sources: dict[str, Source] = {}
    contents: dict[str, list[str]] = {}
    has_splits = False
    for file in _tables(path):
        columns = _columns(file)
        if columns.picture is None and columns.file is None:
            raise DatasetError(f"{file} has no column with pictures or their file names.")
        has_splits = has_splits or columns.split is not None or _file_split(file) is not None
        for source in _rows(file, name, columns, user_map, findings):
            source = _distinct(source, contents.setdefault(source.source_id, []), findings)
            if source is not None:
                sources[source.source_id] = source
    held = sum(len(source.data or b"") for source in sources.values())
    if held > LARGE_BYTES:
        findings.add(f"the embedded pictures take {held / 1024**3:.1f} GiB of memory")
    licences = {source.licence for source in sources.values()}
    licence = next(iter(licences)) if len(licences) == 1 else None
    return build_dataset(name, sources.values(), findings, path, licence=licence, has_splits=has_splits)


def _rows(
    file: Path, dataset: str, columns: _Columns, user_map: Mapping[str, str] | None, findings: Findings
) -> Iterator[Source]:
    wanted = [name for name in dict.fromkeys(vars(columns).values()) if name is not None]
    frame = _usable(read_table(file, [*wanted, *_judged_columns(file)]), findings)
    numbers = _label_numbers(file, frame, columns, findings)
    for number, row in enumerate(frame[wanted].to_dict("records")):
        values = {purpose: cell(row[name]) if (name := getattr(columns, purpose)) else None for purpose in _PURPOSES}
        text = cell(row[columns.file]) if columns.file else picture_path(row[columns.picture])
        data = picture_bytes(row[columns.picture]) if columns.picture else None
        place = None if data is not None else _place(file, text, findings)
        if data is None and place is None:
            continue
        text = place.relative_to(file.parent).as_posix() if place else text
        source_id = values["id"] or text or f"{file.stem}#{number:06d}"
        split = _split(values["split"], file, findings, source_id)
        yield Source(
            dataset=dataset,
            source_id=source_id,
            path=place,
            source_path=text if place and text else f"{file.name}#{source_id}",
            split=split,
            group_id=values["group"] or source_id,
            label=map_label(values["label"], numbers, user_map),
            source_label=_raw_name(values["label"], numbers),
            licence=values["licence"],
            data=data,
            landmarks=_landmarks(row.get(columns.landmarks), data or place),
        )


def _judged_columns(file: Path) -> list[str]:
    """Return which of the columns ``kind`` and ``status`` a table has: rows of ours, whatever tool wrote them."""
    if file.suffix.lower() == ".parquet":
        names = list(parquet_schema(file).names)
    else:
        names = [str(name) for name in read_table(file, rows=1).columns]
    return [name for name in _JUDGED if name in names]


def _usable(frame: Any, findings: Findings) -> Any:
    """Return the rows without edits and rejected variants, where the table tells of them in our words."""
    for name, (words, wanted) in _JUDGED.items():
        if name not in frame.columns:
            continue
        values = frame[name].map(cell)
        if len(values) and set(values) <= set(words):
            unwanted = ~values.isin(wanted)
            for value, count in values[unwanted].value_counts().items():
                findings.add(f"{count:,} rows of {name} {value} are no pictures to learn from and are left out")
            frame = frame[~unwanted]
    return frame


def _distinct(source: Source, known: list[str], findings: Findings) -> Source | None:
    """Return a source whose id is its own: the same picture again falls away, another one gets ``id#2``."""
    content = hashlib.sha256(source.data).hexdigest() if source.data is not None else str(source.path)
    if content in known:
        findings.add("{count} pictures occur twice, the first counts", source.source_id)
        return None
    known.append(content)
    if len(known) == 1:
        return source
    findings.add("{count} ids are shared by different pictures and were numbered", source.source_id)
    return replace(source, source_id=f"{source.source_id}#{len(known)}")


def _place(file: Path, text: str | None, findings: Findings) -> Path | None:
    name = inside(text or "")
    if text is None:
        findings.add("{count} rows have neither a picture nor a file name", file.name)
    elif name is None:
        findings.add(f"{{count}} names in {file.name} lead out of the folder and were refused", text)
    elif not (file.parent / name).is_file():
        findings.add(f"{{count}} pictures that {file.name} names are missing", text)
    else:
        return file.parent / name
    return None


def _split(text: str | None, file: Path, findings: Findings, source_id: str) -> str:
    split = canonical_split(text or "")
    if text is not None and split is None:
        findings.add("{count} splits are not train, validation or test and are kept as they are", f"{source_id} {text}")
        return text
    return split or _file_split(file) or "train"


def _file_split(file: Path) -> str | None:
    """Return the split that a shard's name or folder tells (``train-00000-of-00001.parquet``), else None."""
    return canonical_split(file.stem.split("-")[0]) or canonical_split(file.parent.name)


def _label_numbers(file: Path, frame: Any, columns: _Columns, findings: Findings) -> Mapping[str, str]:
    """Return what numeric labels mean, as far as that is known."""
    if columns.label is None:
        return {}
    if file.suffix.lower() == ".parquet":
        names = label_names(parquet_schema(file), columns.label)
        if names:
            return names
    seen = {cell(value) for value in frame[columns.label]} - {None}
    if "7" in seen and seen <= set(RAF_NUMBERS):
        findings.add(f"the labels of {file.name} are 1..7: taken as RAF-DB's order, 1 surprise to 7 neutral")
        return RAF_NUMBERS
    return {}


def _raw_name(raw: str | None, numbers: Mapping[str, str]) -> str | None:
    """Return the raw label, by its name where a ClassLabel gives one that is none of the seven."""
    name = numbers.get(raw or "")
    return name if name is not None and map_label(name, {}) is None else raw


def _landmarks(value: Any, picture: bytes | Path | None) -> np.ndarray | None:
    """Return float32 (K, 2) in pixels of the picture from flat or paired values in pixels or in 0..1."""
    try:
        points = np.asarray(value, np.float32)
    except (TypeError, ValueError):
        return None
    if points.size < 4 or points.size % 2 or not np.isfinite(points).all():
        return None
    points = points.reshape(-1, 2)
    if np.abs(points).max() > 2.0:
        return points
    try:
        return points * np.asarray(picture_size(picture or b""), np.float32)
    except PictureError:
        return None


READER = Reader("index", _lacks, _read, named=False)
