"""Tables and lists that lie beside pictures and tell their labels, splits or people.

A table is used where its rows name pictures that are there. What cannot be read, or names none of them, is told. Two
tables that label the same picture differently are both left alone.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from singanimation.pipeline.datasets.dataset import Findings
from singanimation.pipeline.datasets.files import inside, is_output_folder, read_text, subfolders
from singanimation.pipeline.datasets.labels import folder_emotion, label_meaning, map_label
from singanimation.pipeline.datasets.picture_names import PictureNames
from singanimation.pipeline.datasets.splits import canonical_split, plain_split
from singanimation.pipeline.datasets.tables import (
    PARQUET_SUFFIXES,
    TABLE_SUFFIXES,
    cell,
    column,
    column_of,
    plain_name,
    read_table,
)
from singanimation.pipeline.errors import DatasetError
from singanimation.pipeline.files.regular import is_regular
from singanimation.pipeline.openface import form_of, looks_like_units

if TYPE_CHECKING:
    import pandas as pd

_LISTS = (".txt", ".lst", ".list")
_UNREAD = (".xlsx", ".xls", ".ods", ".mat", ".pkl", ".xml", ".db", ".sqlite")
_TABLES = (*TABLE_SUFFIXES, *_LISTS, *_UNREAD, ".json")
_MOST_IN_A_FOLDER = 20
_MOST_BYTES, _MOST_LIST_BYTES = 1 << 30, 1 << 26
_FEWEST_NAMED = 0.5
_EMOTION_COLUMNS = 4
_LABEL_FILE = re.compile(r"label|annot|metadata|emotion|expression|legend|train|test|val", re.IGNORECASE)
_VERDICTS = re.compile(r"predict|(?:^|[^a-z])preds?(?:[^a-z]|$)|result|submission|output|scores?$", re.IGNORECASE)


@dataclass(frozen=True)
class Told:
    """What a table tells of a picture; None where it says nothing. ``raw`` is the label as it stands there."""

    table: str
    label: str | None = None
    raw: str | None = None
    split: str | None = None
    group: str | None = None
    licence: str | None = None


Tells = dict[PurePosixPath, Told]


def read_side_tables(
    root: Path, pictures: Sequence[PurePosixPath], user_map: Mapping[str, str] | None, findings: Findings
) -> Tells:
    """Return picture -> what the tables and lists near it tell, empty where there are none."""
    find = PictureNames(pictures)
    read: dict[str, Tells] = {}
    for file in _candidates(root):
        name = file.relative_to(root).as_posix()
        try:
            told = _told(file, root, find, user_map, findings)
        except DatasetError as error:
            if file.suffix.lower() == ".json" and not _LABEL_FILE.search(file.stem):
                continue  # settings of some tool
            findings.add(f"{str(error).replace(str(file), name).rstrip('.')}; it is not used")
            continue
        if told:
            read[name] = told
    return _merged(read, findings)


def _candidates(root: Path) -> Iterator[Path]:
    """Yield what may be a table in ``root`` and two levels below; folders full of tables hold something else."""
    first = subfolders(root)
    for folder in (root, *first, *(inner for outer in first for inner in subfolders(outer))):
        if folder != root and (is_output_folder(folder) or is_output_folder(folder.parent)):
            continue
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if entry.name.lower().endswith(_TABLES))
        found = [
            entry
            for name in names
            if not name.lower().startswith((".", "label_map", "readme", "license", "licence"))
            and (entry := folder / name).suffix.lower() in _TABLES
            and is_regular(entry)
            and entry.stat().st_size <= (_MOST_LIST_BYTES if entry.suffix.lower() in _LISTS else _MOST_BYTES)
        ]
        if len(found) <= _MOST_IN_A_FOLDER:
            yield from found


def _told(
    file: Path, root: Path, find: "PictureNames", user_map: Mapping[str, str] | None, findings: Findings
) -> Tells | None:
    if file.suffix.lower() in _UNREAD:
        if _LABEL_FILE.search(file.stem):
            findings.add(
                "{count} files may hold labels and are of a kind that is not read: save them as CSV", file.name
            )
        return None
    if file.suffix.lower() in _LISTS:
        return _from_list(file, root, find, user_map, findings)
    if file.suffix.lower() in PARQUET_SUFFIXES and _embeds_pictures(file):
        findings.add("{count} Parquet files hold pictures of their own and are not read with the others", file.name)
        return None
    frame = read_table(file)
    if form_of(list(frame.columns)) or looks_like_units(list(frame.columns)):
        return None  # a tool's measurements; its emotions are verdicts, no labels
    if _VERDICTS.search(file.stem):
        findings.add("{count} tables look like a classifier's verdicts and are not used as labels", file.name)
        return None
    names = column_of(frame, "file") if len(frame.columns) > 1 or plain_split(file.stem) else None
    columns = {purpose: column(list(frame.columns), purpose) for purpose in ("split", "group", "licence")}
    label = column_of(frame, "label")
    label = None if label == names else label
    hot = _emotion_columns(frame) if label is None else {}
    if names is None:
        if file.stem.lower() == "metadata":
            findings.add("{count} tables name no pictures and are not used", f"{file.name} (no column file_name)")
        return None
    if label is None and not hot and not any(columns.values()) and plain_split(file.stem) is None:
        return None
    meaning = label_meaning(file, frame, label, user_map, findings)
    told: Tells = {}
    missing: list[str] = []
    for row in frame.to_dict("records"):
        text = cell(row[names])
        picture = find(text, file.parent.relative_to(root))
        if picture is None:
            missing.append(text or "")
        elif picture in told:
            findings.add(f"{{count}} names occur twice in {file.name}, the first counts", str(picture))
        else:
            known, raw = meaning(cell(row[label])) if label else (_hottest(row, hot),) * 2
            values = {purpose: cell(row[name]) if name else None for purpose, name in columns.items()}
            split = _split(values.pop("split"), file, findings)
            told[picture] = Told(file.name, known, raw, split, **values)
            if raw is None and (label or hot):
                findings.add(f"{{count}} pictures have no label in {file.name}", str(picture))
    _tell_missing(file, told, missing, findings)
    return told


def _split(text: str | None, file: Path, findings: Findings) -> str | None:
    if text is None:
        return plain_split(file.stem)
    split = canonical_split(text)
    if split is None:
        findings.add("{count} splits are not train, validation or test and are kept as they are", text)
    return split or text


def _tell_missing(file: Path, told: Tells, missing: Sequence[str], findings: Findings) -> None:
    if told and missing:
        refused = [name for name in missing if inside(name) is None]
        if refused:
            findings.add(f"{{count}} names in {file.name} lead out of the folder and were refused", *refused)
        findings.add(f"{{count}} pictures that {file.name} names are missing", *(set(missing) - set(refused)))
    elif missing and _LABEL_FILE.search(file.stem):
        findings.add("{count} tables name none of the pictures here and are not used", file.name)


def _emotion_columns(frame: "pd.DataFrame") -> dict[str, str]:
    """Return column -> emotion for tables with a column for each emotion (0 and 1, votes, or shares)."""
    found = {name: emotion for name in frame.columns if (emotion := folder_emotion(plain_name(str(name))))}
    return found if len(set(found.values())) >= _EMOTION_COLUMNS else {}


def _hottest(row: Mapping[str, object], columns: Mapping[str, str]) -> str | None:
    """Return the emotion whose column has the largest number, None where none or several have it."""
    values: dict[str, float] = {}
    for name, emotion in columns.items():
        try:
            values[emotion] = float(cell(row[name]) or 0)
        except ValueError:
            return None
    most = max(values.values(), default=0.0)
    winners = [emotion for emotion, value in values.items() if value == most]
    return winners[0] if most > 0 and len(winners) == 1 else None


def _embeds_pictures(file: Path) -> bool:
    from singanimation.pipeline.datasets.readers.parquet import parquet_schema, picture_columns

    return bool(picture_columns(parquet_schema(file)))


def _from_list(
    file: Path, root: Path, find: "PictureNames", user_map: Mapping[str, str] | None, findings: Findings
) -> Tells | None:
    """Read a list of names, one a line, with a label behind each or without: ``train.txt``, ``labels.txt``."""
    lines = [line.strip() for line in read_text(file).splitlines() if line.strip()]
    pairs = [_pair(line) for line in lines]
    found = [(find(name, file.parent.relative_to(root)), name, raw) for name, raw in pairs]
    named = [(picture, raw) for picture, _, raw in found if picture is not None]
    if not named or len(named) < _FEWEST_NAMED * len(lines):
        return None
    split = plain_split(file.stem)
    told = {picture: Told(file.name, map_label(raw, {}, user_map), raw, split) for picture, raw in named}
    _tell_missing(file, told, [name for picture, name, _ in found if picture is None], findings)
    return told if split or any(raw for _, raw in named) else None


def _pair(line: str) -> tuple[str, str | None]:
    """Split ``happy/a b.jpg, 3`` into its name and its label, if it has one."""
    for mark in (",", ";", "\t", " "):
        name, _, raw = line.rpartition(mark)
        if name and re.search(r"\.\w{2,5}\"?$", name.strip()):
            return name.strip().strip('"'), raw.strip().strip('"')
    return line.strip('"'), None


def _merged(read: Mapping[str, Tells], findings: Findings) -> Tells:
    """Put several tables together; the labels of those that contradict each other are left out."""
    merged: Tells = {}
    contradicting: set[str] = set()
    differing: list[str] = []
    for told in read.values():
        for picture, new in told.items():
            old = merged.get(picture)
            if old is not None and old.label and new.label and old.label != new.label:
                differing.append(str(picture))
                contradicting |= {old.table, new.table}
            merged[picture] = new if old is None else _joined(old, new)
    if not contradicting:
        return merged
    findings.add(
        f"{' and '.join(sorted(contradicting))} label {{count}} pictures differently, so none of them is used: "
        "leave the right one in the folder",
        *differing,
    )
    return {picture: told for picture, told in merged.items() if told.table not in contradicting}


def _joined(old: Told, new: Told) -> Told:
    values = {
        name: getattr(old, name) if getattr(old, name) is not None else getattr(new, name)
        for name in ("label", "raw", "split", "group", "licence")
    }
    return replace(old, **values)
