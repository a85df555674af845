"""Forty ways to damage a manifest: each is named by the right check, and mended by the advice that goes with it."""

import json
import re
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from singanimation.manifests.care.verify import verify
from singanimation.manifests.schema import SCHEMA
from singanimation.manifests.write import part_writer, write_part
from singanimation.pipeline.errors import ManifestError
from singanimation.pipeline.records import Row

Rows = Callable[..., list[Row]]
Change = Callable[[list[dict[str, Any]]], None]
NAN = float("nan")


def setting(name: str, value: Any, *places: int) -> Change:
    """Give some rows of part-a another value: 0 real, 1 an edit, 2 to 4 its accepted variants, 5 its rejected one."""

    def change(rows: list[dict[str, Any]]) -> None:
        for place in places or (2,):
            rows[place][name] = value

    return change


def _vector(name: str, place: int, value: float | None) -> Change:
    def change(rows: list[dict[str, Any]]) -> None:
        rows[2][name] = [*rows[2][name][:place], value, *rows[2][name][place + 1 :]]

    return change


def _picture(data: bytes) -> Change:
    def change(rows: list[dict[str, Any]]) -> None:
        rows[2]["image"] = {"bytes": data, "path": "x.png"}

    return change


@dataclass(frozen=True)
class Damage:
    """What is done to part-a's rows, and the checks that must name it, with how often."""

    change: Change
    checks: dict[str, int]
    words: str


WEIGHTS = [0.0, 0.25, 0.0, 0.0, 0.0, 0.0, 0.75]
VALUES = {
    "label 99": Damage(setting("label", 99), {"labels": 1}, "1 rows have a label outside 0..6: a-fear-0"),
    "label -1": Damage(setting("label", -1, 2, 3), {"labels": 1}, "2 rows have a label outside 0..6"),
    "label against its name": Damage(setting("label", 2), {"labels": 1}, "a label_name that is not their label's"),
    "a name that is no label": Damage(setting("label_name", "bored"), {"labels": 1}, "a label_name that is not"),
    "a label without a name": Damage(setting("label_name", None), {"labels": 1}, "without its name or the reverse"),
    "a name without a label": Damage(setting("label", None), {"labels": 1}, "without its name or the reverse"),
    "unknown status": Damage(setting("status", "done"), {"words": 1, "missing": 1}, "a status that does not exist"),
    "unknown kind": Damage(setting("kind", "film"), {"words": 1}, "a kind that does not exist"),
    "unknown origin": Damage(setting("label_origin", "guess"), {"words": 1}, "a label_origin that does not exist"),
    "unknown kind of edit": Damage(setting("edit_kind", "double"), {"words": 1}, "an? edit_kind that does not exist"),
    "rejected without a reason": Damage(setting("reason", None, 5), {"missing": 1}, "not accepted and have no reason"),
    "no source": Damage(setting("source_id", "", 5), {"missing": 1}, "1 rows have no source_id"),
    "NaN distance": Damage(setting("sifid", NAN), {"figures": 1}, "a sifid that is no figure"),
    "negative distance": Damage(setting("sifid", -1.0), {"figures": 1}, "a sifid that is no figure"),
    "infinite strength": Damage(setting("edit_strength", float("inf")), {"figures": 1}, "an? edit_strength that is no"),
    "NaN in a vector": Damage(_vector("au_target", 3, NAN), {"figures": 1}, "au_target that are no numbers"),
    "null in a vector": Damage(_vector("au_target", 16, None), {"figures": 1}, "au_target that are no numbers"),
    "a unit of 7": Damage(_vector("au_target", 0, 7.0), {"figures": 1}, "au_target that are no numbers"),
    "weights of 2": Damage(setting("label_weights", [2.0] + [0.0] * 6), {"figures": 2}, "do not sum to 1"),
    "weights that sum to .5": Damage(setting("label_weights", [0.5] + [0.0] * 6), {"figures": 1}, "do not sum to 1"),
    "NaN weights": Damage(setting("label_weights", [NAN] * 7), {"figures": 1}, "label_weights that are no numbers"),
    "a judge's figure of 3": Damage(setting("expression_found", 3.0), {"figures": 1}, "an? expression_found that is"),
    "no time": Damage(setting("created_at", "yesterday"), {"figures": 1}, "a created_at that is no time"),
    "no picture": Damage(setting("image", None), {"pictures": 1}, "1 pictures cannot be read: a-fear-0"),
    "no picture, no digest": Damage(setting("image_sha256", None), {"pictures": 1, "hashes": 1}, "have no picture"),
    "another picture": Damage(_picture(b"GIF89a"), {"hashes": 1, "pictures": 1}, "not those that their image_sha256"),
    "another digest": Damage(setting("image_sha256", "0" * 64), {"hashes": 1}, "not those that their image_sha256"),
    "another size": Damage(setting("width", 31), {"pictures": 1}, "another width or height"),
    "no size": Damage(setting("height", None), {"pictures": 2}, "have no width or height"),
    "a parent that is not there": Damage(setting("parent_id", "gone"), {"parents": 1}, "no edit row as their parent"),
    "an edit without its real row": Damage(
        setting("parent_id", None, 1), {"parents": 1}, "no real row as their parent"
    ),
    "an id twice": Damage(setting("variant_id", "a-fear-1"), {"duplicates": 1}, "1 ids occur more than once: a-fear-1"),
    "another split": Damage(
        setting("split", "test"), {"source leakage": 1, "person leakage": 1, "picture leakage": 1}, ""
    ),
}


@pytest.fixture
def output(tmp_path: Path, source_rows: Rows) -> Path:
    _run(tmp_path, source_rows)
    return tmp_path


def _run(output: Path, source_rows: Rows) -> None:
    """As a run does: the parts that are not there are made anew."""
    for name, split in (("a", "train"), ("b", "test")):
        if not (output / "manifest" / f"part-{name}.parquet").exists():
            write_part(output / "manifest", f"part-{name}.parquet", source_rows(name, split=split))


def _damage(path: Path, change: Change) -> None:
    rows = pq.read_table(path).to_pylist()
    change(rows)
    loose = pa.schema([field.with_nullable(True) for field in SCHEMA])
    with part_writer(path) as writer:
        writer.write_table(pa.Table.from_pylist(rows, schema=loose).cast(SCHEMA))


def _follow(output: Path, source_rows: Rows) -> None:
    """Do what verify says: remove the parts that it names, and run again."""
    for fault in verify(output).faults:
        for name in re.findall(r"[^\s,/]+\.parquet", fault.advice or fault.message):
            (output / "manifest" / name).unlink(missing_ok=True)
    _run(output, source_rows)


@pytest.mark.parametrize("name", VALUES)
def test_damaged_values_are_named_and_mended(output: Path, source_rows: Rows, name: str) -> None:
    damage = VALUES[name]
    _damage(output / "manifest" / "part-a.parquet", damage.change)
    result = verify(output)
    assert Counter(fault.check for fault in result.faults) == damage.checks
    assert re.search(damage.words, " ".join(fault.message for fault in result.faults))
    assert result.rows == 22 and result.parts == 2
    if "leakage" not in " ".join(damage.checks):
        _follow(output, source_rows)
        assert verify(output).clean


def test_there_are_more_than_thirty_ways() -> None:
    assert len(VALUES) + len(FILES) >= 40


def _flip(start: float, bit: int) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        path = folder / "part-a.parquet"
        data = bytearray(path.read_bytes())
        group = pq.read_metadata(path).row_group(0)
        column = group.column(int(start * group.num_columns))
        first = column.dictionary_page_offset if column.has_dictionary_page else column.data_page_offset
        data[(first or 0) + column.total_compressed_size - 2] ^= 1 << bit  # in its last page, past the page's head
        path.write_bytes(bytes(data))

    return damage


def _cut(share: float) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        data = (folder / "part-a.parquet").read_bytes()
        (folder / "part-a.parquet").write_bytes(data[: int(len(data) * share)])

    return damage


def _statistics(folder: Path) -> None:
    """The smallest source_id that the footer tells becomes another: a reader that looks for a.png skips the part."""
    path = folder / "part-a.parquet"
    data = path.read_bytes()
    footer = len(data) - int.from_bytes(data[-8:-4], "little") - 8
    assert b"a.png" in data[footer:]
    path.write_bytes(data[:footer] + data[footer:].replace(b"a.png", b"z.png"))


def _features(folder: Path) -> None:
    """The order of the label names that `datasets` is told becomes another."""
    table = pq.read_table(folder / "part-a.parquet")
    metadata = dict(table.schema.metadata)
    metadata[b"huggingface"] = metadata[b"huggingface"].replace(b'"surprise", "fear"', b'"fear", "surprise"')
    pq.write_table(table.replace_schema_metadata(metadata), folder / "part-a.parquet")


def _without(column: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        pq.write_table(pq.read_table(folder / "part-a.parquet").drop_columns([column]), folder / "part-a.parquet")

    return damage


def _copy(name: str) -> Callable[[Path], None]:
    return lambda folder: Path(shutil.copy(folder / "part-a.parquet", folder / name)) and None


FILES: dict[str, tuple[Callable[[Path], None], str, str]] = {
    **{f"bit flipped at {at}": (_flip(at, bit), "schema", "is damaged") for bit, at in enumerate((0.1, 0.3, 0.5, 0.7))},
    "cut in half": (_cut(0.5), "schema", "part-a.parquet is damaged"),
    "cut at its end": (_cut(0.999), "schema", "part-a.parquet is damaged"),
    "empty": (_cut(0), "schema", "part-a.parquet is damaged"),
    "a column is missing": (_without("sifid"), "schema", "its columns differ from schema version 2: sifid"),
    "statistics of other rows": (_statistics, "files", "the statistics of row group 0 are not those of its rows"),
    "label names in another order": (_features, "files", "do not tell `datasets`"),
    "doubled part": (_copy("part-b2.parquet"), "duplicates", "11 ids occur more than once"),
    "doubled part of another name": (_copy("copy-of-part-a.parquet"), "duplicates", "11 ids occur more than once"),
}


@pytest.mark.parametrize("name", FILES)
def test_damaged_files_are_named_and_mended(output: Path, source_rows: Rows, name: str) -> None:
    damage, check, words = FILES[name]
    damage(output / "manifest")
    faults = {fault.check: fault.message for fault in verify(output).faults}
    assert set(faults) == {check} and words in faults[check]
    _follow(output, source_rows)
    assert verify(output).clean and verify(output).rows == 22


def test_every_flipped_bit_of_a_page_is_seen_or_changes_nothing(output: Path) -> None:
    path = output / "manifest" / "part-a.parquet"
    data, truth = path.read_bytes(), pq.read_table(path)
    end = len(data) - int.from_bytes(data[-8:-4], "little") - 8
    seen = 0
    for place in range(4, end, max(end // 60, 1)):
        path.write_bytes(data[:place] + bytes([data[place] ^ 16]) + data[place + 1 :])
        if verify(output).clean:
            assert pq.read_table(path).equals(truth)
        else:
            seen += 1
    assert seen > 40


def test_a_part_without_any_row_is_no_fault(output: Path) -> None:
    with part_writer(output / "manifest" / "part-none.parquet") as writer:
        writer.write_table(SCHEMA.empty_table())
    assert verify(output).clean


def test_parts_of_other_schemas_are_told_and_no_fault(output: Path) -> None:
    path = output / "manifest" / "part-a.parquet"
    pq.write_table(pq.read_table(path).replace_schema_metadata(None), path)
    result = verify(output)
    assert result.clean and "1 of 2 parts have an older schema or went through another tool" in result.notes[0]


def test_damage_beside_damage_is_all_named(output: Path) -> None:
    _cut(0.5)(output / "manifest")
    _damage(output / "manifest" / "part-b.parquet", setting("label", 99))
    (output / "runs" / "r").mkdir(parents=True)
    (output / "runs" / "r" / "summary.json").write_text("[" * 100_000)
    assert {fault.check for fault in verify(output).faults} == {"schema", "labels", "summaries"}
    shutil.rmtree(output / "manifest")
    with pytest.raises(ManifestError):
        verify(output)


def test_rows_made_anew_by_a_later_run_are_not_missed(output: Path, source_rows: Rows) -> None:
    def summary(run: str, started: str, accepted: int, rejected: int, after: int) -> None:
        (output / "runs" / run).mkdir(parents=True, exist_ok=True)
        told = {"run_id": run, "started": started, "variants": {"accepted": accepted, "rejected": {"sifid": rejected}}}
        content = json.dumps({**told, "stopped": None, "rows": {"before": 0, "after": after}})
        (output / "runs" / run / "summary.json").write_text(content)

    summary("run-1", "2026-01-01T00:00:00+00:00", 12, 4, 22)
    assert verify(output).clean
    (output / "manifest" / "part-b.parquet").unlink()
    faults = verify(output).faults
    assert [fault.check for fault in faults] == ["summaries", "summaries"]
    assert "11 rows that were there when run run-1 ended are gone" in faults[0].message
    assert "run the same command again" in faults[0].advice
    _run(output, source_rows)
    _damage(output / "manifest" / "part-b.parquet", setting("run_id", "run-2", *range(11)))
    assert len(verify(output).faults) == 1
    summary("run-2", "2026-01-02T00:00:00+00:00", 6, 2, 22)
    assert verify(output).clean
    (output / "manifest" / "part-a.parquet").unlink()
    assert "11 rows that were there when run run-2 ended" in verify(output).faults[0].message
