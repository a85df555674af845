"""Is a manifest whole? Schema, hashes, duplicates, parents, leakage between splits, counts against the runs' summaries.

Every fault is named; nothing is changed. Memory: the ids (36 bytes a row) and one row group at a time.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from singanimation.manifests.arrow_functions import pc
from singanimation.manifests.compaction_plan import PLAN
from singanimation.manifests.leakage import LEAK_COLUMNS, Leakage
from singanimation.manifests.reading import iter_tables, part_paths
from singanimation.manifests.schema import SCHEMA
from singanimation.manifests.write import LEFTOVER, being_written
from singanimation.pipeline.errors import ManifestError, PictureError
from singanimation.pipeline.files.pictures import picture_size

_ID_COLUMNS = ("variant_id", "parent_id", "kind", "status", "run_id", "label", "label_name")
_COLUMNS = tuple(dict.fromkeys((*_ID_COLUMNS, *LEAK_COLUMNS)))
_PLAIN = pa.schema(
    [
        pa.field(
            name,
            pa.string() if pa.types.is_dictionary(SCHEMA.field(name).type) else SCHEMA.field(name).type,
            nullable=SCHEMA.field(name).nullable,
        )
        for name in _COLUMNS
    ]
)
_BATCH_ROWS = 100_000
_SHOWN = 10


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong: the check that found it, and a sentence with names."""

    check: str
    message: str


@dataclass
class Verification:
    """What was checked, and what is wrong with it; ``clean`` where nothing is."""

    parts: int = 0
    rows: int = 0
    pictures: int = 0
    faults: list[Fault] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether no fault was found."""
        return not self.faults

    def add(self, check: str, sentence: str, names: Sequence[str]) -> None:
        """Add a fault about ``names`` (``{count}`` in the sentence), nothing where there are none."""
        if names:
            more = f", and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
            text = sentence.replace("{count}", f"{len(names):,}")
            self.faults.append(Fault(check, f"{text}: {', '.join(names[:_SHOWN])}{more}."))


def verify(path: Path | str, *, pictures: bool = True) -> Verification:
    """Check a manifest; ``pictures`` False leaves the pictures' bytes alone (seconds for a million rows).

    Raises ManifestError only where there is no manifest at all.
    """
    result = Verification()
    good: list[Path] = []
    run_counts = _check_rows(_sound_tables(part_paths(path), good, result), result)
    result.parts = len(good)
    for part in good if pictures else []:
        try:
            for _, table in iter_tables([part], ("variant_id", "image", "image_sha256", "width", "height")):
                _check_pictures(part, table, result)
        except ManifestError as error:
            result.faults.append(Fault("schema", str(error)))
    output = _output_folder(Path(path))
    if output is not None:
        _check_summaries(output, run_counts, result)
        hidden = sorted((output / "manifest").glob(".*"))
        left = [entry.name for entry in hidden if LEFTOVER.match(entry.name) and not being_written(entry)]
        result.add("leftovers", "{count} temporary files of killed runs are left, the next run removes them", left)
        result.add(
            "leftovers",
            "{count} compaction was interrupted, `augment compact` finishes it",
            [entry.name for entry in hidden if entry.name == PLAN],
        )
    return result


def _sound_tables(paths: Sequence[Path], good: list[Path], result: Verification) -> Iterator[pa.Table]:
    """Yield the small columns of all parts that can be read, many parts in one table; note the others as faults."""
    waiting: list[pa.Table] = []
    rows = 0
    for path in paths:
        try:
            tables = [_plain(table) for _, table in iter_tables([path], _COLUMNS)]
        except ManifestError as error:
            result.faults.append(Fault("schema", str(error)))
            continue
        good.append(path)
        waiting.extend(tables)
        rows += sum(table.num_rows for table in tables)
        if rows >= _BATCH_ROWS:
            yield pa.concat_tables(waiting)
            waiting, rows = [], 0
    if waiting:
        yield pa.concat_tables(waiting)


def _check_rows(tables: Iterator[pa.Table], result: Verification) -> Counter[tuple[str, str, str]]:
    """Check ids, parents, labels and splits; return the rows per (run, kind, status)."""
    ids: list[pa.Table] = []
    runs: Counter[tuple[str, str, str]] = Counter()
    leakage = Leakage()
    for table in tables:
        result.rows += table.num_rows
        leakage.add(table)
        counted = table.group_by(["run_id", "kind", "status"]).aggregate([([], "count_all")])
        for row in counted.to_pylist():
            runs[row["run_id"], row["kind"], row["status"]] += row["count_all"]
        wrong = pc.not_equal(pc.is_null(table.column("label")), pc.is_null(table.column("label_name")))
        result.add(
            "labels",
            "{count} rows have a label without its name or the reverse",
            table.filter(wrong).column("variant_id").to_pylist(),
        )
        ids.append(table.select(["variant_id", "parent_id", "kind"]))
    if ids:
        _check_ids(pa.concat_tables(ids), result)
    for check, sentence, names in leakage.faults():
        result.add(check, sentence, names)
    return runs


def _check_ids(whole: pa.Table, result: Verification) -> None:
    counts = whole.group_by("variant_id").aggregate([([], "count_all")])
    doubled = counts.filter(pc.greater(counts.column("count_all"), 1)).column("variant_id").to_pylist()
    result.add("duplicates", "{count} ids occur more than once", sorted(doubled))
    kinds = {kind: whole.filter(pc.equal(whole.column("kind"), kind)) for kind in ("real", "edit", "variant")}
    for kind, parent in (("edit", "real"), ("variant", "edit")):
        known = pc.is_in(kinds[kind].column("parent_id"), value_set=kinds[parent].column("variant_id").combine_chunks())
        lost = kinds[kind].filter(pc.invert(known)).column("variant_id").to_pylist()
        result.add("parents", f"{{count}} {kind} rows have no {parent} row as their parent", sorted(lost))


def _check_pictures(part: Path, table: pa.Table, result: Verification) -> None:
    wrong_hash, unreadable, wrong_size = [], [], []
    for row in table.to_pylist():
        data = (row["image"] or {}).get("bytes")
        if data is None:
            if row["image"] is not None:
                unreadable.append(row["variant_id"])
            continue
        result.pictures += 1
        if hashlib.sha256(data).hexdigest() != row["image_sha256"]:
            wrong_hash.append(row["variant_id"])
        try:
            if picture_size(data) != (row["width"], row["height"]):
                wrong_size.append(row["variant_id"])
        except PictureError:
            unreadable.append(row["variant_id"])
    result.add("hashes", f"{part.name}: {{count}} pictures are not those that their image_sha256 names", wrong_hash)
    result.add("pictures", f"{part.name}: {{count}} pictures cannot be read", unreadable)
    result.add("pictures", f"{part.name}: {{count}} pictures have another width or height than their row", wrong_size)


def _check_summaries(output: Path, runs: Counter[tuple[str, str, str]], result: Verification) -> None:
    """Compare each finished run's summary with its rows: fewer rows are lost ones, more are strangers."""
    for path, summary in _summaries(output):
        try:
            run_id = str(summary["run_id"])
            accepted = int(summary["variants"]["accepted"])
            rejected = sum(map(int, summary["variants"]["rejected"].values()))
        except (KeyError, TypeError, ValueError, AttributeError):
            result.faults.append(Fault("summaries", f"{path} has not the form of a run's summary."))
            continue
        found = {status: runs[run_id, "variant", status] for status in ("accepted", "rejected")}
        told, there = accepted + rejected, sum(found.values())
        # --retry-failed may since have turned rejected ones into accepted ones, never the reverse
        if there < told or (there > told and not summary.get("stopped")) or found["accepted"] < accepted:
            message = f"{path} tells of {accepted:,} accepted and {rejected:,} rejected variants, the manifest holds "
            message += f"{found['accepted']:,} and {found['rejected']:,} of that run."
            result.faults.append(Fault("summaries", message))


def _summaries(output: Path) -> Iterator[tuple[Path, dict]]:
    for path in sorted(output.glob("runs/*/summary.json")):
        try:
            summary = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            summary = None
        yield path, summary if isinstance(summary, dict) else {}


def _output_folder(path: Path) -> Path | None:
    """Return the output folder that a manifest path means, where it is one."""
    for folder in (path, path.parent):
        if (folder / "manifest").is_dir():
            return folder
    return None


def _plain(table: pa.Table) -> pa.Table:
    """Return the table without metadata, its dictionaries as strings."""
    return table.replace_schema_metadata(None).cast(_PLAIN)
