"""Parts written anew: for a limit that rose, for rows that are to go, for a schema that grew.

Each part is whole before it takes the old one's place. Hold the output folder's lock.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa

from singanimation.manifests.conform import unknown_columns
from singanimation.manifests.reading import iter_tables, open_part
from singanimation.manifests.write import part_writer
from singanimation.pipeline.errors import ManifestError
from singanimation.pipeline.files.atomic import atomic_file, disk_fault


def rewrite_part(part: Path, change: Callable[[pa.Table], pa.Table] | None = None) -> None:
    """Write a part anew with today's schema, its row groups as ``change`` gives them back; without a row it goes.

    Raises ManifestError for a damaged part or one with columns that would be lost, MachineError for the disk.
    """
    refuse_strange_columns([part])
    rows = 0
    with atomic_file(part) as file, part_writer(file) as writer:
        for _, table in iter_tables([part]):
            changed = _without_leftovers(change(table)) if change else table
            if changed.num_rows:
                writer.write_table(changed, row_group_size=changed.num_rows)
                rows += changed.num_rows
    if not rows:
        try:
            part.unlink()
        except OSError as error:
            raise disk_fault(part, error) from error


def refuse_strange_columns(parts: Sequence[Path]) -> None:
    """Raise ManifestError for a part that another tool gave columns that are not the manifest's."""
    for part in parts:
        strange = unknown_columns(open_part(part).schema_arrow)
        if strange:
            columns = ", ".join(strange)
            raise ManifestError(
                f"{part} has columns that are not the manifest's ({columns}), which would be lost; take them out first."
            )


def _without_leftovers(table: pa.Table) -> pa.Table:
    """Return a table whose dictionaries hold no value that was in rows that are gone."""
    for place, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            fresh = table.column(place).cast(pa.string()).combine_chunks().dictionary_encode()
            table = table.set_column(place, field, fresh.cast(field.type))
    return table
