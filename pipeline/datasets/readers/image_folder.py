"""Image folders: ``split/class/*.jpg``, ``class/*.jpg``, or flat pictures without labels."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from singanimation.pipeline.datasets.dataset import Dataset, Findings, Reader, build_dataset
from singanimation.pipeline.datasets.files import any_picture, list_pictures
from singanimation.pipeline.datasets.labels import canonical_split, folder_emotion, map_label, read_label_map
from singanimation.pipeline.datasets.metadata import find_metadata, read_metadata
from singanimation.pipeline.records import Source


def _lacks(path: Path) -> str | None:
    if not path.is_dir():
        return "is no folder"
    return None if any_picture(path) else "holds no picture"


def _read(path: Path) -> Dataset:
    metadata = find_metadata(path)
    if metadata:
        return read_metadata(path, metadata)
    findings = Findings()
    name = path.resolve().name or "folder"
    pictures = list_pictures(path, findings)
    user_map = read_label_map(path)
    classes = {picture: class_folder(picture) for picture in pictures}
    folders = sorted({folder for folder in classes.values() if folder is not None})
    # Folders that are neither expressions nor numbers ("holiday 2019") are no labels.
    labelled = any(map_label(folder, {}, user_map) or folder.isdigit() for folder in folders)
    splits = {picture: split_folder(picture) for picture in pictures}
    sources = [
        _source(path, name, picture, classes[picture] if labelled else None, splits[picture], user_map)
        for picture in pictures
    ]
    return build_dataset(name, sources, findings, path, has_splits=any(splits.values()))


def split_folder(picture: PurePosixPath) -> str | None:
    """Return the split that a folder on the picture's way names, the outermost first, else None."""
    return next((split for folder in picture.parts[:-1] if (split := canonical_split(folder))), None)


def class_folder(picture: PurePosixPath) -> str | None:
    """Return the folder that names the class: an emotion wherever it stands, else the innermost that is no split."""
    folders = [folder for folder in picture.parts[:-1] if canonical_split(folder) is None]
    emotions = [folder for folder in folders if folder_emotion(folder)]
    return (emotions or folders or [None])[-1]


def _source(
    root: Path,
    dataset: str,
    picture: PurePosixPath,
    folder: str | None,
    split: str | None,
    user_map: Mapping[str, str] | None,
) -> Source:
    return Source(
        dataset=dataset,
        source_id=str(picture),
        path=root / picture,
        source_path=str(picture),
        split=split or "train",
        group_id=str(picture),
        label=map_label(folder, {}, user_map),
        source_label=folder,
    )


READER = Reader("image folder", _lacks, _read, named=False)
