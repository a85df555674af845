"""Parquet files read lightly: column names and label names from the schema, pictures only when asked for."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from singanimation.pipeline.errors import DatasetError

if TYPE_CHECKING:
    import pyarrow as pa

LARGE_BYTES = 4 * 1024**3

OUR_COLUMNS = ("variant_id", "kind", "image", "source_id", "split", "group_id", "label_name", "status")
"""What our manifest reader cannot do without; no data set of others has them all."""


def parquet_schema(path: Path) -> "pa.Schema":
    """Return a file's schema. Raises DatasetError for a file that is no Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_schema(path)
    except (pa.ArrowException, OSError, ValueError) as error:
        text = str(error).splitlines()[0].rstrip(".")
        raise DatasetError(f"{path} cannot be read as Parquet ({text}).") from error


def is_our_manifest(schema: "pa.Schema") -> bool:
    """Return whether a Parquet file is a part of one of our manifests, written by us or by another tool since.

    polars, DuckDB, pandas and ``datasets`` lose our metadata and keep our columns.
    """
    return b"singanimation" in (schema.metadata or {}) or set(OUR_COLUMNS) <= set(schema.names)


def label_names(schema: "pa.Schema", column: str | None) -> dict[str, str]:
    """Return number -> name of a ``datasets`` ClassLabel column, empty where the metadata have none."""
    try:
        info = json.loads((schema.metadata or {})[b"huggingface"])
        names = info["info"]["features"][column]["names"]
        return {str(number): str(name) for number, name in enumerate(names)}
    except (KeyError, TypeError, ValueError):
        return {}


def picture_columns(schema: "pa.Schema") -> list[str]:
    """Return the columns that hold pictures: structs with ``bytes``, or binary columns, ``image`` first."""
    import pyarrow.types as types

    def holds(kind: "pa.DataType") -> bool:
        if types.is_struct(kind):
            return kind.get_field_index("bytes") >= 0
        return types.is_binary(kind) or types.is_large_binary(kind)

    found = [field.name for field in schema if holds(field.type)]
    return sorted(found, key=lambda name: name.lower() not in ("image", "img", "picture", "pixels"))


def picture_bytes(value: Any) -> bytes | None:
    """Return a cell's picture: raw bytes, or the ``bytes`` of a struct; None where there are none."""
    if isinstance(value, dict):
        value = value.get("bytes")
    return bytes(value) if isinstance(value, bytes | bytearray | memoryview) and len(value) else None


def picture_path(value: Any) -> str | None:
    """Return the ``path`` of a struct cell, else None."""
    path = value.get("path") if isinstance(value, dict) else None
    return path if isinstance(path, str) and path else None
