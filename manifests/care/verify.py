"""Is a manifest whole and sound? Files, values, hashes, duplicates, parents, leakage, runs' summaries, the data set.

Every fault is named, with what mends it; nothing is changed. Memory: the ids (about 100 bytes a row) and one row group
at a time.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from singanimation.manifests.arrow_functions import pc
from singanimation.manifests.care.compaction_plan import PLAN
from singanimation.manifests.care.leakage import LEAK_COLUMNS, Leakage
from singanimation.manifests.care.removal import removed_rows
from singanimation.manifests.care.stale import find_stale
from singanimation.manifests.checks.files import PartFile
from singanimation.manifests.checks.findings import Fault as Fault
from singanimation.manifests.checks.findings import Verification, make_anew
from singanimation.manifests.checks.rows import ID_COLUMNS, PART, REAL_COLUMNS, changed_sources, check_ids
from singanimation.manifests.checks.runs import Runs, check_summaries
from singanimation.manifests.checks.values import VALUE_COLUMNS, value_faults
from singanimation.manifests.reading import part_paths
from singanimation.manifests.schema import SCHEMA
from singanimation.manifests.write import LEFTOVER, being_written
from singanimation.pipeline.datasets.dataset import Dataset
from singanimation.pipeline.errors import ManifestError, PictureError
from singanimation.pipeline.files.pictures import picture_size
from singanimation.pipeline.files.places import place

_COLUMNS = tuple(dict.fromkeys((*ID_COLUMNS[:-1], "run_id", *LEAK_COLUMNS, *VALUE_COLUMNS)))
_PLAIN = pa.schema(
    [
        pa.field(name, pa.string() if pa.types.is_dictionary(kind := SCHEMA.field(name).type) else kind)
        for name in _COLUMNS
    ]
)
_BATCH_ROWS = 50_000
_SPLITS = "mend the splits or people in the data set, then `augment prune` takes out the rows that say otherwise"


def verify(path: Path | str, *, pictures: bool = True, datasets: Sequence[Dataset] = ()) -> Verification:
    """Check a manifest; ``pictures`` False leaves the pictures' bytes alone (about a minute for a million rows).

    With ``datasets``, those that it was made of, stale rows are named: of pictures that are gone or changed. Raises
    ManifestError only where there is no manifest at all.
    """
    result = Verification()
    good: list[Path] = []
    runs, ids = _check_rows(_sound_tables(part_paths(path), good, result, pictures), result, bool(datasets))
    result.parts = len(good)
    output = _output_folder(place(path))
    if output is not None:
        try:
            check_summaries(output, runs, removed_rows(output, ids), result)
        except ManifestError as error:
            result.faults.append(Fault("summaries", str(error)))
        _check_leftovers(output, result)
    if datasets:
        stale = find_stale(good, datasets, pictures=pictures)
        for sentence, sources in stale.sentences():
            result.add("stale", sentence, sources, "`augment prune` with the same --input takes their rows out")
    return result


def _sound_tables(paths: Sequence[Path], good: list[Path], result: Verification, pictures: bool) -> Iterator[pa.Table]:
    """Yield the columns that are checked of all parts that can be read, many parts in one table; note the others."""
    waiting: list[pa.Table] = []
    rows = older = 0
    for path in paths:
        try:
            part = PartFile(path, pictures=pictures)
            tables = [_looked_at(part, table, result, pictures) for table in part.tables()]
        except ManifestError as error:
            result.faults.append(Fault("schema", str(error)))
            continue
        result.add("files", f"{path.name} has {{count}} faults", part.problems, make_anew([path.name]))
        good.append(path)
        older += not part.todays
        waiting.extend(tables)
        rows += sum(table.num_rows for table in tables)
        if rows >= _BATCH_ROWS:
            yield pa.concat_tables(waiting)
            waiting, rows = [], 0
    if waiting:
        yield pa.concat_tables(waiting)
    if older:
        result.notes.append(
            f"{older:,} of {len(good):,} parts have an older schema or went through another tool; `augment compact` "
            "brings them to today's, which `datasets` needs where others are beside them."
        )


def _looked_at(part: PartFile, table: pa.Table, result: Verification, pictures: bool) -> pa.Table:
    """Check the pictures of a row group; return its other columns, with the part's name."""
    if pictures:
        _check_pictures(part.path, table, result)
    plain = table.select(_COLUMNS).replace_schema_metadata(None).cast(_PLAIN)
    return plain.append_column(PART, pa.array([part.path.name]).take(pa.array([0] * len(plain), pa.int32())))


def _check_rows(tables: Iterator[pa.Table], result: Verification, compared: bool) -> tuple[Runs, pa.Table]:
    """Check values, ids, parents and splits; return the rows per (run, kind, status), and all ids with their runs."""
    ids: list[pa.Table] = []
    real: list[pa.Table] = []
    runs: Runs = Counter()
    leakage = Leakage()
    wrong: dict[tuple[str, str], tuple[list[str], list[str]]] = {}
    for table in tables:
        result.rows += table.num_rows
        leakage.add(table)
        counted = table.group_by(["run_id", "kind", "status"]).aggregate([([], "count_all")])
        for row in counted.to_pylist():
            runs[row["run_id"], row["kind"], row["status"]] += row["count_all"]
        for check, sentence, mask in value_faults(table):
            if pc.any(mask).as_py():
                names, parts = wrong.setdefault((check, sentence), ([], []))
                rows = table.filter(pc.fill_null(mask, False))
                names += [name or "(no id)" for name in rows.column("variant_id").to_pylist()]
                parts += rows.column(PART).to_pylist()
        ids.append(table.select([*ID_COLUMNS, "run_id"]))
        real.append(table.filter(pc.equal(table.column("kind"), "real")).select(REAL_COLUMNS))
    for (check, sentence), (names, parts) in wrong.items():
        result.add(check, sentence, names, make_anew(parts))
    whole = (
        pa.concat_tables(ids)
        if ids
        else pa.table({name: pa.array([], pa.string()) for name in (*ID_COLUMNS, "run_id")})
    )
    check_ids(whole, result)
    result.notes += changed_sources(pa.concat_tables(real)) if real and not compared else []
    for check, sentence, names in leakage.faults():
        result.add(check, sentence, names, _SPLITS)
    return runs, whole


def _check_pictures(part: Path, table: pa.Table, result: Verification) -> None:
    wrong_hash, unreadable, wrong_size = [], [], []
    for row in table.select(["variant_id", "image", "image_sha256", "width", "height"]).to_pylist():
        data = (row["image"] or {}).get("bytes")
        if data is None:
            if row["image"] is not None or row["image_sha256"] is not None:
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
    advice = make_anew([part.name])
    sentence = "pictures are not those that their image_sha256 names"
    result.add("hashes", f"{part.name}: {{count}} {sentence}", wrong_hash, advice)
    result.add("pictures", f"{part.name}: {{count}} pictures cannot be read", unreadable, advice)
    sentence = "pictures have another width or height than their row"
    result.add("pictures", f"{part.name}: {{count}} {sentence}", wrong_size, advice)


def _check_leftovers(output: Path, result: Verification) -> None:
    hidden = sorted((output / "manifest").glob(".*"))
    left = [entry.name for entry in hidden if LEFTOVER.match(entry.name) and not being_written(entry)]
    result.add("leftovers", "{count} temporary files of killed runs are left, the next run removes them", left)
    plans = [entry.name for entry in hidden if entry.name == PLAN]
    result.add("leftovers", "{count} compaction was interrupted, `augment compact` finishes it", plans)


def _output_folder(path: Path) -> Path | None:
    """Return the output folder that a manifest path means, where it is one."""
    for folder in (path, path.parent):
        if (folder / "manifest").is_dir():
            return folder
    return None
