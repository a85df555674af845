"""Image folders with ``metadata.{csv,jsonl,parquet}`` (a ``file_name`` column), at the top or in each split."""

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from singanimation.pipeline.datasets.dataset import Dataset, Findings, build_dataset
from singanimation.pipeline.datasets.files import inside, list_pictures, subfolders
from singanimation.pipeline.datasets.folders import class_folder
from singanimation.pipeline.datasets.labels import folder_emotion, label_meaning, map_label, read_label_map
from singanimation.pipeline.datasets.splits import FolderSplits, canonical_split, held_out_first
from singanimation.pipeline.datasets.tables import cell, column, column_of, read_table
from singanimation.pipeline.errors import DatasetError
from singanimation.pipeline.files.regular import is_regular
from singanimation.pipeline.records import Source

_NAMES = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
_PURPOSES = ("label", "split", "group", "licence")


def find_metadata(root: Path) -> list[Path]:
    """Return the metadata files at the top of ``root`` or, where there is none, in its folders.

    None where they have no ``file_name`` and class folders label the pictures: they are another program's then.
    Raises DatasetError for one without ``file_name`` where nothing else labels them.
    """
    for folders in ([root], subfolders(root)):
        found = [path for folder in folders for name in _NAMES if is_regular(path := folder / name)]
        if found:
            return found if _ours(root, found) else []
    return []


def _ours(root: Path, files: Sequence[Path]) -> bool:
    pictures = set(list_pictures(root))
    classes = any(folder_emotion(class_folder(picture) or "") for picture in pictures)
    named = 0
    for file in files:
        try:
            frame = read_table(file)
        except DatasetError:
            if classes:  # told with the other tables beside the pictures
                return False
            raise
        if "file_name" not in frame.columns:
            if classes:
                return False
            raise DatasetError(f"{file} has no column file_name; it has {', '.join(frame.columns)}.")
        folder = PurePosixPath(file.parent.relative_to(root).as_posix())
        names = (inside(cell(value) or "") for value in frame["file_name"])
        named += sum(name is not None and folder / name in pictures for name in names)
    return named > 0 or not classes


def read_metadata(root: Path, files: list[Path]) -> Dataset:
    """Read pictures by their metadata; those that no metadata file names are counted and left out.

    Where the metadata tell no label or split, the folders' names do.
    """
    findings = Findings()
    name = root.resolve().name or "folder"
    pictures = list_pictures(root, findings)
    present = set(pictures)
    splits = FolderSplits.of(root, pictures)
    user_map = read_label_map(root)
    sources: dict[str, Source] = {}
    has_splits = False
    for file in files:
        frame = read_table(file)
        columns = {purpose: column(list(frame.columns), purpose) for purpose in _PURPOSES}
        columns["label"] = column_of(frame, "label")
        meaning = label_meaning(file, frame, columns["label"], user_map, findings)
        knows = columns["label"] is not None and any(meaning(cell(value))[0] for value in frame[columns["label"]])
        folder = PurePosixPath(file.parent.relative_to(root).as_posix())
        for row in frame.to_dict("records"):
            picture = _picture(folder, cell(row["file_name"]) or "", present, findings, file)
            if picture is None:
                continue
            if str(picture) in sources:
                findings.add(f"{{count}} names occur twice in {file.name}, the first counts", str(picture))
                continue
            values = {purpose: cell(row[name]) if name else None for purpose, name in columns.items()}
            split = _split(values["split"], splits(picture), findings)
            has_splits = has_splits or split is not None
            by_folder = _by_folder(picture, user_map)
            label, raw = meaning(values["label"])
            if by_folder[0] is not None and (raw is None or not knows):
                label, raw = by_folder
            elif by_folder[0] not in (None, label):
                said = f"{{count}} pictures have another label in {file.name} than by their folder: the file's is taken"
                findings.add(said, f"{picture} ({raw})")
            sources[str(picture)] = Source(
                dataset=name,
                source_id=str(picture),
                path=root / picture,
                source_path=str(picture),
                split=split or "train",
                group_id=values["group"] or str(picture),
                licence=values["licence"],
                label=label,
                source_label=raw,
            )
    left_out = sorted(str(picture) for picture in present if str(picture) not in sources)
    if left_out:
        findings.add("{count} pictures are named by no metadata file and left out", *left_out)
    return build_dataset(name, sources.values(), findings, root, has_splits=has_splits)


def _split(text: str | None, folder: str | None, findings: Findings) -> str | None:
    """Return the split: the table's and the folder's together, the more held-out of them."""
    split = canonical_split(text or "")
    if text is not None and split is None:
        findings.add("{count} splits are not train, validation or test and are kept as they are", text)
        return text
    return held_out_first(split, folder) or split or folder


def _by_folder(picture: PurePosixPath, user_map: Mapping[str, str] | None) -> tuple[str | None, str | None]:
    folder = class_folder(picture)
    label = map_label(folder, {}, user_map)
    return label, folder if label is not None else None


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
