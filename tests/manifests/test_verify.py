"""Every fault of a manifest is named by the check that is about it, and a sound one has none."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from singanimation.manifests.care.verify import verify
from singanimation.manifests.schema import SCHEMA
from singanimation.manifests.write import write_part
from singanimation.pipeline.errors import ManifestError
from singanimation.pipeline.files.atomic import host
from singanimation.pipeline.records import Row
from singanimation.pipeline.runs import open_run
from singanimation.pipeline.settings import make_settings

Rows = Callable[..., list[Row]]


@pytest.fixture
def output(tmp_path: Path, source_rows: Rows) -> Path:
    write_part(tmp_path / "manifest", "part-a.parquet", source_rows("a"))
    write_part(tmp_path / "manifest", "part-b.parquet", source_rows("b", split="test"))
    return tmp_path


def _faults(path: Path) -> dict[str, str]:
    return {fault.check: fault.message for fault in verify(path).faults}


def _add(output: Path, rows: list[Row]) -> None:
    write_part(output / "manifest", "part-z.parquet", rows)


def test_a_sound_manifest_is_clean(output: Path) -> None:
    result = verify(output)
    assert result.clean and (result.parts, result.rows, result.pictures) == (2, 22, 20)
    assert verify(output, pictures=False).pictures == 0
    with pytest.raises(ManifestError, match="holds no manifest"):
        verify(output / "nowhere")


def test_damaged_and_foreign_files_are_faults_and_the_rest_is_checked(output: Path) -> None:
    (output / "manifest" / "torn.parquet").write_bytes(b"PAR1 torn")
    pq.write_table(pa.table({"a": [1]}), output / "manifest" / "x.parquet")
    result = verify(output)
    assert [fault.check for fault in result.faults] == ["schema", "schema"] and result.rows == 22
    assert "torn.parquet is damaged" in result.faults[0].message


def test_doubled_ids_and_dangling_parents_are_named(output: Path, source_rows: Rows) -> None:
    rows = source_rows("a")
    _add(
        output,
        [
            rows[0],
            replace(rows[1], variant_id="edit-x", parent_id="gone"),
            replace(rows[2], variant_id="variant-x", parent_id="a-real"),
        ],
    )
    result = verify(output)
    messages = [fault.message for fault in result.faults]
    assert "1 ids occur more than once: a-real." in messages
    assert "1 edit rows have no real row as their parent: edit-x." in messages
    assert "1 variant rows have no edit row as their parent: variant-x." in messages
    assert len(messages) == 3


def test_leakage_between_splits_is_named(output: Path, source_rows: Rows) -> None:
    _add(output, source_rows("c", split="test", group="a"))
    assert _faults(output) == {
        "person leakage": "1 people (group_id) have pictures in more than one split: a (test, train)."
    }
    other = [
        replace(
            row,
            split="validation",
            group_id="d",
            variant_id=f"again-{row.variant_id}",
            parent_id=row.parent_id and f"again-{row.parent_id}",
        )
        for row in source_rows("a")
    ]
    _add(output, [*source_rows("c", split="test"), *other])
    found = _faults(output)
    assert set(found) == {"source leakage", "picture leakage"}
    assert "a.png (train, validation)" in found["source leakage"]


def test_changed_pictures_are_named(output: Path) -> None:
    path = output / "manifest" / "part-a.parquet"
    rows = pq.read_table(path).to_pylist()
    rows[1]["image_sha256"] = "0" * 64
    rows[2]["width"] = 31
    rows[3]["image"]["bytes"] = b"no picture"
    rows[4]["label_name"] = None
    rows[5]["image"]["bytes"] = None
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), path)
    result = verify(output)
    messages = " ".join(fault.message for fault in result.faults)
    assert "2 pictures are not those that their image_sha256 names: a-fear, a-fear-1" in messages
    assert "1 pictures have another width or height than their row: a-fear-0" in messages
    assert "2 pictures cannot be read: a-fear-1, a-fear-3" in messages
    assert "1 rows have a label without its name or the reverse: a-fear-2" in messages


def test_summaries_are_compared_with_the_rows_of_their_runs(output: Path) -> None:
    folder = output / "runs" / "run-1"
    folder.mkdir(parents=True)
    summary = {"run_id": "run-1", "variants": {"accepted": 12, "rejected": {"sifid": 4}}, "stopped": None}

    def put(changes: Mapping[str, object]) -> dict[str, str]:
        (folder / "summary.json").write_text(json.dumps({**summary, **changes}))
        return _faults(output)

    assert put({}) == {}
    assert (
        "tells of 13 accepted and 4 rejected variants, the manifest holds 12 and 4"
        in put({"variants": {"accepted": 13, "rejected": {"sifid": 4}}})["summaries"]
    )
    fewer = {"variants": {"accepted": 11, "rejected": {"sifid": 4}}}
    assert "tells of 11" in put(fewer)["summaries"]
    # Rejected ones may have been accepted since, but none the other way round.
    assert put({"variants": {"accepted": 11, "rejected": {"sifid": 5}}}) == {}
    assert "tells of 13" in put({"variants": {"accepted": 13, "rejected": {"sifid": 3}}})["summaries"]
    # A run that was stopped may have left a part that it no longer counted.
    assert put(fewer | {"stopped": "interrupted"}) == {}
    assert "has not the form" in put({"variants": []})["summaries"]


def test_a_run_interrupted_before_it_began_is_no_fault(output: Path) -> None:
    settings = make_settings(input="sample", output=output)
    with pytest.raises(KeyboardInterrupt), open_run(settings) as run:
        raise KeyboardInterrupt
    assert "variants" not in json.loads((run.folder / "summary.json").read_text())
    assert "summaries" not in _faults(output)


def test_leftovers_are_told(output: Path) -> None:
    (output / "manifest" / ".part-a.parquet.host~1~0a.tmp").write_text("half")
    assert "1 temporary files of killed runs are left" in _faults(output)["leftovers"]


def test_a_part_that_a_run_is_writing_right_now_is_no_fault(output: Path) -> None:
    (output / "manifest" / f".part-a.parquet.{host()}~{os.getppid()}~0a.tmp").write_text("half")
    assert _faults(output) == {}


def test_pictures_that_could_not_be_read_are_not_taken_for_one(output: Path, source_rows: Rows) -> None:
    bare = {"source_sha256": None, "status": "failed", "reason": "missing"}
    rows = [replace(source_rows(name, label=label)[0], **bare) for name, label in (("x", "fear"), ("y", "anger"))]
    _add(output, rows)
    result = verify(output)
    assert result.clean and result.notes == []
