"""Part files looked at as files: every column of every row group read, and what their footers say compared with it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from singanimation.manifests.arrow_functions import pc
from singanimation.manifests.conform import KEY, conform, is_todays
from singanimation.manifests.reading import damaged, open_part
from singanimation.manifests.schema import SCHEMA

_FEATURES = b"huggingface"
_COMPARED = (pa.string(), pa.int32(), pa.int64(), pa.float32())


class PartFile:
    """One part: ``tables`` reads it, after which ``problems`` says what is odd about the file.

    Raises ManifestError for a file that is no part, or cannot be read.
    """

    def __init__(self, path: Path, *, pictures: bool) -> None:
        self.path = path
        self._part = open_part(path)
        schema = self._part.schema_arrow
        self._ours = KEY in (schema.metadata or {})
        self.todays = is_todays(schema)
        self._names = [name for name in SCHEMA.names if pictures or name != "image"]
        self.problems: list[str] = []
        if self.todays and not _tells(schema):
            self.problems.append("its metadata do not tell `datasets` what the columns are")

    def tables(self) -> Iterator[pa.Table]:
        """Yield each row group with today's types; without ``pictures`` all but those."""
        rows = 0
        try:
            for group in range(self._part.num_row_groups):
                table = self._part.read_row_group(group, columns=self._names, use_threads=False)
                rows += table.num_rows
                # others cut long texts in their statistics
                if self._ours and not _statistics_hold(self._part.metadata.row_group(group), table):
                    self.problems.append(f"the statistics of row group {group} are not those of its rows")
                yield conform(table, self._names)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise damaged(self.path, error) from error
        if rows != self._part.metadata.num_rows:
            self.problems.append(f"it says that it has {self._part.metadata.num_rows:,} rows, and has {rows:,}")


def _tells(schema: pa.Schema) -> bool:
    try:
        return json.loads((schema.metadata or {})[_FEATURES]) == json.loads((SCHEMA.metadata or {})[_FEATURES])
    except (KeyError, ValueError):
        return False


def _statistics_hold(group: pq.RowGroupMetaData, table: pa.Table) -> bool:
    """Return whether the rows lie within the smallest and largest values that a footer tells.

    Readers that look for some rows skip whole groups by them. Wider ones only cost time.
    """
    for number in range(group.num_columns):
        chunk = group.column(number)
        name, told = chunk.path_in_schema, chunk.statistics
        if told is None or name not in table.schema.names:
            continue
        column = table.column(name)
        if pa.types.is_dictionary(column.type):
            column = column.cast(pa.string())
        if column.type not in _COMPARED:
            continue
        if told.has_null_count and told.null_count != column.null_count:
            return False
        found = pc.min_max(column).as_py()
        if told.has_min_max and found["min"] is not None and not told.min <= found["min"] <= found["max"] <= told.max:
            return False
    return True
