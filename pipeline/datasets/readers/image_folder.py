"""Image folders: ``split/class/*.jpg``, ``class/*.jpg``, ``split=test/label=fear/*.jpg``, flat pictures without labels.

With ``metadata.{csv,jsonl,parquet}`` whose ``file_name`` names pictures there, they are read by that.
"""

from pathlib import Path

from singanimation.pipeline.datasets.dataset import Dataset, Findings, Reader, build_dataset
from singanimation.pipeline.datasets.files import any_picture
from singanimation.pipeline.datasets.folders import Kind, read_folders
from singanimation.pipeline.datasets.metadata import find_metadata, read_metadata


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
    sources, has_splits = read_folders(path, Kind(name), findings)
    return build_dataset(name, sources, findings, path, has_splits=has_splits)


READER = Reader("image folder", _lacks, _read, named=False)
