"""The manifest's schema, version 2: one explicit pyarrow schema for every writer and every reader.

Version 2 is version 1 with columns added, all of them nullable, and with times as text (``with_format("torch")`` of
``datasets`` fails on a timestamp). Parts of version 1 are brought up to it as they are read (``conform``). To add a
column, add it to ``_ADDED`` and a field of its name to ``Row``: nothing else knows columns by number. The metadata
carry two keys: ``huggingface`` (so that ``datasets`` decodes pictures and label names) and ``singanimation`` (schema
version, AU order, label map).
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from singanimation.pipeline.expressions import AU_NAMES, EMOTION_INDEX, EMOTIONS
from singanimation.pipeline.records import KINDS as KINDS
from singanimation.pipeline.records import STATUSES as STATUSES

SCHEMA_VERSION = 2
LABEL_ORIGINS = ("source", "target", "interpolated")

NAME = pa.dictionary(pa.int32(), pa.string())
"""Few distinct strings: stored once, read as pandas categories."""

AU_VECTOR = pa.list_(pa.float32(), len(AU_NAMES))
WEIGHTS = pa.list_(pa.float32(), len(EMOTIONS))
IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])

_FIRST: Mapping[str, pa.DataType] = {
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
    "created_at": pa.string(),
    "code_version": pa.string(),
    "settings_sha256": pa.string(),
    "weights_sha256": pa.string(),
}

_ADDED: Mapping[str, pa.DataType] = {
    "edit_form": NAME,
    "edit_donor": pa.string(),
    "expression_found": pa.float32(),
    "expression_source": pa.float32(),
    "attribute": NAME,
    "attribute_change": NAME,
    "attribute_weights": NAME,
}
"""Columns that parts may lack: those added since version 1, in the order of their addition, never one that is needed.

``edit_form`` names the form of its emotion that an edit shows, ``edit_donor`` the ``source_id`` of the picture whose
action units it aims at. ``expression_found`` and ``expression_source`` are what an expression judge
(``--expression-judge``) gives the edit's own emotion and its source's, 0..1. ``attribute`` is what an edit of
appearance changes (spectacles, beard), ``attribute_change`` how (added, removed, exchanged), ``attribute_weights`` the
digest of the networks that did.
"""

_TYPES = {**_FIRST, **_ADDED}
ADDED = frozenset(_ADDED)
NEVER_NULL = frozenset({"variant_id", "kind", "dataset", "source_id", "source_path", "split", "group_id", "status"})


def _feature(kind: pa.DataType) -> dict[str, Any]:
    """Return the ``datasets`` description of one of our column types.

    ``Sequence`` is read by ``datasets`` 3 and 5, its newer name ``List`` only since 4.
    """
    if pa.types.is_fixed_size_list(kind):
        return {"feature": {"dtype": "float32", "_type": "Value"}, "length": kind.list_size, "_type": "Sequence"}
    if pa.types.is_dictionary(kind):
        return {"dtype": "string", "_type": "Value"}
    names = {
        pa.string(): "string",
        pa.int32(): "int32",
        pa.int64(): "int64",
        pa.float32(): "float32",
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
    [pa.field(name, kind, nullable=name not in NEVER_NULL) for name, kind in _TYPES.items()], metadata=_metadata()
)
