"""The manifest's schema, version 1: one explicit pyarrow schema for every writer and every reader.

Its metadata carry two keys: ``huggingface`` (so that ``datasets`` decodes pictures and label names) and
``singanimation`` (schema version, AU order, label map).
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from singanimation.pipeline.errors import ManifestError
from singanimation.pipeline.expressions import AU_NAMES, EMOTION_INDEX, EMOTIONS
from singanimation.pipeline.records import Row

SCHEMA_VERSION = 1
KINDS = ("real", "edit", "variant")
STATUSES = ("accepted", "rejected", "failed")
LABEL_ORIGINS = ("source", "target", "interpolated")
EDIT_KINDS = ("single", "continuous", "discrete")

NAME = pa.dictionary(pa.int32(), pa.string())
"""Few distinct strings: stored once, read as pandas categories."""

AU_VECTOR = pa.list_(pa.float32(), len(AU_NAMES))
WEIGHTS = pa.list_(pa.float32(), len(EMOTIONS))
IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
TIME = pa.timestamp("us", tz="UTC")

_TYPES: Mapping[str, pa.DataType] = {
    "variant_id": pa.string(),
    "kind": NAME,
    "parent_id": pa.string(),
    "image": IMAGE,
    "width": pa.int32(),
    "height": pa.int32(),
    "image_sha256": pa.string(),
    "dataset": pa.string(),
    "source_id": pa.string(),
    "source_path": pa.string(),
    "source_sha256": pa.string(),
    "split": NAME,
    "group_id": pa.string(),
    "licence": pa.string(),
    "label": pa.int64(),
    "label_name": NAME,
    "source_label": NAME,
    "label_weights": WEIGHTS,
    "label_origin": NAME,
    "edit_kind": NAME,
    "edit_name": pa.string(),
    "edit_strength": pa.float32(),
    "au_source": AU_VECTOR,
    "au_target": AU_VECTOR,
    "au_measured": AU_VECTOR,
    "au_estimator": NAME,
    "engine": NAME,
    "start_scale": NAME,
    "start_size": pa.int32(),
    "seed": pa.int64(),
    "sifid": pa.float32(),
    "sifid_features": NAME,
    "status": NAME,
    "reason": NAME,
    "message": pa.string(),
    "run_id": pa.string(),
    "created_at": TIME,
    "code_version": pa.string(),
    "settings_sha256": pa.string(),
    "weights_sha256": pa.string(),
}

_NEVER_NULL = frozenset({"variant_id", "kind", "dataset", "source_id", "source_path", "split", "group_id", "status"})
_VECTORS = {"au_source": len(AU_NAMES), "au_target": len(AU_NAMES), "au_measured": len(AU_NAMES)}
_ROUNDING = 1e-4


def _feature(kind: pa.DataType) -> dict[str, Any]:
    """Return the ``datasets`` description of one of our column types."""
    if pa.types.is_fixed_size_list(kind):
        return {"feature": {"dtype": "float32", "_type": "Value"}, "length": kind.list_size, "_type": "List"}
    if pa.types.is_dictionary(kind):
        return {"dtype": "string", "_type": "Value"}
    names = {
        pa.string(): "string",
        pa.int32(): "int32",
        pa.int64(): "int64",
        pa.float32(): "float32",
        TIME: "timestamp[us, tz=UTC]",
    }
    return {"dtype": names[kind], "_type": "Value"}


def huggingface_features(names: Iterable[str] = tuple(_TYPES)) -> dict[str, Any]:
    """Return the ``datasets`` features of these columns: Image, ClassLabel with our names, plain values."""
    special = {"image": {"_type": "Image"}, "label": {"names": list(EMOTIONS), "_type": "ClassLabel"}}
    return {name: special.get(name) or _feature(_TYPES[name]) for name in names}


def _metadata() -> dict[bytes, bytes]:
    ours = {
        "schema": SCHEMA_VERSION,
        "action_units": list(AU_NAMES),
        "labels": list(EMOTIONS),
        "label_map": dict(EMOTION_INDEX),
    }
    theirs = {"info": {"features": huggingface_features()}}
    return {b"huggingface": json.dumps(theirs).encode(), b"singanimation": json.dumps(ours).encode()}


SCHEMA: pa.Schema = pa.schema(
    [pa.field(name, kind, nullable=name not in _NEVER_NULL) for name, kind in _TYPES.items()], metadata=_metadata()
)


def schema_problem(schema: pa.Schema) -> str | None:
    """Return what makes this file's schema none of ours (no metadata, a newer version, other columns), else None."""
    raw = (schema.metadata or {}).get(b"singanimation")
    if raw is None:
        return "it was not written by this program (no `singanimation` metadata)"
    try:
        version = json.loads(raw)["schema"]
    except (ValueError, KeyError, TypeError):
        return "its `singanimation` metadata are damaged"
    if version != SCHEMA_VERSION:
        return f"it has schema version {version}, this program reads version {SCHEMA_VERSION}"
    if not schema.equals(SCHEMA):
        ours, theirs = set(SCHEMA.names), set(schema.names)
        differing = sorted((ours ^ theirs) or {n for n in ours if schema.field(n) != SCHEMA.field(n)})
        return f"its columns differ from schema version {SCHEMA_VERSION}: {', '.join(differing) or 'their order'}"
    return None


def rows_to_table(rows: Sequence[Row]) -> pa.Table:
    """Return the rows as a table of SCHEMA, in the order given.

    ``label`` becomes its ClassLabel number; a missing picture becomes a null struct; a missing ``image_sha256`` is
    computed. Raises ManifestError naming the first row and field that break the schema's rules.
    """
    seen: set[str] = set()
    for row in rows:
        _check(row)
        if row.variant_id in seen:
            raise ManifestError(f"Row {row.variant_id} is given twice; every row needs an id of its own.")
        seen.add(row.variant_id)
    columns = {name: [_value(row, name) for row in rows] for name in _TYPES}
    try:
        arrays = [pa.array(columns[name], type=kind) for name, kind in _TYPES.items()]
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, ValueError, TypeError) as error:
        raise ManifestError(f"A row does not fit the manifest's schema: {error}.") from error
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def _value(row: Row, name: str) -> Any:
    if name == "image":
        return None if row.image is None else {"bytes": row.image, "path": row.image_path}
    if name == "image_sha256" and row.image is not None:
        return row.image_sha256 or hashlib.sha256(row.image).hexdigest()
    if name == "label":
        return None if row.label is None else EMOTION_INDEX[row.label]
    if name == "label_name":
        return row.label
    return getattr(row, name)


def _check(row: Row) -> None:
    """Raise ManifestError for a row that no reader could trust."""

    def broken(field: str, why: str) -> ManifestError:
        return ManifestError(f"Row {row.variant_id or '(without id)'} of {row.source_id or '?'}: {field} {why}.")

    for field in _NEVER_NULL:
        if not getattr(row, field):
            raise broken(field, "is missing")
    allowed = {
        "kind": KINDS,
        "status": STATUSES,
        "label": (None, *EMOTIONS),
        "label_origin": (None, *LABEL_ORIGINS),
        "edit_kind": (None, *EDIT_KINDS),
    }
    for field, values in allowed.items():
        if getattr(row, field) not in values:
            raise broken(field, f"is {getattr(row, field)!r}, not one of {', '.join(map(str, values))}")
    if row.kind != "real" and not row.parent_id:
        raise broken("parent_id", f"is missing, but a row of kind {row.kind} has a parent")
    if row.status != "accepted" and not row.reason:
        raise broken("reason", f"is missing, but the row is {row.status}")
    if row.kind == "variant" and row.status == "accepted" and row.image is None:
        raise broken("image", "is missing, but the variant is accepted")
    if row.image is not None and not (row.width and row.height):
        raise broken("width and height", "are missing, but there is a picture")
    for field, length in _VECTORS.items():
        _check_vector(getattr(row, field), length, lambda why, field=field: broken(field, why))
    if row.label_weights is not None:
        _check_vector(row.label_weights, len(EMOTIONS), lambda why: broken("label_weights", why))
        if abs(sum(row.label_weights) - 1) > 1e-3:
            raise broken("label_weights", f"sum to {sum(row.label_weights):.4f}, not to 1")


def _check_vector(vector: Sequence[float] | None, length: int, broken: Any) -> None:
    if vector is None:
        return
    values = np.asarray(vector, np.float64)
    if values.shape != (length,):
        raise broken(f"has shape {values.shape}, not ({length},)")
    if not np.isfinite(values).all() or values.min() < -_ROUNDING or values.max() > 1 + _ROUNDING:
        raise broken(f"has values outside 0..1 ({values.min():.4g}..{values.max():.4g})")
