"""Parquet files read lightly: column names and label names from the schema, pictures only when asked for."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from singanimation.pipeline.errors import DatasetError
from singanimation.pipeline.expressions import EMOTIONS
from singanimation.pipeline.files.regular import is_regular
from singanimation.pipeline.files.untrusted import shown

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

LARGE_BYTES = 4 * 1024**3
_WORD_NAMES = ("label", "labels", "label_name", "emotion", "target", "split", "id", "name")
_PICTURE_NAMES = ("image", "img", "picture", "pixels", "img_bytes", "image_bytes", "bytes", "photo", "face", "data")

OUR_COLUMNS = ("variant_id", "kind", "image", "source_id", "split", "group_id", "label_name", "status")
"""What our manifest reader cannot do without; no data set of others has them all."""


def parquet_schema(path: Path) -> "pa.Schema":
    """Return a file's schema. Raises DatasetError for a file that is no Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not is_regular(path):
        raise DatasetError(f"{path} cannot be read as Parquet (it is no ordinary file, or not there).")
    try:
        return pq.read_schema(path)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DatasetError(f"{path} cannot be read as Parquet ({_first_line(error)}).") from error


def read_parquet(path: Path, columns: Sequence[str] | None = None) -> "pd.DataFrame":
    """Return a file's columns for pandas; views (``binary_view``) become what pandas knows.

    Raises ValueError where it cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # no partitioning: folders such as split=test are read by whoever knows what they mean
        table = pq.read_table(path, columns=list(columns) if columns else None, partitioning=None)  # pyright: ignore[reportArgumentType]
        plain = pa.schema([pa.field(field.name, _plain(field.type)) for field in table.schema])
        return (table.cast(plain) if plain != table.schema else table).to_pandas()
    except pa.ArrowException as error:
        raise ValueError(_first_line(error)) from None


def _plain(kind: "pa.DataType") -> "pa.DataType":
    """Return a type without views and without fixed sizes of bytes, which pandas does not take, however deep."""
    import pyarrow as pa
    import pyarrow.types as types

    if types.is_binary_view(kind) or types.is_fixed_size_binary(kind):
        return pa.large_binary()
    if types.is_string_view(kind):
        return pa.large_string()
    if types.is_struct(kind):
        return pa.struct([pa.field(field.name, _plain(field.type)) for field in kind])
    if types.is_list(kind) or types.is_large_list(kind):
        return (
            pa.large_list(_plain(kind.value_type)) if types.is_large_list(kind) else pa.list_(_plain(kind.value_type))
        )
    return kind


def is_our_manifest(schema: "pa.Schema", partitions: Iterable[str] = ()) -> bool:
    """Return whether a Parquet file is a part of one of our manifests, written by us or by another tool since.

    polars, DuckDB, pandas and ``datasets`` lose our metadata and keep our columns, some of them perhaps as
    ``partitions``: folders named ``split=train``.
    """
    return b"singanimation" in (schema.metadata or {}) or set(OUR_COLUMNS) <= {*schema.names, *partitions}


def label_names(schema: "pa.Schema", column: str | None) -> dict[str, str]:
    """Return number -> name of a ``datasets`` ClassLabel column, empty where the metadata have none."""
    feature = _features(schema).get(column or "")
    while isinstance(feature, list) and feature or isinstance(feature, dict) and "feature" in feature:
        feature = feature[0] if isinstance(feature, list) else feature["feature"]  # a list of labels
    names = feature.get("names") if isinstance(feature, dict) else None
    if isinstance(names, dict):  # the form of some older cards: {"0": "anger"}
        return {str(number): str(name) for number, name in names.items()}
    return {str(number): str(name) for number, name in enumerate(names)} if isinstance(names, list) else {}


def class_label_column(schema: "pa.Schema") -> str | None:
    """Return the ClassLabel column that names expressions, else the only ClassLabel column, else None."""
    from singanimation.pipeline.datasets.labels import folder_emotion

    named = {name: label_names(schema, name) for name in schema.names}
    named = {name: names for name, names in named.items() if names}
    for name, names in named.items():
        if sum(folder_emotion(text) in EMOTIONS for text in names.values()) >= 2:
            return name
    return next(iter(named)) if len(named) == 1 else None


def _features(schema: "pa.Schema") -> dict[str, Any]:
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, TypeError, ValueError, RecursionError):
        return {}
    return features if isinstance(features, dict) else {}


def picture_columns(schema: "pa.Schema") -> list[str]:
    """Return the columns that hold pictures: structs with ``bytes``, bytes in any form, or lists of them.

    Those with a picture's name come first.
    """
    found = [field.name for field in schema if _holds_picture(field.type)]
    return sorted(found, key=lambda name: (name.lower() not in _PICTURE_NAMES, name.lower() in _WORD_NAMES))


def _holds_picture(kind: "pa.DataType") -> bool:
    import pyarrow.types as types

    if types.is_struct(kind):
        place = kind.get_field_index("bytes")
        return place >= 0 and _holds_picture(kind.field(place).type)
    if types.is_dictionary(kind):
        return _holds_picture(kind.value_type)
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return types.is_uint8(kind.value_type) or _holds_picture(kind.value_type)
    return any(is_kind(kind) for is_kind in (types.is_binary, types.is_large_binary, types.is_binary_view))


def picture_bytes(value: Any) -> bytes | None:
    """Return a cell's picture: raw bytes, or the ``bytes`` of a struct; None where there are none."""
    found = pictures_bytes(value)
    return found[0] if found else None


def pictures_bytes(value: Any) -> list[bytes]:
    """Return a cell's pictures: one for bytes, a struct or a list of numbers 0..255, several for a list of them."""
    if isinstance(value, dict):
        value = value.get("bytes")
    if isinstance(value, bytes | bytearray | memoryview):
        return [bytes(value)] if len(value) else []
    if getattr(value, "dtype", None) == "uint8":
        return [value.tobytes()] if value.size else []
    if isinstance(value, list | tuple) or hasattr(value, "tolist"):
        return [data for inner in list(value) for data in pictures_bytes(inner)]
    return []


def picture_path(value: Any) -> str | None:
    """Return the ``path`` of a struct cell, else None."""
    path = value.get("path") if isinstance(value, dict) else None
    return path if isinstance(path, str) and path else None


def _first_line(error: BaseException) -> str:
    text = str(error) or type(error).__name__
    return shown(text.splitlines()[0].rstrip("."))
