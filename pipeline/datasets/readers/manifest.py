"""Our own manifests, so that a grown data set can grow again: embedded real pictures and accepted variants.

Splits, people and licences are inherited, so that nothing held out is ever augmented; edits are left out.
"""

from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import Any

from singanimation.pipeline.datasets.dataset import Dataset, Findings, Reader, build_dataset
from singanimation.pipeline.datasets.files import list_pictures
from singanimation.pipeline.datasets.labels import map_label
from singanimation.pipeline.datasets.readers.parquet import (
    OUR_COLUMNS,
    is_our_manifest,
    parquet_schema,
    picture_bytes,
    picture_path,
)
from singanimation.pipeline.datasets.splits import partitions
from singanimation.pipeline.datasets.tables import cell
from singanimation.pipeline.errors import DatasetError
from singanimation.pipeline.records import Source

# what a table that went through another tool may have lost without becoming useless
_OPTIONAL = ("width", "height", "licence", "source_label", "label_weights")


def _parts(path: Path) -> list[Path]:
    if path.is_file():
        return [path] if path.suffix.lower() == ".parquet" else []
    # an output folder, or what `augment export --to hf` wrote
    folder = next((inner for name in ("manifest", "data") if (inner := path / name).is_dir()), path)
    found = folder.glob("*.parquet") if any(folder.glob("*.parquet")) else _partitioned(folder)
    return sorted(part for part in found if not part.name.startswith("."))


def _partitioned(folder: Path) -> Iterator[Path]:
    """Yield the files below folders that are named ``split=train``, as DuckDB, Spark and pandas write them."""
    return (part for inner in folder.glob("*=*") for part in inner.rglob("*.parquet"))


def _told_by_folders(part: Path) -> dict[str, str]:
    """Return the columns that the folders next above a file give."""
    above = takewhile(lambda folder: "=" in folder.name, part.parents)
    told = partitions(PurePosixPath(*reversed([folder.name for folder in above]), part.name))
    return {"label_name": "", **told} if told else {}  # the folder of those without a label tells nothing


def _lacks(path: Path) -> str | None:
    parts = _parts(path)
    if not parts:
        return "has no manifest/*.parquet or data/*.parquet"
    try:
        ours = is_our_manifest(parquet_schema(parts[0]), _told_by_folders(parts[0]))
    except DatasetError:
        if parts[0].parent == path and list_pictures(path):
            return f"{parts[0].name} is no Parquet file"  # it lies beside pictures, which other readers take
        raise
    return None if ours else f"{parts[0].name} is no part of a manifest"


def _read(path: Path) -> Dataset:
    findings = Findings()
    name = path.stem if path.is_file() else path.resolve().name
    sources: list[Source] = []
    seen: set[str] = set()
    for part in _parts(path):
        rows = _rows(part)
        sizes = [(row["source_id"], row["width"], row["height"]) for row in rows if row["kind"] == "variant"]
        crops = {size for size in sizes if None not in size}
        for row in rows:
            if row["kind"] == "edit" or row["status"] != "accepted":
                continue
            data = picture_bytes(row["image"])
            if data is None:
                findings.add(
                    "{count} real pictures are not in the manifest (--include-real was off) and are left out",
                    row["source_id"],
                )
            elif row["variant_id"] not in seen:
                seen.add(row["variant_id"])
                # A real picture that has its variants' size is itself a face crop.
                is_crop = row["kind"] == "variant" or (row["source_id"], row["width"], row["height"]) in crops
                sources.append(_source(name, part, row, data, is_crop))
    if not sources:
        raise DatasetError(f"{path} holds no accepted picture; run the first job with --include-real to grow it again.")
    return build_dataset(name, sources, findings, path)


def _rows(part: Path) -> list[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    names, told = set(parquet_schema(part).names), _told_by_folders(part)
    lacking = [name for name in OUR_COLUMNS if name not in {*names, *told}]
    if lacking:
        raise DatasetError(f"{part} cannot be read as a part of a manifest (it has no column {', '.join(lacking)}).")
    wanted = [name for name in (*OUR_COLUMNS, *_OPTIONAL) if name in names]
    try:
        rows = pq.read_table(part, columns=wanted, partitioning=None).to_pylist()  # pyright: ignore[reportArgumentType]
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise DatasetError(f"{part} cannot be read as a part of a manifest ({str(error).splitlines()[0]}).") from error
    return [dict.fromkeys((*OUR_COLUMNS, *_OPTIONAL)) | told | row for row in rows]


def _source(dataset: str, part: Path, row: dict[str, Any], data: bytes, is_crop: bool) -> Source:
    label, raw = cell(row["label_name"]), cell(row["source_label"])
    weights = row["label_weights"]
    return Source(
        dataset=dataset,
        source_id=row["variant_id"],
        path=None,
        source_path=picture_path(row["image"]) or f"{part.name}#{row['variant_id']}",
        split=row["split"],
        group_id=row["group_id"],
        label=map_label(label, {}),
        source_label=label or raw,
        licence=row["licence"],
        is_face_crop=is_crop,
        data=data,
        label_weights=tuple(weights) if weights is not None else None,
    )


READER = Reader("manifest", _lacks, _read, named=False)
