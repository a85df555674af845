"""Reading a manifest: whole parts only, one explicit schema, a clear word about any file that is not ours.

Parts of an older schema version, and parts that went through another tool (polars, DuckDB, pandas, ``datasets``), are
brought to today's schema as they are read.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from singanimation.manifests.arrow_functions import pc
from singanimation.manifests.conform import conform, schema_problem
from singanimation.manifests.schema import KINDS, SCHEMA, STATUSES
from singanimation.pipeline.errors import ManifestError
from singanimation.pipeline.files.places import in_bucket, open_to_read, place, reached

if TYPE_CHECKING:
    import pandas as pd

Choice = str | Sequence[str] | None
MANIFEST_FOLDER = "manifest"


def part_paths(path: Path | str) -> list[Path]:
    """Return the parts of a manifest, sorted by name.

    ``path`` is an output folder, its ``manifest`` folder, one Parquet file, or a glob such as
    ``out/manifest/*.parquet``; in a folder or a bucket (``s3://...``). Raises ManifestError where there is none,
    MachineError for a bucket that does not answer.
    """
    path = place(path)
    with reached(path):
        return _part_paths(path)


def _part_paths(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if any(letter in path.name for letter in "*?["):
        found = sorted(path.parent.glob(path.name))
    else:
        folder = path / MANIFEST_FOLDER if (path / MANIFEST_FOLDER).is_dir() else path
        found = sorted(part for part in folder.glob("*.parquet") if not part.name.startswith("."))
    if not found:
        raise ManifestError(f"{path} holds no manifest: looked for *.parquet in {path / MANIFEST_FOLDER} and {path}.")
    return found


def open_part(path: Path) -> pq.ParquetFile:
    """Open one part and check that it is ours. Raises ManifestError naming the file and what is wrong with it."""
    try:
        with reached(path):
            part = pq.ParquetFile(open_to_read(path), page_checksum_verification=True, pre_buffer=in_bucket(path))
        problem = schema_problem(part.schema_arrow)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise damaged(path, error) from error
    if problem is not None:
        raise ManifestError(f"{path} is no part of a manifest: {problem}; move it elsewhere.")
    return part


def damaged(path: Path, error: Exception) -> ManifestError:
    """Return the error for a part that cannot be read."""
    text = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
    return ManifestError(f"{path} is damaged ({text}); remove it and run again to make its rows anew.")


def iter_tables(
    paths: Sequence[Path],
    columns: Sequence[str] | None = None,
    *,
    split: Choice = None,
    status: Choice = None,
    kind: Choice = None,
) -> Iterator[tuple[Path, pa.Table]]:
    """Yield (part, table) for every row group that has matching rows: memory stays that of one row group.

    ``columns`` None means all. ``split``, ``status`` and ``kind`` take one value or several; None means any.
    Pictures of row groups without a match are never read.
    """
    wanted = {name: _values(choice) for name, choice in (("split", split), ("status", status), ("kind", kind))}
    wanted = {name: values for name, values in wanted.items() if values is not None}
    names = list(SCHEMA.names if columns is None else columns)
    for path in paths:
        part = open_part(path)
        try:
            for group in range(part.num_row_groups):
                with reached(path):
                    mask = _mask(part, group, wanted)
                    if mask is not None and not pc.any(mask).as_py():
                        continue
                    table = conform(part.read_row_group(group, columns=names, use_threads=False), names)
                yield path, table if mask is None else table.filter(mask)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise damaged(path, error) from error


def read(
    path: Path | str,
    split: Choice = None,
    status: Choice = None,
    kind: Choice = None,
    columns: Sequence[str] | None = None,
) -> "pd.DataFrame":
    """Read a manifest, or the part of it that a classifier wants, as a pandas DataFrame.

    ``read("out", split="train", status="accepted", kind="variant", columns=["image", "label"])``. ``image`` is a
    dict of ``bytes`` (PNG) and ``path``, or None; ``label`` a nullable Int64 with 0..6 in RAF-DB's order; names are
    categories. Rows come in the order of the parts. Raises ManifestError for unknown columns, values, or files.
    """
    unknown = sorted(set(columns or ()) - set(SCHEMA.names))
    if unknown:
        raise ManifestError(f"A manifest has no column {', '.join(unknown)}; it has {', '.join(SCHEMA.names)}.")
    for choice, allowed, what in ((status, STATUSES, "status"), (kind, KINDS, "kind")):
        if wrong := set(_values(choice) or ()) - set(allowed):
            raise ManifestError(f"{what} {', '.join(sorted(wrong))} does not exist; use {', '.join(allowed)}.")
    tables = [table for _, table in iter_tables(part_paths(path), columns, split=split, status=status, kind=kind)]
    schema = pa.schema([SCHEMA.field(name) for name in (columns or SCHEMA.names)])
    whole = pa.concat_tables([table.replace_schema_metadata(None) for table in tables] or [schema.empty_table()])
    return to_pandas(whole.unify_dictionaries())


def to_pandas(table: pa.Table) -> "pd.DataFrame":
    """Return a pandas DataFrame in which whole numbers with gaps stay whole numbers (nullable types)."""
    import pandas as pd

    nullable = {pa.int64(): pd.Int64Dtype(), pa.int32(): pd.Int32Dtype()}
    return table.to_pandas(types_mapper=nullable.get)


def _values(choice: Choice) -> list[str] | None:
    if choice is None:
        return None
    return [choice] if isinstance(choice, str) else list(choice)


def _mask(part: pq.ParquetFile, group: int, wanted: dict[str, list[str]]) -> pa.ChunkedArray | None:
    """Return which rows of a row group match, or None where everything does."""
    if not wanted:
        return None
    table = part.read_row_group(group, columns=list(wanted), use_threads=False)
    mask = None
    for name, values in wanted.items():
        column = pc.cast(table.column(name), pa.string())
        found = pc.is_in(column, value_set=pa.array(values, pa.string()))
        mask = found if mask is None else pc.and_(mask, found)
    return mask
