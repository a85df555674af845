"""Compaction keeps every row whenever it is interrupted, and leaves few files."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import singanimation.manifests
from singanimation.manifests.care.compact import compact
from singanimation.manifests.care.compaction_plan import PLAN, finish_compaction
from singanimation.manifests.care.verify import verify
from singanimation.manifests.conform import is_todays
from singanimation.manifests.reading import part_paths
from singanimation.manifests.rows import rows_to_table
from singanimation.manifests.schema import SCHEMA
from singanimation.manifests.write import write_part
from singanimation.pipeline.errors import ManifestError
from singanimation.pipeline.records import Row

Rows = Callable[..., list[Row]]
NAMES = "abcde"


@pytest.fixture
def output(tmp_path: Path, source_rows: Rows) -> Path:
    for name in NAMES:
        write_part(tmp_path / "manifest", f"part-{name}.parquet", source_rows(name))
    return tmp_path


def _ids(output: Path) -> list[str]:
    return list(singanimation.manifests.read(output, columns=["variant_id"])["variant_id"])


def test_parts_become_one_file_with_the_same_rows_in_order(output: Path) -> None:
    before = pq.read_table(output / "manifest" / "part-a.parquet").to_pylist()
    ids = _ids(output)
    done = compact(output)
    assert (done.before, done.after, done.rows) == (5, 1, 55)
    assert [path.name for path in (output / "manifest").iterdir()] == [done.written[0].name]
    assert _ids(output) == ids
    assert pq.read_table(done.written[0]).to_pylist()[:11] == before
    assert verify(output).clean
    assert compact(output).written == ()


def test_files_keep_to_their_size(output: Path) -> None:
    size = (output / "manifest" / "part-a.parquet").stat().st_size
    done = compact(output, target_bytes=int(2.5 * size))
    assert done.after == 3 and len(done.written) == 2
    assert sorted(_ids(output)) == sorted(set(_ids(output))) and len(_ids(output)) == 55


def test_parts_of_failed_sources_stay_alone(output: Path) -> None:
    failed = Row(
        variant_id="x-real",
        kind="real",
        dataset="tiny",
        source_id="x.png",
        source_path="x.png",
        source_sha256="0",
        split="train",
        group_id="x",
        status="failed",
        reason="no_face",
    )
    kept = write_part(output / "manifest", "part-x.parquet", [failed])
    assert compact(output).after == 2 and kept.exists()


KILLED_AT = {
    "before the new file": "module._merge = die",
    "before the old go": (
        "finish = module.finish_compaction\n"
        "module.finish_compaction = lambda folder: die() if (folder / '.compaction.json').exists() else finish(folder)"
    ),
    "while the old go": (
        "unlink, calls = pathlib.Path.unlink, []\n"
        "pathlib.Path.unlink = lambda path, **o: die() if calls.append(1) or len(calls) > 2 else unlink(path, **o)"
    ),
}


@pytest.mark.parametrize("moment", KILLED_AT)
def test_a_compaction_killed_at_any_moment_loses_nothing(output: Path, moment: str) -> None:
    ids = sorted(_ids(output))
    code = (
        "import os, pathlib, signal\nfrom singanimation.manifests.care import compact as module\n"
        "def die(*args, **options): os.kill(os.getpid(), signal.SIGKILL)\n"
        f"{KILLED_AT[moment]}\nmodule.compact(pathlib.Path({str(output)!r}))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    assert (output / "manifest" / PLAN).exists()
    assert set(ids) == set(_ids(output))  # every row is still there, some maybe twice
    assert any("compaction was interrupted" in fault.message for fault in verify(output).faults)
    assert finish_compaction(output / "manifest")
    assert sorted(_ids(output)) == ids and verify(output).clean
    assert len(list((output / "manifest").iterdir())) == (5 if moment == "before the new file" else 1)
    assert not finish_compaction(output / "manifest")


def test_doubled_ids_and_damaged_plans_are_refused(output: Path, source_rows: Rows) -> None:
    write_part(output / "manifest", "part-f.parquet", source_rows("a"))
    with pytest.raises(ManifestError, match="11 ids occur more than once"):
        compact(output)
    plan = output / "manifest" / PLAN
    for name in ("../../victim", ".hidden.parquet", "notes.txt", "", "a/b.parquet"):
        plan.write_text(json.dumps({"old": [name], "new": []}))
        with pytest.raises(ManifestError, match="outside the manifest"):
            compact(output)
    plan.write_text(json.dumps({"old": ["part-a.parquet"], "new": [{"name": "part-a.parquet", "rows": 11}]}))
    with pytest.raises(ManifestError, match="names a part twice"):
        compact(output)
    plan.write_text("{")
    with pytest.raises(ManifestError, match="is damaged"):
        compact(output)


def _plan(output: Path, old: str, new: dict[str, int]) -> None:
    content: dict[str, object] = {"old": [f"part-{name}.parquet" for name in old]}
    content["new"] = [{"name": f"part-{name}.parquet", "rows": rows} for name, rows in new.items()]
    (output / "manifest" / PLAN).write_text(json.dumps(content))


@pytest.mark.parametrize("new", [{}, {"z": 55}, {"z": 0}])
def test_a_plan_whose_new_parts_hold_nothing_removes_nothing(output: Path, new: dict[str, int]) -> None:
    _plan(output, NAMES, new)
    assert finish_compaction(output / "manifest")
    assert len(_ids(output)) == 55 and verify(output).clean


def test_a_plan_that_the_parts_do_not_bear_out_is_refused(output: Path) -> None:
    for old, new in (("a", {"b": 11}), ("ab", {"c": 11, "d": 11}), ("a", {"b": 7})):
        _plan(output, old, new)
        with pytest.raises(ManifestError, match="nothing was removed"):
            finish_compaction(output / "manifest")
        assert len(_ids(output)) == 55


def test_a_damaged_old_part_stays_until_its_rows_are_known(output: Path) -> None:
    (output / "manifest" / "part-a.parquet").write_bytes(b"PAR1 torn")
    _plan(output, "ab", {"c": 11})
    with pytest.raises(ManifestError, match="nothing was removed"):
        finish_compaction(output / "manifest")
    assert len(list((output / "manifest").glob("*.parquet"))) == 5


def test_parts_of_an_older_schema_become_todays(output: Path, source_rows: Rows) -> None:
    old = rows_to_table(source_rows("x")[:1]).drop_columns(["edit_form"]).to_pylist()
    old[0] |= {"status": "failed", "reason": "no_face"}
    schema = pa.schema([field for field in SCHEMA if field.name != "edit_form"], metadata=SCHEMA.metadata)
    alone = output / "manifest" / "part-x.parquet"
    pq.write_table(pa.Table.from_pylist(old, schema=schema), alone)
    done = compact(output)
    assert (done.before, done.after, done.rows) == (6, 2, 56)
    assert {is_todays(pq.read_schema(path)) for path in part_paths(output)} == {True} and alone.is_file()
    assert verify(output).clean


def test_columns_that_are_not_ours_are_not_thrown_away(output: Path) -> None:
    part = output / "manifest" / "part-a.parquet"
    table = pq.read_table(part).replace_schema_metadata(None)
    pq.write_table(table.append_column("mine", pa.array(range(table.num_rows))), part)
    with pytest.raises(ManifestError, match="columns that are not the manifest's \\(mine\\)"):
        compact(output)
    assert pq.read_table(part).column("mine").to_pylist() == list(range(11))


def test_row_groups_of_many_parts_are_whole(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("singanimation.manifests.care.compact.GROUP_BYTES", 3000)
    done = compact(output)
    assert pq.read_metadata(done.written[0]).num_row_groups > 5
    assert verify(output).clean
