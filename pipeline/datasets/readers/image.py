"""A single picture as a data set of one unlabelled source."""

from pathlib import Path

from singanimation.pipeline.datasets.dataset import Dataset, Findings, Reader, build_dataset
from singanimation.pipeline.datasets.files import is_picture_name
from singanimation.pipeline.records import Source


def _lacks(path: Path) -> str | None:
    if not path.is_file():
        return "is no file"
    return None if is_picture_name(path.name) else "its name does not end like a picture's"


def _read(path: Path) -> Dataset:
    source = Source(dataset="image", source_id=path.name, path=path, source_path=path.name, group_id=path.name)
    return build_dataset("image", [source], Findings(), path, has_splits=False)


READER = Reader("image", _lacks, _read, named=False)
