"""Which files are parts of a manifest, and how those of an older version or from another tool become today's schema.

polars, DuckDB, pandas and ``datasets`` keep our columns but lose our schema key and some types (large strings, plain
lists, numbers as floats): such files are recognised by their columns.
"""

import json
from collections.abc import Sequence
from functools import lru_cache

import pyarrow as pa
import pyarrow.types as types

from singanimation.manifests.arrow_functions import pc
from singanimation.manifests.schema import ADDED, NAME, SCHEMA, SCHEMA_VERSION

KEY = b"singanimation"
TIME = "created_at"
"""A timestamp in version 1, text in ISO 8601 (UTC, ``2026-11-27T05:04:05.123456Z``) since version 2."""

_BEFORE = {TIME: pa.timestamp("us", tz="UTC")}


def schema_problem(schema: pa.Schema) -> str | None:
    """Return what makes this file's schema none of ours (a newer version, other columns), else None."""
    if is_todays(schema):
        return None
    raw = (schema.metadata or {}).get(KEY)
    if raw is None:
        return _stranger(schema)
    try:
        version = json.loads(raw)["schema"]
    except (ValueError, KeyError, TypeError):
        return "its `singanimation` metadata are damaged"
    if version not in range(1, SCHEMA_VERSION + 1):
        return f"it has schema version {version}, this program reads versions 1 to {SCHEMA_VERSION}"
    differing = sorted({*_lacking(schema), *unknown_columns(schema), *_changed(schema)})
    return f"its columns differ from schema version {version}: {', '.join(differing)}" if differing else None


def unknown_columns(schema: pa.Schema) -> list[str]:
    """Return a file's columns that the manifest does not have; reading passes over them."""
    return sorted(set(schema.names) - set(SCHEMA.names))


def is_todays(schema: pa.Schema) -> bool:
    """Return whether a part was written with today's schema, so that nothing has to be brought up to it."""
    return schema.equals(SCHEMA) and (schema.metadata or {}).get(KEY) == SCHEMA.metadata[KEY]


def conform(table: pa.Table, names: Sequence[str]) -> pa.Table:
    """Return these columns with today's types, nulls for the ones that an older part lacks.

    Raises pyarrow.ArrowInvalid for values that do not fit (a label of 0.5, an AU vector of 16).
    """
    wanted = _todays(tuple(names))
    if table.schema.equals(wanted):
        return table.replace_schema_metadata(SCHEMA.metadata)
    there = set(table.schema.names)
    columns = [
        _cast(table.column(field.name), field.type) if field.name in there else pa.nulls(table.num_rows, field.type)
        for field in wanted
    ]
    return pa.Table.from_arrays(columns, schema=wanted)


@lru_cache(maxsize=64)
def _todays(names: tuple[str, ...]) -> pa.Schema:
    return pa.schema([SCHEMA.field(name) for name in names], metadata=SCHEMA.metadata)


def _stranger(schema: pa.Schema) -> str | None:
    differing = [*_lacking(schema), *_unlike(schema)]
    if not differing:
        return None
    more = ", ..." if len(differing) > 3 else ""
    what = f"no `singanimation` metadata, and not its columns: {', '.join(differing[:3])}{more}"
    return f"it was not written by this program ({what})"


def _lacking(schema: pa.Schema) -> list[str]:
    # A name that stands twice is as good as none: nothing says which of the two is meant.
    return [name for name in SCHEMA.names if schema.get_field_index(name) < 0 and name not in ADDED] + [
        name for name in SCHEMA.names if len(schema.get_all_field_indices(name)) > 1 and name in ADDED
    ]


def _unlike(schema: pa.Schema) -> list[str]:
    """Return our columns whose type holds something else."""
    there = [field for field in SCHEMA if schema.get_field_index(field.name) >= 0]
    return [field.name for field in there if not _alike(field.name, schema.field(field.name).type, field.type)]


def _changed(schema: pa.Schema) -> list[str]:
    """Return our columns whose type is not the one that this program writes, or wrote in version 1."""
    there = [field for field in SCHEMA if schema.get_field_index(field.name) >= 0]
    found = {field.name: schema.field(field.name).type for field in there}
    return [field.name for field in there if found[field.name] not in (field.type, _BEFORE.get(field.name))]


def _alike(name: str, found: pa.DataType, wanted: pa.DataType) -> bool:
    """Return whether version 1, or another tool, may have made ``found`` of ``wanted``."""
    if types.is_null(found) or found.equals(wanted) or (name == TIME and types.is_timestamp(found)):
        return True
    if types.is_dictionary(wanted) or types.is_string(wanted):
        values = found.value_type if types.is_dictionary(found) else found
        return _is_text(values) or types.is_null(values)
    if types.is_struct(wanted):
        names = {field.name for field in found} if types.is_struct(found) else set()
        return {"bytes"} <= names <= {"bytes", "path"} and _is_bytes(found.field("bytes").type)
    if types.is_fixed_size_list(wanted):
        if types.is_fixed_size_list(found) and found.list_size != wanted.list_size:
            return False
        return _is_list(found) and (types.is_floating(found.value_type) or types.is_null(found.value_type))
    return types.is_integer(found) or types.is_floating(found)


def _is_text(kind: pa.DataType) -> bool:
    return types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)


def _is_bytes(kind: pa.DataType) -> bool:
    return types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind) or types.is_null(kind)


def _is_list(kind: pa.DataType) -> bool:
    return types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)


def _cast(column: pa.ChunkedArray, wanted: pa.DataType) -> pa.Array:
    found = column.combine_chunks()
    if isinstance(found, pa.ChunkedArray):  # no chunk at all, or too much for one
        found = pa.concat_arrays(found.chunks) if found.num_chunks else pa.array([], found.type)
    if found.type.equals(wanted):
        return found
    if types.is_dictionary(found.type):
        found = found.dictionary_decode()
    if types.is_null(found.type):
        return pa.nulls(len(found), wanted)
    if types.is_dictionary(wanted):
        return found.cast(pa.string()).dictionary_encode().cast(NAME)
    if types.is_struct(wanted):
        return _picture(found, wanted)
    if types.is_timestamp(found.type):
        return pc.strftime(found.cast(pa.timestamp("us")), format="%Y-%m-%dT%H:%M:%SZ")
    if types.is_floating(found.type):
        found = pc.if_else(pc.is_nan(found), pa.scalar(None, found.type), found) if types.is_integer(wanted) else found
    return found.cast(wanted)


def _picture(found: pa.StructArray, wanted: pa.StructType) -> pa.Array:
    """Return pictures as we store them; where both fields are null there is no picture (other tools' null struct)."""
    fields = []
    for field in wanted:
        there = found.type.get_field_index(field.name) >= 0
        fields.append(
            pc.struct_field(found, field.name).cast(field.type) if there else pa.nulls(len(found), field.type)
        )
    empty = pc.and_(*(pc.is_null(values) for values in fields))
    return pa.StructArray.from_arrays(fields, fields=list(wanted), mask=empty)
