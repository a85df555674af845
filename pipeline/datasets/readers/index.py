"""A Parquet, CSV, TSV or JSON-lines index: pictures embedded, or named relative to the index's folder.

Columns go by their usual names (``tables.ALIASES``). Numeric labels need names: a ``datasets`` ClassLabel, a
``label_map.csv`` beside the index, or RAF-DB's 1..7. Landmarks are flat or (K, 2), in pixels or 0..1. Embedded
pictures are kept in memory.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from singanimation.pipeline.datasets.dataset import Dataset, Findings, Reader, build_dataset
from singanimation.pipeline.datasets.files import inside, is_output_folder, list_pictures
from singanimation.pipeline.datasets.labels import canonical_split, label_meaning, map_label, read_label_map
from singanimation.pipeline.datasets.metadata import find_metadata
from singanimation.pipeline.datasets.readers.parquet import (
    LARGE_BYTES,
    class_label_column,
    is_our_manifest,
    parquet_schema,
    picture_columns,
    picture_path,
    pictures_bytes,
)
from singanimation.pipeline.datasets.splits import UNCLEAR, FolderSplits, held_out_first, partitions, plain_split
from singanimation.pipeline.datasets.tables import (
    PARQUET_SUFFIXES,
    TABLE_SUFFIXES,
    cell,
    column,
    column_of,
    header_of,
    read_table,
)
from singanimation.pipeline.errors import DatasetError, PictureError
from singanimation.pipeline.files.pictures import picture_size
from singanimation.pipeline.files.regular import is_regular
from singanimation.pipeline.records import KINDS, STATUSES, InFolder, Source

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
    if files[0].suffix.lower() in PARQUET_SUFFIXES and is_our_manifest(parquet_schema(files[0])):
        return "is one of our manifests"
    columns = _columns(files[0])
    if columns.picture is None and columns.file is None:
        return f"{files[0].name} has no column with pictures or their file names"
    return None


def _tables(path: Path) -> list[Path]:
    """Return the table itself, the Parquet shards of a folder without loose pictures (a downloaded data set), or the
    table that our export wrote beside its class folders.
    """
    if path.is_file():
        return [path] if path.suffix.lower() in TABLE_SUFFIXES else []
    pictures = list_pictures(path)
    if pictures:
        return _our_export(path)
    shards = [shard for shard in path.rglob("*") if shard.suffix.lower() in PARQUET_SUFFIXES and is_regular(shard)]
    return sorted(shard for shard in shards if not is_output_folder(shard.parent.parent) and shard.name[0] not in "._")


def _our_export(path: Path) -> list[Path]:
    """Return the only table at the top of a folder when it is our export's: it knows people and licences too."""
    tables = [entry for entry in path.iterdir() if entry.suffix.lower() in TABLE_SUFFIXES and is_regular(entry)]
    if len(tables) != 1 or tables[0].suffix.lower() in PARQUET_SUFFIXES or find_metadata(path):
        return []
    names = header_of(tables[0])
    ours = _OUR_ID in names and column(names, "file") is not None and column(names, "label") is not None
    return tables if ours else []


def _is_word(name: str) -> bool:
    return any(column([name], purpose) for purpose in ("label", "split", "group"))


def _columns(path: Path) -> _Columns:
    if path.suffix.lower() in PARQUET_SUFFIXES:
        schema = parquet_schema(path)
        names, pictures = list(schema.names), picture_columns(schema)
        file = column([name for name in names if name not in pictures], "file")
        # a label in bytes is no second picture
        others = [name for name in names if name not in pictures or name != pictures[0] and _is_word(name)]
        label = class_label_column(schema)
        if others and (label is None or file is None and not pictures):
            frame = read_table(path, others)
            file = file or (column_of(frame, "file") if not pictures else None)
            label = label or column_of(frame, "label")
    else:
        frame = read_table(path)
        names, pictures = [str(name) for name in frame.columns], []
        file, label = column_of(frame, "file"), column_of(frame, "label")
    picture = pictures[0] if pictures else None
    found = {purpose: column(names, purpose) for purpose in _PURPOSES if purpose != "label"}
    landmarks = next((name for name in names if name.lower() == "landmarks"), None)
    return _Columns(picture, file, landmarks=landmarks, label=label if label != file else None, **found)


def _read(path: Path) -> Dataset:
    findings = Findings()
    name = path.stem if path.is_file() else path.resolve().name
    folder = path.parent if path.is_file() else path
    user_map = read_label_map(folder)
    shards = _tables(path)
    folders = FolderSplits.of(folder, [_inside(file, folder) for file in shards])
    sentence = folders.sentence()
    if sentence:
        findings.add(sentence)
    stems = Counter(file.stem for file in shards)
    sources: dict[str, Source] = {}
    contents: dict[str, list[str]] = {}
    has_splits = False
    for file in shards:
        columns = _columns(file)
        if columns.picture is None and columns.file is None:
            raise DatasetError(f"{file} has no column with pictures or their file names.")
        about = _about(_inside(file, folder), folders, alone=stems[file.stem] == 1)
        has_splits = has_splits or columns.split is not None or about.split is not None
        for source in _rows(file, name, columns, about, user_map, findings):
            source = _distinct(source, sources, contents, findings)
            if source is not None:
                sources[source.source_id] = source
    held = sum(len(source.data or b"") for source in sources.values())
    if held > LARGE_BYTES:
        findings.add(f"the embedded pictures take {held / 1024**3:.1f} GiB of memory")
    licences = {source.licence for source in sources.values()}
    licence = next(iter(licences)) if len(licences) == 1 else None
    return build_dataset(name, sources.values(), findings, path, licence=licence, has_splits=has_splits)


@dataclass(frozen=True)
class _About:
    """What a table's own path tells of all its rows: split, label, person, and the ``name`` that their ids begin with."""

    split: str | None
    label: str | None
    group: str | None
    name: str


def _inside(file: Path, folder: Path) -> PurePosixPath:
    return PurePosixPath(file.relative_to(folder).as_posix())


def _about(file: PurePosixPath, folders: FolderSplits, alone: bool) -> _About:
    """Read the folders on a shard's way (``split=test/label=fear``) and its name (``train-00000-of-00001``)."""
    columns = partitions(file)
    found = {purpose: columns.get(column(list(columns), purpose) or "") for purpose in ("split", "label", "group")}
    by_column = found["split"]
    parted = (canonical_split(by_column) or by_column) if by_column else None
    stem = re.split(r"-\d{3,}", file.stem)[0]
    named = canonical_split(stem) or plain_split(stem)
    split = held_out_first(parted, named, folders(file)) or parted or (folders(file) == UNCLEAR and UNCLEAR) or None
    return _About(split, found["label"], found["group"], file.stem if alone else str(file.with_suffix("")))


def _rows(
    file: Path,
    dataset: str,
    columns: _Columns,
    about: _About,
    user_map: Mapping[str, str] | None,
    findings: Findings,
) -> Iterator[Source]:
    wanted = [name for name in dict.fromkeys(vars(columns).values()) if name is not None]
    frame = _usable(file, read_table(file, [*wanted, *_judged_columns(file)]), findings)
    meaning = label_meaning(file, frame, columns.label, user_map, findings)
    shared = InFolder(file.parent)
    rows = (dict(zip(wanted, each, strict=True)) for each in zip(*(frame[name] for name in wanted), strict=True))
    for number, row in enumerate(rows):
        values = {purpose: cell(row[name]) if (name := getattr(columns, purpose)) else None for purpose in _PURPOSES}
        text = cell(row[columns.file]) if columns.file else picture_path(row[columns.picture])
        pictures: list[bytes | None] = list(pictures_bytes(row[columns.picture])) if columns.picture else []
        place = None if pictures else _place(file, text, findings)
        if not pictures and place is None:
            continue
        text = place or text
        row_id = values["id"] or text or f"{about.name}#{number:06d}"
        label, raw = meaning(values["label"])
        if columns.label is None and about.label is not None:
            label, raw = map_label(about.label, {}, user_map), about.label
        for index, data in enumerate(pictures or [None]):
            source_id = row_id if index == 0 else f"{row_id}/{index + 1}"
            yield Source(
                dataset=dataset,
                source_id=source_id,
                path=shared if place else None,
                source_path=text if place and text else f"{file.name}#{source_id}",
                split=_split(values["split"], about.split, findings, source_id),
                group_id=values["group"] or about.group or row_id,
                label=label,
                source_label=raw,
                licence=values["licence"],
                data=data,
                landmarks=_landmarks(row.get(columns.landmarks), data or (file.parent / place if place else None)),
            )


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


def _distinct(
    source: Source, sources: Mapping[str, Source], contents: dict[str, list[str]], findings: Findings
) -> Source | None:
    """Return a source whose id is its own: the same picture again falls away, another one gets ``id#2``.

    ``contents`` holds what the pictures of repeated ids are, by id.
    """
    first = sources.get(source.source_id)
    if first is None:
        return source
    known = contents.setdefault(source.source_id, [_content(first)])
    content = _content(source)
    if content in known:
        findings.add("{count} pictures occur twice, the first counts", source.source_id)
        return None
    known.append(content)
    findings.add("{count} ids are shared by different pictures and were numbered", source.source_id)
    new = f"{source.source_id}#{len(known)}"
    # a picture that is nobody's known is a group of its own, whatever its name
    return replace(source, source_id=new, group_id=new if source.group_id == source.source_id else source.group_id)


def _content(source: Source) -> str:
    return hashlib.sha256(source.data).hexdigest() if source.data is not None else str(source.path)


def _place(file: Path, text: str | None, findings: Findings) -> str | None:
    """Return the name of a picture beside the table, POSIX; None where there is none, which is noted."""
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
