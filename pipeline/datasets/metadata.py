"""Image folders with ``metadata.{csv,jsonl,parquet}`` (a ``file_name`` column), at the top or in each split."""

from pathlib import Path, PurePosixPath

from singanimation.pipeline.datasets.dataset import Dataset, Findings, build_dataset
from singanimation.pipeline.datasets.files import inside, list_pictures, subfolders
from singanimation.pipeline.datasets.labels import canonical_split, map_label, read_label_map
from singanimation.pipeline.datasets.tables import cell, column, read_table
from singanimation.pipeline.errors import DatasetError
from singanimation.pipeline.records import Source

_NAMES = ("metadata.csv", "metadata.jsonl", "metadata.parquet")


def find_metadata(root: Path) -> list[Path]:
    """Return the metadata files at the top of ``root`` or, where there is none, in its folders."""
    for folders in ([root], subfolders(root)):
        found = [folder / name for folder in folders for name in _NAMES if (folder / name).is_file()]
        if found:
            return found
    return []


def read_metadata(root: Path, files: list[Path]) -> Dataset:
    """Read pictures by their metadata; those that no metadata file names are counted and left out."""
    findings = Findings()
    name = root.resolve().name or "folder"
    present = set(list_pictures(root, findings))
    user_map = read_label_map(root)
    sources: dict[str, Source] = {}
    has_splits = False
    for file in files:
        frame = read_table(file)
        columns = {purpose: column(frame.columns, purpose) for purpose in ("label", "split", "group", "licence")}
        if "file_name" not in frame.columns:
            raise DatasetError(f"{file} has no column file_name; it has {', '.join(frame.columns)}.")
        folder = PurePosixPath(file.parent.relative_to(root).as_posix())
        for row in frame.to_dict("records"):
            picture = _picture(folder, cell(row["file_name"]) or "", present, findings, file)
            if picture is None:
                continue
            values = {purpose: cell(row[name]) if name else None for purpose, name in columns.items()}
            split = canonical_split(values["split"] or "") or canonical_split(folder.name)
            has_splits = has_splits or split is not None
            if str(picture) in sources:
                findings.add(f"{{count}} names occur twice in {file.name}, the first counts", str(picture))
                continue
            sources[str(picture)] = Source(
                dataset=name,
                source_id=str(picture),
                path=root / picture,
                source_path=str(picture),
                split=split or "train",
                group_id=values["group"] or str(picture),
                licence=values["licence"],
                label=map_label(values["label"], {}, user_map),
                source_label=values["label"],
            )
    left_out = sorted(str(picture) for picture in present if str(picture) not in sources)
    if left_out:
        findings.add("{count} pictures are named by no metadata file and left out", *left_out)
    return build_dataset(name, sources.values(), findings, root, has_splits=has_splits)


def _picture(
    folder: PurePosixPath, text: str, present: set[PurePosixPath], findings: Findings, file: Path
) -> PurePosixPath | None:
    name = inside(text)
    if name is None:
        findings.add(f"{{count}} names in {file.name} lead out of the folder and were refused", text)
        return None
    if folder / name not in present:
        findings.add(f"{{count}} pictures that {file.name} names are missing", text)
        return None
    return folder / name
