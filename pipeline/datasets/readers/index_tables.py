"""Which tables an index is made of, which of their columns serve what, and what their paths tell."""

import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from singanimation.pipeline.datasets.files import files_ending, is_output_folder, list_pictures
from singanimation.pipeline.datasets.metadata import find_metadata
from singanimation.pipeline.datasets.readers.parquet import class_label_column, parquet_schema, picture_columns
from singanimation.pipeline.datasets.splits import (
    UNCLEAR,
    FolderSplits,
    canonical_split,
    held_out_first,
    partitions,
    plain_split,
)
from singanimation.pipeline.datasets.tables import (
    PARQUET_SUFFIXES,
    TABLE_SUFFIXES,
    column,
    column_of,
    header_of,
    read_table,
)
from singanimation.pipeline.files.regular import is_regular

_OUR_ID = "variant_id"


PURPOSES = ("label", "split", "group", "id", "licence")

_LOOKED_AT = 100  # rows that say what a text table's columns hold


@dataclass(frozen=True)
class Columns:
    """Which columns serve what; None where there is none."""

    picture: str | None
    file: str | None
    label: str | None
    split: str | None
    group: str | None
    id: str | None
    licence: str | None
    landmarks: str | None


def find_tables(path: Path) -> list[Path]:
    """Return the table itself, the Parquet shards of a folder without loose pictures (a downloaded data set), or the
    table that our export wrote beside its class folders.
    """
    if path.is_file():
        return [path] if path.suffix.lower() in TABLE_SUFFIXES else []
    pictures = list_pictures(path)
    if pictures:
        return _our_export(path)
    shards = [shard for shard in files_ending(path, PARQUET_SUFFIXES) if is_regular(shard)]
    return sorted(shard for shard in shards if not is_output_folder(shard.parent.parent) and shard.name[0] not in "._")


def _our_export(path: Path) -> list[Path]:
    """Return the only table at the top of a folder when it is our export's: it knows people and licences too."""
    with os.scandir(path) as entries:
        names = [entry.name for entry in entries if entry.name.lower().endswith(TABLE_SUFFIXES)]
    tables = [entry for name in names if is_regular(entry := path / name)]
    if len(tables) != 1 or tables[0].suffix.lower() in PARQUET_SUFFIXES or find_metadata(path):
        return []
    names = header_of(tables[0])
    ours = _OUR_ID in names and column(names, "file") is not None and column(names, "label") is not None
    return tables if ours else []


def _is_word(name: str) -> bool:
    return any(column([name], purpose) for purpose in ("label", "split", "group"))


def columns_of(path: Path) -> Columns:
    """Return which columns of a table serve what. Raises DatasetError for a table that cannot be read."""
    if path.suffix.lower() in PARQUET_SUFFIXES:
        from pyarrow.types import is_nested

        schema = parquet_schema(path)
        names, pictures = list(schema.names), picture_columns(schema)
        file = column([name for name in names if name not in pictures], "file")
        # a label in bytes is no second picture
        others = [name for name in names if name not in pictures or name != pictures[0] and _is_word(name)]
        others = [name for name in others if not is_nested(schema.field(name).type)]
        label = class_label_column(schema)
        if others and (label is None or file is None and not pictures):
            frame = read_table(path, others)
            file = file or (column_of(frame, "file") if not pictures else None)
            label = label or column_of(frame, "label")
    else:
        frame = read_table(path, rows=_LOOKED_AT)
        names, pictures = [str(name) for name in frame.columns], []
        file, label = column_of(frame, "file"), column_of(frame, "label")
    picture = pictures[0] if pictures else None
    found = {purpose: column(names, purpose) for purpose in PURPOSES if purpose != "label"}
    landmarks = next((name for name in names if name.lower() == "landmarks"), None)
    return Columns(picture, file, landmarks=landmarks, label=label if label != file else None, **found)


@dataclass(frozen=True)
class About:
    """What a table's own path tells of all its rows: split, label, person; ``name`` is what their ids begin with."""

    split: str | None
    label: str | None
    group: str | None
    name: str


def inside_folder(file: Path, folder: Path) -> PurePosixPath:
    """Return a table's path relative to the input, POSIX."""
    return PurePosixPath(file.relative_to(folder).as_posix())


def about(file: PurePosixPath, folders: FolderSplits, alone: bool) -> About:
    """Read the folders on a shard's way (``split=test/label=fear``) and its name (``train-00000-of-00001``)."""
    columns = partitions(file)
    found = {purpose: columns.get(column(list(columns), purpose) or "") for purpose in ("split", "label", "group")}
    by_column = found["split"]
    parted = (canonical_split(by_column) or by_column) if by_column else None
    stem = re.split(r"-\d{3,}", file.stem)[0]
    named = canonical_split(stem) or plain_split(stem)
    split = held_out_first(parted, named, folders(file)) or parted or (folders(file) == UNCLEAR and UNCLEAR) or None
    return About(split, found["label"], found["group"], file.stem if alone else str(file.with_suffix("")))
