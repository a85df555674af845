"""Rows in plain Python values become a table of the manifest's schema, or a sentence that names what is wrong."""

import hashlib
from collections.abc import Sequence
from datetime import UTC
from typing import Any

import numpy as np
import pyarrow as pa

from singanimation.manifests.schema import KINDS, LABEL_ORIGINS, NEVER_NULL, SCHEMA, STATUSES
from singanimation.pipeline.errors import ManifestError
from singanimation.pipeline.expressions import AU_NAMES, COMPOUNDS, EMOTION_INDEX, EMOTIONS
from singanimation.pipeline.expressions import KINDS as EDIT_KINDS
from singanimation.pipeline.records import Row

_VECTORS = {"au_source": len(AU_NAMES), "au_target": len(AU_NAMES), "au_measured": len(AU_NAMES)}
_ROUNDING = 1e-4


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
    columns = {name: [_value(row, name) for row in rows] for name in SCHEMA.names}
    try:
        arrays = [pa.array(columns[field.name], type=field.type) for field in SCHEMA]
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
        return row.label or row.compound
    if name == "created_at" and row.created_at is not None:
        return row.created_at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
    return getattr(row, name)


def _check(row: Row) -> None:
    """Raise ManifestError for a row that no reader could trust."""

    def broken(field: str, why: str) -> ManifestError:
        return ManifestError(f"Row {row.variant_id or '(without id)'} of {row.source_id or '?'}: {field} {why}.")

    for field in NEVER_NULL:
        if not getattr(row, field):
            raise broken(field, "is missing")
    allowed = {
        "kind": KINDS,
        "status": STATUSES,
        "label": (None, *EMOTIONS),
        "compound": (None, *COMPOUNDS),
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
