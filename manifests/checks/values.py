"""Values that no row may have: labels against their names, words that do not exist, figures that are none."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from singanimation.manifests.arrow_functions import pc
from singanimation.manifests.schema import KINDS, LABEL_ORIGINS, NEVER_NULL, STATUSES
from singanimation.pipeline.expressions import EMOTIONS
from singanimation.pipeline.expressions import KINDS as EDIT_KINDS

VALUE_COLUMNS = (
    *sorted(NEVER_NULL),
    *("label", "label_name", "label_origin", "label_weights", "edit_kind", "edit_strength", "reason", "created_at"),
    *("au_source", "au_target", "au_measured", "sifid", "image_sha256", "width", "height"),
    *("expression_found", "expression_source"),
)
"""What ``value_faults`` looks at."""

_WORDS = {"kind": KINDS, "status": STATUSES, "label_origin": LABEL_ORIGINS, "edit_kind": EDIT_KINDS}
_TIME = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)$"
_ROUNDING = 1e-4
_SUM_ROUNDING = 1e-3


def value_faults(table: pa.Table) -> Iterator[tuple[str, str, pa.Array | pa.ChunkedArray]]:
    """Yield (check, sentence, which rows) for a table with VALUE_COLUMNS, dictionaries as strings."""
    yield from _labels(table)
    for name, words in _WORDS.items():
        column = table.column(name)
        unknown = pc.and_(pc.is_valid(column), pc.invert(pc.is_in(column, value_set=pa.array(words))))
        yield "words", f"{{count}} rows have a {name} that does not exist (not one of {', '.join(words)})", unknown
    for name in sorted(NEVER_NULL):
        column = table.column(name)
        lacking = pc.or_kleene(pc.is_null(column), pc.equal(column, ""))
        yield "missing", f"{{count}} rows have no {name}", lacking
    yield from _status(table)
    yield from _figures(table)
    for name in ("au_source", "au_target", "au_measured", "label_weights"):
        yield "figures", f"{{count}} rows have {name} that are no numbers in 0..1", _outside(table.column(name))
    sums = _sums_off(table.column("label_weights"))
    yield "figures", "{count} rows have label_weights that do not sum to 1", sums


def _labels(table: pa.Table) -> Iterator[tuple[str, str, pa.ChunkedArray]]:
    label, name = table.column("label"), table.column("label_name")
    beyond = pc.or_(pc.less(label, 0), pc.greater_equal(label, len(EMOTIONS)))
    yield "labels", f"{{count}} rows have a label outside 0..{len(EMOTIONS) - 1}", beyond
    wrong = pc.not_equal(pc.is_null(label), pc.is_null(name))
    yield "labels", "{count} rows have a label without its name or the reverse", wrong
    number = pc.index_in(name, value_set=pa.array(EMOTIONS))
    both = pc.and_(pc.and_(pc.is_valid(label), pc.is_valid(name)), pc.invert(pc.fill_null(beyond, False)))
    other = pc.or_kleene(pc.is_null(number), pc.not_equal(number, label))
    yield "labels", "{count} rows have a label_name that is not their label's", pc.and_(both, other)


def _status(table: pa.Table) -> Iterator[tuple[str, str, pa.ChunkedArray]]:
    status, digest = table.column("status"), table.column("image_sha256")
    lacking = pc.and_(pc.not_equal(status, "accepted"), pc.is_null(table.column("reason")))
    yield "missing", "{count} rows are not accepted and have no reason", lacking
    good = pc.and_(pc.equal(table.column("kind"), "variant"), pc.equal(status, "accepted"))
    yield "pictures", "{count} accepted variants have no picture", pc.and_(good, pc.is_null(digest))
    sizes = [pc.fill_null(pc.greater(table.column(name), 0), False) for name in ("width", "height")]
    yield (
        "pictures",
        "{count} pictures have no width or height",
        pc.and_(pc.is_valid(digest), pc.invert(pc.and_(*sizes))),
    )


def _figures(table: pa.Table) -> Iterator[tuple[str, str, pa.ChunkedArray]]:
    for name in ("sifid", "edit_strength"):
        column = table.column(name)
        bad = pc.or_(pc.invert(pc.is_finite(column)), pc.less(column, 0))
        yield "figures", f"{{count}} rows have a {name} that is no figure from 0 up", bad
    for name in ("expression_found", "expression_source"):
        column = table.column(name)
        bad = pc.or_(pc.invert(pc.is_finite(column)), pc.or_(pc.less(column, 0), pc.greater(column, 1 + _ROUNDING)))
        yield "figures", f"{{count}} rows have a {name} that is no figure in 0..1", bad
    column = table.column("created_at")
    no_time = pc.invert(pc.match_substring_regex(column, _TIME))
    yield "figures", "{count} rows have a created_at that is no time", no_time


def _vectors(column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """Return which rows have a vector, and these as (rows, length) float64; missing elements are NaN."""
    there = np.asarray(pc.is_valid(column))
    flat = pa.chunked_array([chunk.flatten() for chunk in column.chunks], column.type.value_type)
    return there, np.asarray(flat.to_numpy(), np.float64).reshape(-1, column.type.list_size)


def _outside(column: pa.ChunkedArray) -> pa.Array:
    there, values = _vectors(column)
    bad = np.zeros(len(column), bool)
    with np.errstate(invalid="ignore"):
        fine = (values >= -_ROUNDING) & (values <= 1 + _ROUNDING)  # never true of NaN
    bad[there] = ~fine.all(axis=1)
    return pa.array(bad)


def _sums_off(column: pa.ChunkedArray) -> pa.Array:
    there, values = _vectors(column)
    bad = np.zeros(len(column), bool)
    bad[there] = np.abs(values.sum(axis=1) - 1) > _SUM_ROUNDING
    return pa.array(bad)
