"""Parts of schema 1 and parts that went through other tools are read as today's; what only resembles them is not."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import singanimation.manifests
from singanimation.manifests.conform import conform, is_todays, schema_problem
from singanimation.manifests.reading import iter_tables
from singanimation.manifests.rows import rows_to_table
from singanimation.manifests.scan import ManifestScan
from singanimation.manifests.schema import ADDED, AU_VECTOR, SCHEMA
from singanimation.pipeline.records import Row

Rows = Callable[..., list[Row]]
MOMENT = datetime(2026, 3, 29, 1, 30, 5, 123456, tzinfo=timezone(timedelta(hours=2)))
VERSION_1 = {b"singanimation": json.dumps({"schema": 1, "action_units": [], "labels": []}).encode()}


@pytest.fixture
def table(source_rows: Rows) -> pa.Table:
    times = (MOMENT, MOMENT.replace(microsecond=0), None)
    return rows_to_table([replace(row, created_at=times[index % 3]) for index, row in enumerate(source_rows())])


def _timestamps(table: pa.Table) -> pa.Array:
    times = [None if text is None else datetime.fromisoformat(text) for text in table["created_at"].to_pylist()]
    return pa.array(times, pa.timestamp("us", tz="UTC"))


def _read(tmp_path: Path, table: pa.Table) -> pa.Table:
    (tmp_path / "manifest").mkdir(exist_ok=True)
    pq.write_table(table, tmp_path / "manifest" / "part-a.parquet")
    return pa.concat_tables(table for _, table in iter_tables([tmp_path / "manifest" / "part-a.parquet"]))


def test_a_part_of_schema_1_is_read_with_nulls_where_it_has_no_column(tmp_path: Path, table: pa.Table) -> None:
    old = table.drop_columns(list(ADDED)).replace_schema_metadata(VERSION_1)
    old = old.set_column(old.schema.get_field_index("created_at"), "created_at", _timestamps(table))
    assert schema_problem(old.schema) is None and not is_todays(old.schema)
    read = _read(tmp_path, old)
    assert read.schema.equals(SCHEMA) and read.to_pylist() == table.to_pylist()
    assert read.column("edit_form").null_count == table.num_rows
    assert ManifestScan(tmp_path).rows == table.num_rows and ManifestScan(tmp_path).problems == []
    frame: Any = singanimation.manifests.read(tmp_path, columns=["edit_form", "label"])
    assert frame["edit_form"].isna().all() and set(frame["label"].dropna()) == {1, 6}


def test_a_column_of_version_1_may_not_be_missing(table: pa.Table) -> None:
    assert "sifid" in str(schema_problem(table.drop_columns(["sifid"]).schema))
    assert "colour" in str(schema_problem(table.append_column("colour", table["kind"]).schema))
    assert "edit_form" in str(schema_problem(table.append_column("edit_form", table["kind"]).schema))


def _plain_types(table: pa.Table) -> pa.Table:
    """As polars and DuckDB write them: large or plain strings, lists of any length, times without a zone."""
    other = {pa.string(): pa.large_string(), pa.float32(): pa.float64()}
    fields = []
    for field in table.schema:
        kind = other.get(field.type, field.type)
        if pa.types.is_dictionary(kind):
            kind = pa.dictionary(pa.uint32(), pa.large_string())
        elif pa.types.is_fixed_size_list(kind):
            kind = pa.large_list(pa.float64())
        elif pa.types.is_struct(kind):
            kind = pa.struct([("bytes", pa.large_binary()), ("path", pa.large_string())])
        elif pa.types.is_integer(kind):
            kind = pa.float64()
        fields.append(pa.field(field.name, kind))
    return table.cast(pa.schema(fields))


@pytest.mark.parametrize(
    "way", ["key alone", "plain types", "strings", "timestamps", "pandas", "reordered", "with an index"]
)
def test_a_part_that_lost_its_key_is_known_by_its_columns(tmp_path: Path, table: pa.Table, way: str) -> None:
    bare = table.replace_schema_metadata(None)
    if way == "plain types":
        bare = _plain_types(bare)
    elif way == "strings":
        bare = bare.set_column(bare.schema.get_field_index("kind"), "kind", bare["kind"].cast(pa.string()))
    elif way == "timestamps":
        place = bare.schema.get_field_index("created_at")
        bare = bare.set_column(
            place, "created_at", _timestamps(table).cast(pa.timestamp("ms", tz="Asia/Tokyo"), safe=False)
        )
    elif way == "pandas":
        bare = pa.Table.from_pandas(bare.to_pandas()).replace_schema_metadata(None)
    elif way == "reordered":
        bare = bare.select(bare.schema.names[::-1])
    elif way == "with an index":
        bare = bare.append_column("__index_level_0__", pa.array(range(bare.num_rows)))
    assert schema_problem(bare.schema) is None
    read = _read(tmp_path, bare)
    assert read.schema.equals(SCHEMA)
    if way == "timestamps":  # milliseconds, in another zone: the same moment
        assert read["created_at"].to_pylist()[:3] == [
            "2026-03-28T23:30:05.123000Z",
            "2026-03-28T23:30:05.000000Z",
            None,
        ]
    else:
        assert read.to_pylist() == table.to_pylist()
    accepted = singanimation.manifests.read(tmp_path, status="accepted", kind="variant", columns=["variant_id"])
    assert len(accepted) == 6


def test_a_null_picture_stays_null_and_a_path_without_bytes_stays_seen(table: pa.Table) -> None:
    image = pa.array(
        [{"bytes": None, "path": None}, {"bytes": None, "path": "a.png"}],
        pa.struct([("path", pa.large_string()), ("bytes", pa.large_binary())]),
    )
    read = conform(pa.table({"image": image}), ["image"])
    assert read["image"].to_pylist() == [None, {"bytes": None, "path": "a.png"}]


def test_values_that_do_not_fit_are_no_silent_nulls(tmp_path: Path, table: pa.Table) -> None:
    half = pa.array([0.5] * table.num_rows)
    with pytest.raises(pa.ArrowInvalid):
        conform(pa.table({"label": half}), ["label"])
    with pytest.raises(pa.ArrowInvalid):
        conform(pa.table({"au_target": pa.array([[0.5] * 16])}), ["au_target"])
    nothing = conform(pa.table({"au_target": pa.array([None, [0.5] * 17])}), ["au_target"])
    assert nothing.schema.field("au_target").type == AU_VECTOR and nothing["au_target"].null_count == 1


def test_tables_that_only_resemble_a_manifest_are_none(table: pa.Table) -> None:
    few = pd.DataFrame({"image": [b""], "label": [1], "split": ["train"], "status": ["accepted"]})
    assert "not its columns" in str(schema_problem(pa.Table.from_pandas(few).schema))
    wrong = table.replace_schema_metadata(None)
    wrong = wrong.set_column(wrong.schema.get_field_index("status"), "status", pa.array([1] * wrong.num_rows))
    assert "status" in str(schema_problem(wrong.schema))
