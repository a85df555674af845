"""Pictures in folders as sources: class and split folders, partition folders, and the tables beside them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import cast

from singanimation.pipeline.datasets.dataset import Findings
from singanimation.pipeline.datasets.files import list_pictures
from singanimation.pipeline.datasets.labels import folder_emotion, map_label, read_label_map
from singanimation.pipeline.datasets.side_tables import Tells, Told, read_side_tables
from singanimation.pipeline.datasets.splits import (
    FolderSplits,
    canonical_split,
    file_name_splits,
    held_out_first,
    partitions,
    without_splits,
)
from singanimation.pipeline.datasets.tables import column
from singanimation.pipeline.files.regular import is_regular
from singanimation.pipeline.records import InFolder, Source

Classes = Mapping[tuple[str, ...], str]
"""The names of folders, outermost first -> the raw label of the pictures in the last one."""


@dataclass(frozen=True)
class Kind:
    """What a reader knows of all pictures of its set: its name and licence, whose a picture is, whether it is a crop,
    and its label and raw label where its name tells them.

    The functions are asked for each picture, relative to the set's folder.
    """

    name: str
    licence: str | None = None
    group: Callable[[PurePosixPath], str | None] = lambda picture: None
    is_crop: Callable[[PurePosixPath], bool] = lambda picture: False
    label_of: Callable[[PurePosixPath], tuple[str | None, str | None]] = lambda picture: (None, None)


def read_folders(root: Path, kind: Kind, findings: Findings) -> tuple[list[Source], bool]:
    """Return the pictures below ``root`` as sources, and whether anything told their splits.

    A label comes from a table beside the pictures, else from a folder: a partition (``label=fear``) or a class.
    Where both speak and differ, the table's is taken and the difference told.
    """
    pictures = list_pictures(root, findings)
    user_map = read_label_map(root)
    folders = _classes(pictures, user_map)
    tells = read_side_tables(root, pictures, user_map, findings)
    tells = _without_foreign(tells, folders, user_map, findings)
    splits = _splits(root, pictures, tells, findings)
    if not folders and not tells:
        _tell_label_folders(root, pictures, findings)
    in_tables = not any(map_label(name, {}, user_map) for name in folders.values()) and _tell_labels(tells)
    sources = []
    shared = cast(Path, InFolder(root))  # Source.path keeps it as it is, and reads as a Path
    for picture in pictures:
        told = tells.get(picture, Told(""))
        if in_tables and picture not in tells and kind.label_of(picture)[1] is None:
            findings.add("{count} pictures are labelled by no table and were left out", str(picture))
            continue
        label, raw = kind.label_of(picture)
        if raw is None:
            label, raw = _label(picture, folders.get(picture.parts[:-1]), told, user_map, findings)
        columns = partitions(picture)
        named = column(columns, "group") if columns else None
        group = told.group or (columns[named] if named else None) or kind.group(picture)
        sources.append(
            Source(
                dataset=kind.name,
                source_id=str(picture),
                path=shared,
                source_path=str(picture),
                split=splits.get(picture) or "train",
                group_id=group or str(picture),
                label=label,
                source_label=raw,
                licence=told.licence or kind.licence,
                is_face_crop=kind.is_crop(picture),
            )
        )
    return sources, bool(splits)


def _without_foreign(tells: Tells, folders: Classes, user_map: Mapping[str, str] | None, findings: Findings) -> Tells:
    """Return the tells without the labels of tables that name no expression, where class folders do."""
    if not any(map_label(name, {}, user_map) for name in folders.values()):
        return tells
    expressive = {told.table for told in tells.values() if told.label is not None}
    foreign = {told.table for told in tells.values() if told.raw is not None} - expressive
    if foreign:
        findings.add("{count} tables name no expressions, and the folders' labels are kept", *sorted(foreign))
    return {picture: replace(told, raw=None) if told.table in foreign else told for picture, told in tells.items()}


def _tell_label_folders(root: Path, pictures: Sequence[PurePosixPath], findings: Findings) -> None:
    """Tell of files that seem to hold labels, one a picture, and are in no form that is read."""
    parts = [list(picture.with_suffix(".txt").parts) for picture in pictures[:20]]
    places = [["labels" if part.lower() == "images" else part for part in way] for way in parts]
    found = [PurePosixPath(*way) for way in places if is_regular(root.joinpath(*way))]
    if found:
        findings.add(
            "{count} label files of the first pictures are not understood without a data.yaml", *map(str, found)
        )


def class_folder(picture: PurePosixPath) -> str | None:
    """Return the folder that names the class: an emotion wherever it stands, else the innermost that is no split."""
    folders = [folder for folder in picture.parts[:-1] if "=" not in folder]
    emotions = [folder for folder in folders if folder_emotion(folder)]
    others = [folder for folder in folders if canonical_split(folder) is None]
    return (emotions or others or [None])[-1]


def _classes(pictures: Sequence[PurePosixPath], user_map: Mapping[str, str] | None) -> Classes:
    """Return folders -> the raw label that they give their pictures, empty where none is a class ("holiday 2019")."""
    found: dict[tuple[str, ...], str] = {}
    parted = False
    for folders, picture in {picture.parts[:-1]: picture for picture in pictures}.items():
        columns = partitions(picture)
        name = column(columns, "label") if columns else None
        raw = columns[name] if name else class_folder(picture)
        parted = parted or name is not None
        if raw is not None:
            found[folders] = raw
    names = set(found.values())
    labelled = parted or any(map_label(name, {}, user_map) or without_splits(name).isdigit() for name in names)
    return found if labelled else {}


def _label(
    picture: PurePosixPath,
    folder: str | None,
    told: Told,
    user_map: Mapping[str, str] | None,
    findings: Findings,
) -> tuple[str | None, str | None]:
    """Return a picture's label and raw label."""
    by_folder = map_label(folder, {}, user_map)
    if told.raw is None or (told.label is None and by_folder is not None and told.raw.isdigit()):
        return by_folder, folder
    if by_folder is not None and told.label != by_folder:
        findings.add(
            f"{{count}} pictures have another label in {told.table} than by their folder, and the table's is taken",
            f"{picture} ({told.raw})",
        )
    return told.label, told.raw


def _splits(
    root: Path, pictures: Sequence[PurePosixPath], tells: Tells, findings: Findings
) -> dict[PurePosixPath, str]:
    """Return picture -> split: by partition, folder and table together (the most held-out counts), else by name."""
    by_folder = FolderSplits.of(root, pictures)
    sentence = by_folder.sentence()
    if sentence:
        findings.add(sentence)
    found: dict[PurePosixPath, str] = {}
    for picture in pictures:
        columns = partitions(picture)
        name = column(columns, "split") if columns else None
        told = tells[picture].split if picture in tells else None
        parted = (canonical_split(columns[name]) or columns[name]) if name else None
        folder = by_folder(picture)
        split = held_out_first(parted, told, folder) or parted or told or folder
        if split:
            found[picture] = split
    return found or file_name_splits(pictures)


def _tell_labels(tells: Tells) -> bool:
    return any(told.raw is not None for told in tells.values())
