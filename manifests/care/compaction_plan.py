"""The plan of a compaction: written before its first file, finished or undone after whatever interrupted it.

It is the only file here that says which parts may go, so it is believed only as far as the parts bear it out: a part
is removed when every one of its rows is in the parts that stay.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from singanimation.manifests.arrow_functions import pc
from singanimation.manifests.reading import iter_tables
from singanimation.pipeline.errors import ManifestError
from singanimation.pipeline.files.atomic import atomic_file, disk_fault
from singanimation.pipeline.files.places import open_to_read

PLAN = ".compaction.json"
_PART = re.compile(r"[^./\\][^/\\]*\.parquet")


@dataclass(frozen=True)
class CompactionPlan:
    """The names of the parts that are merged, and of the new ones with the rows that each will have."""

    old: tuple[str, ...]
    new: tuple[tuple[str, int], ...]

    def write(self, folder: Path) -> None:
        """Write the plan into the manifest's folder. Raises MachineError for the disk."""
        content = {"old": self.old, "new": [{"name": name, "rows": rows} for name, rows in self.new]}
        with atomic_file(folder / PLAN) as file:
            file.write(json.dumps(content).encode())


def finish_compaction(folder: Path) -> bool:
    """Finish a compaction whose new parts are whole, undo one whose are not; return whether there was any.

    Raises ManifestError, and removes nothing, where neither side's rows are all in the other's.
    """
    plan_file = folder / PLAN
    if not plan_file.is_file():
        return False
    plan = _read_plan(plan_file)
    gone = _removable(folder, plan)
    if gone is None:
        raise ManifestError(
            f"{plan_file} tells of a compaction whose parts do not hold one another's rows; nothing was removed. "
            "`augment verify` names what is damaged; then remove that file."
        )
    try:
        for name in gone:
            (folder / name).unlink(missing_ok=True)
        plan_file.unlink()
    except OSError as error:
        raise disk_fault(folder, error) from error
    return True


def _removable(folder: Path, plan: CompactionPlan) -> Sequence[str] | None:
    """Return the parts that may go: the old ones, else the new ones, else (None) neither."""
    old = _ids(folder / name for name in plan.old if (folder / name).exists())
    new = _ids(folder / name for name, _ in plan.new if (folder / name).exists())
    whole = all(_rows(folder / name) == rows for name, rows in plan.new)
    if whole and old is not None and new is not None and _within(old, new):
        return plan.old
    if old is not None and all((folder / name).exists() for name in plan.old) and (new is None or _within(new, old)):
        return [name for name, _ in plan.new]
    return None


def _read_plan(plan_file: Path) -> CompactionPlan:
    try:
        plan = json.loads(plan_file.read_text(encoding="utf-8"))
        old = tuple(str(name) for name in plan["old"])
        new = tuple((str(new["name"]), int(new["rows"])) for new in plan["new"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ManifestError(f"{plan_file} is damaged; run `augment verify`, then remove it.") from error
    names = [*old, *(name for name, _ in new)]
    if any(_PART.fullmatch(name) is None for name in names):
        raise ManifestError(f"{plan_file} names files that are no parts, or lie outside the manifest; remove it.")
    if len(set(names)) < len(names):
        raise ManifestError(f"{plan_file} names a part twice; run `augment verify`, then remove it.")
    return CompactionPlan(old, new)


def _ids(paths: Iterable[Path]) -> pa.ChunkedArray | None:
    """Return the ids in these parts; None where one of them cannot be read."""
    try:
        chunks = [table.column("variant_id").combine_chunks() for _, table in iter_tables(list(paths), ["variant_id"])]
    except ManifestError:
        return None
    return pa.chunked_array(chunks, pa.string())


def _within(some: pa.ChunkedArray, others: pa.ChunkedArray) -> bool:
    return pc.all(pc.is_in(some, value_set=others)).as_py() is not False


def _rows(path: Path) -> int:
    try:
        return pq.read_metadata(open_to_read(path)).num_rows
    except (pa.ArrowException, OSError, ValueError):
        return -1
