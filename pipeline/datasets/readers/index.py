"""A Parquet, CSV, TSV or JSON-lines index: pictures embedded, or named relative to the index's folder.

Columns go by their usual names (``tables.ALIASES``). Numeric labels need names: a ``datasets`` ClassLabel, a
``label_map.csv`` beside the index, or RAF-DB's 1..7. Landmarks are flat or (K, 2), in pixels or 0..1. Embedded
pictures are kept in memory.
"""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache, partial
from pathlib import Path, PurePosixPath
from typing import Any, cast

import numpy as np

from singanimation.pipeline.datasets.dataset import Dataset, Findings, Reader, build_dataset
from singanimation.pipeline.datasets.distinct import distinct_ones
from singanimation.pipeline.datasets.files import inside, is_plain
from singanimation.pipeline.datasets.folders import class_folder
from singanimation.pipeline.datasets.labels import canonical_split, label_meaning, map_label, read_label_map
from singanimation.pipeline.datasets.readers.index_tables import (
    PURPOSES,
    About,
    Columns,
    about,
    columns_of,
    find_tables,
    inside_folder,
)
from singanimation.pipeline.datasets.readers.parquet import (
    LARGE_BYTES,
    is_our_manifest,
    parquet_schema,
    picture_path,
    pictures_bytes,
)
from singanimation.pipeline.datasets.splits import FolderSplits, held_out_first
from singanimation.pipeline.datasets.tables import (
    PARQUET_SUFFIXES,
    cell,
    read_table,
)
from singanimation.pipeline.errors import DatasetError, PictureError
from singanimation.pipeline.files.pictures import picture_size
from singanimation.pipeline.records import KINDS, STATUSES, InFolder, Source

_MOST_FOLDERS = 4096
_JUDGED = {"kind": (KINDS, ("real", "variant")), "status": (STATUSES, ("accepted",))}


def _lacks(path: Path) -> str | None:
    files = find_tables(path)
    if not files:
        return "is no table" if path.is_file() else "holds neither Parquet shards nor a table that labels its pictures"
    if files[0].suffix.lower() in PARQUET_SUFFIXES and is_our_manifest(parquet_schema(files[0])):
        return "is one of our manifests"
    columns = columns_of(files[0])
    if columns.picture is None and columns.file is None:
        return f"{files[0].name} has no column with pictures or their file names"
    return None


def _read(path: Path) -> Dataset:
    findings = Findings()
    name = path.stem if path.is_file() else path.resolve().name
    folder = path.parent if path.is_file() else path
    user_map = read_label_map(folder)
    shards = find_tables(path)
    folders = FolderSplits.of(folder, [inside_folder(file, folder) for file in shards])
    sentence = folders.sentence()
    if sentence:
        findings.add(sentence)
    stems = Counter(file.stem for file in shards)
    rows: list[Source] = []
    has_splits = False
    for file in shards:
        columns = columns_of(file)
        if columns.picture is None and columns.file is None:
            raise DatasetError(f"{file} has no column with pictures or their file names.")
        path_tells = about(inside_folder(file, folder), folders, alone=stems[file.stem] == 1)
        has_splits = has_splits or columns.split is not None or path_tells.split is not None
        rows += _rows(file, name, columns, path_tells, user_map, findings)
    sources = distinct_ones(rows, findings)
    has_splits = has_splits or any(source.split != "train" for source in sources)
    held = sum(len(source.data) for source in sources if source.data is not None)
    if held > LARGE_BYTES:
        findings.add(f"the embedded pictures take {held / 1024**3:.1f} GiB of memory")
    licences = {source.licence for source in sources}
    licence = next(iter(licences)) if len(licences) == 1 else None
    return build_dataset(name, sources, findings, path, licence=licence, has_splits=has_splits)


def _rows(
    file: Path,
    dataset: str,
    columns: Columns,
    path_tells: About,
    user_map: Mapping[str, str] | None,
    findings: Findings,
) -> Iterator[Source]:
    wanted = [name for name in dict.fromkeys(vars(columns).values()) if name is not None]
    frame = _usable(file, read_table(file, [*wanted, *_judged_columns(file)]), findings)
    meaning = label_meaning(file, frame, columns.label, user_map, findings)
    shared = cast(Path, InFolder(file.parent))  # Source.path keeps it as it is, and reads as a Path
    rows = (dict(zip(wanted, each, strict=True)) for each in zip(*(frame[name] for name in wanted), strict=True))
    column_of_ways = columns.file or columns.picture
    ways = FolderSplits.of(file.parent, _ways(frame[column_of_ways])) if column_of_ways else None
    if ways is not None and (sentence := ways.sentence()):
        findings.add(sentence)
    labels: dict[str | None, tuple[str | None, str | None]] = {}  # few, however many rows
    told_by_folder = lru_cache(maxsize=1024)(partial(_told_by_folder, ways, path_tells.split, user_map))
    for number, row in enumerate(rows):
        values = {purpose: cell(row[name]) if (name := getattr(columns, purpose)) else None for purpose in PURPOSES}
        text = cell(row[columns.file]) if columns.file else picture_path(row[columns.picture])
        pictures: list[bytes | None] = list(pictures_bytes(row[columns.picture])) if columns.picture else []
        place = None if pictures else _place(file, text, findings)
        if not pictures and place is None:
            continue
        text = place or text
        row_id = values["id"] or text or f"{path_tells.name}#{number:06d}"
        label, raw = labels.get(values["label"]) or labels.setdefault(values["label"], meaning(values["label"]))
        if columns.label is None and path_tells.label is not None:
            label, raw = map_label(path_tells.label, {}, user_map), path_tells.label
        told, by_folder, folder = told_by_folder((text or "").rpartition("/")[0])
        if raw is None and by_folder is not None:
            label, raw = by_folder, folder
        for index, data in enumerate(pictures or [None]):
            source_id = row_id if index == 0 else f"{row_id}/{index + 1}"
            yield Source(
                dataset=dataset,
                source_id=source_id,
                path=shared if place else None,
                source_path=text if place and text else f"{file.name}#{source_id}",
                split=_split(values["split"], told, findings, source_id),
                group_id=values["group"] or path_tells.group or row_id,
                label=label,
                source_label=raw,
                licence=values["licence"],
                data=data,
                landmarks=_landmarks(row.get(columns.landmarks), data or (file.parent / place if place else None)),
            )


def _told_by_folder(
    ways: FolderSplits | None, shard: str | None, user_map: Mapping[str, str] | None, folder: str
) -> tuple[str | None, str | None, str | None]:
    """Return what the folder of a picture tells: split (with what its ``shard`` tells), label, and the label's name."""
    way = PurePosixPath(folder, "picture")
    by_way = ways(way) if ways else None
    named = class_folder(way)
    return held_out_first(shard, by_way) or by_way or shard, map_label(named, {}, user_map), named


def _way(value: Any) -> PurePosixPath:
    """Return the path that a cell of names or of pictures with paths holds; an empty one where it is none."""
    text = picture_path(value) if isinstance(value, dict) else cell(value) if isinstance(value, str) else None
    return inside(text or "") or PurePosixPath()


def _ways(values: Iterable[Any]) -> Iterator[PurePosixPath]:
    """Yield the paths in a column, plain names of one folder once: their folders are what is asked for."""
    met: set[str] = set()
    for value in values:
        folder = value.rpartition("/")[0] if isinstance(value, str) and "\\" not in value else None
        if folder is None or folder not in met:
            if folder is not None and len(met) < _MOST_FOLDERS:
                met.add(folder)
            yield _way(value)


def _judged_columns(file: Path) -> list[str]:
    """Return which of the columns ``kind`` and ``status`` a table has: rows of ours, whatever tool wrote them."""
    if file.suffix.lower() in PARQUET_SUFFIXES:
        names = list(parquet_schema(file).names)
    else:
        names = [str(name) for name in read_table(file, rows=1).columns]
    return [name for name in _JUDGED if name in names]


def _usable(file: Path, frame: Any, findings: Findings) -> Any:
    """Return the rows without edits and rejected variants, where the table tells of them in our words."""
    for name, (words, wanted) in _JUDGED.items():
        if name not in frame.columns:
            continue
        values = [cell(value) for value in frame[name]]
        if values and set(values) <= set(words):
            kept = [value in wanted for value in values]
            unwanted = [str(value) for value, keep in zip(values, kept, strict=True) if not keep]
            for value in sorted(set(unwanted)):
                findings.add(f"{{count}} rows of {name} {value} are left out", *[file.name] * unwanted.count(value))
            frame = frame[kept]
    return frame


def _place(file: Path, text: str | None, findings: Findings) -> str | None:
    """Return the name of a picture beside the table, POSIX; None where there is none, which is noted."""
    # nearly always, and of millions: a Path each would take as long as all the rest
    if text is not None and is_plain(text) and os.path.isfile(f"{file.parent}/{text}"):  # noqa: PTH113
        return text
    name = inside(text or "")
    if text is None:
        findings.add("{count} rows have neither a picture nor a file name", file.name)
    elif name is None:
        findings.add(f"{{count}} names in {file.name} lead out of the folder and were refused", text)
    elif not (file.parent / name).is_file():
        findings.add(f"{{count}} pictures that {file.name} names are missing", text)
    else:
        plain = name.as_posix()
        return text if plain == text else plain  # the table's own string, where it is the same
    return None


def _split(text: str | None, about: str | None, findings: Findings, source_id: str) -> str:
    """Return a row's split: its own column's and its file's together, the more held-out of them."""
    split = canonical_split(text or "")
    if text is not None and split is None:
        findings.add("{count} splits are not train, validation or test and are kept as they are", f"{source_id} {text}")
        return text
    return held_out_first(split, about) or split or about or "train"


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
