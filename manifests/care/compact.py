"""Merging a manifest's parts into few files: never by itself, never losing a row, whenever it is interrupted.

A plan file names the old parts and the new ones before anything is written. Old parts go only once every new one is
whole; an interrupted compaction is finished, or undone, by ``finish_compaction``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from singanimation.manifests.arrow_functions import pc
from singanimation.manifests.care.compaction_plan import CompactionPlan, finish_compaction
from singanimation.manifests.care.rewrite import refuse_strange_columns, rewrite_part
from singanimation.manifests.conform import is_todays
from singanimation.manifests.reading import MANIFEST_FOLDER, iter_tables, open_part, part_paths
from singanimation.manifests.write import part_name, part_writer, remove_leftovers
from singanimation.pipeline.errors import ManifestError
from singanimation.pipeline.files.atomic import atomic_file

TARGET_BYTES = 256 * 1024 * 1024
# A training script that shuffles reads one row group for each picture: they stay small.
GROUP_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True)
class Compaction:
    """What was done: how many parts there were, and the files that hold their rows now."""

    before: int
    after: int
    rows: int
    written: tuple[Path, ...]


def compact(path: Path, *, target_bytes: int = TARGET_BYTES) -> Compaction:
    """Merge the parts of an output folder into files of about ``target_bytes``; rows and their order are kept.

    Parts of nothing but failed sources stay alone, so that ``--retry-failed`` can replace them. All parts then have
    today's schema: files of differing schemas are more than ``datasets`` reads. Hold the output folder's lock. Raises
    ManifestError for damaged parts or ids that occur twice, MachineError for the disk.
    """
    folder = path / MANIFEST_FOLDER if (path / MANIFEST_FOLDER).is_dir() else path
    finish_compaction(folder)
    remove_leftovers(folder)
    refuse_strange_columns(part_paths(folder))
    parts = _examine(part_paths(folder))
    groups = [
        group for group in _groups([part for part in parts if not part.only_failed], target_bytes) if len(group) > 1
    ]
    plan = CompactionPlan(
        old=tuple(part.path.name for group in groups for part in group),
        new=tuple(
            (part_name("compacted", *(part.path.name for part in group)), sum(part.rows for part in group))
            for group in groups
        ),
    )
    if groups:
        plan.write(folder)
        try:
            for group, (name, _) in zip(groups, plan.new, strict=True):
                _merge([part.path for part in group], folder / name)
        finally:
            finish_compaction(folder)
    for part in part_paths(folder):
        if not is_todays(open_part(part).schema_arrow):
            rewrite_part(part)
    written = tuple(folder / name for name, _ in plan.new)
    after = len(parts) - len(plan.old) + len(written)
    return Compaction(before=len(parts), after=after, rows=sum(part.rows for part in parts), written=written)


@dataclass(frozen=True)
class _Part:
    path: Path
    rows: int
    only_failed: bool


def _examine(paths: Sequence[Path]) -> list[_Part]:
    """Read what there is to know about each part; raise ManifestError for damage and for ids that occur twice."""
    parts: list[_Part] = []
    ids: list[pa.Table] = []
    for path in paths:
        tables = [table.replace_schema_metadata(None) for _, table in iter_tables([path], ("variant_id", "status"))]
        statuses = {str(status) for table in tables for status in table.column("status").unique().to_pylist()}
        parts.append(_Part(path, sum(table.num_rows for table in tables), statuses == {"failed"}))
        ids.extend(table.select(["variant_id"]) for table in tables)
    whole = pa.concat_tables(ids)
    doubled = whole.num_rows - pc.count_distinct(whole.column("variant_id")).as_py()
    if doubled:
        raise ManifestError(f"{doubled:,} ids occur more than once; `augment verify` names them, mend that first.")
    return parts


def _groups(parts: Sequence[_Part], target_bytes: int) -> Iterator[list[_Part]]:
    group: list[_Part] = []
    size = 0
    for part in parts:
        part_bytes = part.path.stat().st_size
        if group and size + part_bytes > target_bytes:
            yield group
            group, size = [], 0
        group.append(part)
        size += part_bytes
    if group:
        yield group


def _merge(parts: Sequence[Path], target: Path) -> None:
    with atomic_file(target) as file, part_writer(file) as writer:
        waiting: list[pa.Table] = []
        size = 0
        for _, table in iter_tables(parts):
            waiting.append(table)
            size += table.nbytes
            if size >= GROUP_BYTES:
                _write_group(writer, waiting)
                waiting, size = [], 0
        _write_group(writer, waiting)


def _write_group(writer: pq.ParquetWriter, tables: list[pa.Table]) -> None:
    if tables:
        whole = pa.concat_tables(tables).unify_dictionaries()
        per_row = max(1, whole.nbytes // max(1, whole.num_rows))
        writer.write_table(whole, row_group_size=max(1, GROUP_BYTES // per_row))
