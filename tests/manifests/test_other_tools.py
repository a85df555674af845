"""A manifest that went through another tool and is an input again: edits and rejected variants are no sources."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from singanimation.manifests.exports import ExportOptions, export
from singanimation.manifests.rows import rows_to_table
from singanimation.manifests.write import write_part
from singanimation.pipeline.datasets import open_input
from singanimation.pipeline.errors import DatasetError
from singanimation.pipeline.records import Row

Rows = Callable[..., list[Row]]
LABELLED = {"a-fear-0", "a-fear-1", "a-fear-2"}


@pytest.fixture
def table(source_rows: Rows) -> pa.Table:
    return rows_to_table(source_rows("a")).replace_schema_metadata(None)


def _polars(table: pa.Table) -> pa.Table:
    """The types that polars 1.35 writes."""
    types = {"kind": pa.large_string(), "label_weights": pa.large_list(pa.float32())}
    picture = pa.struct([("bytes", pa.large_binary()), ("path", pa.large_string())])
    return table.cast(pa.schema([(f.name, types.get(f.name, f.type)) for f in table.schema])).set_column(
        table.schema.get_field_index("image"), "image", table["image"].cast(picture)
    )


WAYS = {
    "the key alone is lost": lambda table: table,
    "polars": _polars,
    "pandas": lambda table: pa.Table.from_pandas(table.to_pandas()),
    "some columns": lambda table: table.select(
        ["status", "kind", "image", "label_name", "variant_id", "source_id", "split", "group_id"]
    ),
    "no id": lambda table: table.drop_columns(["variant_id", "parent_id"]),
    "picture, label, kind and status": lambda table: table.select(["image", "label_name", "kind", "status"]),
}


@pytest.mark.parametrize("way", WAYS)
def test_edits_and_rejected_variants_never_become_sources(tmp_path: Path, table: pa.Table, way: str) -> None:
    pq.write_table(WAYS[way](table), tmp_path / "through.parquet")
    dataset = open_input(str(tmp_path / "through.parquet"))
    assert len(dataset.sources) == 6  # two edits, and of each its three accepted variants
    assert sum(source.label == "fear" for source in dataset.sources) == 3
    if "no id" not in way and "picture" not in way:
        assert {source.source_id for source in dataset.sources if source.label} == LABELLED
        assert {source.group_id for source in dataset.sources} == {"a"}


def test_partition_folders_give_their_columns_back(tmp_path: Path, table: pa.Table) -> None:
    """As `copy ... (partition_by (split, label_name))` of DuckDB writes it: the columns are in the folders alone."""
    names = table["label_name"].cast(pa.string()).to_pylist()
    for label in {*names}:
        folder = tmp_path / "out" / "split=train" / f"label_name={label or '__HIVE_DEFAULT_PARTITION__'}"
        folder.mkdir(parents=True)
        part = table.filter(pa.array([name == label for name in names])).drop_columns(["split", "label_name"])
        pq.write_table(part, folder / "data_0.parquet")
    dataset = open_input(str(tmp_path / "out"))
    assert {source.source_id for source in dataset.sources if source.label == "fear"} == LABELLED
    assert dataset.counts() == {"train": {"fear": 3, "unlabelled": 3}} and dataset.sources[0].group_id == "a"


@pytest.mark.parametrize("to", ["csv", "imagefolder", "hf"])
def test_exports_with_every_row_give_back_only_the_accepted_ones(tmp_path: Path, source_rows: Rows, to: str) -> None:
    write_part(tmp_path / "out" / "manifest", "part-a.parquet", source_rows("a"))
    export(tmp_path / "out", to, tmp_path / to, ExportOptions(edits=True, every_status=True, unlabelled=True))
    dataset = open_input(str(tmp_path / to))
    assert {source.source_id for source in dataset.sources if source.label == "fear"} == LABELLED
    assert len(dataset.sources) == 6


def test_a_part_of_ours_that_lost_a_column_is_refused_by_its_name(tmp_path: Path, source_rows: Rows) -> None:
    lost = rows_to_table(source_rows("a")).drop_columns(["status"])
    pq.write_table(lost, tmp_path / "lost.parquet")
    with pytest.raises(DatasetError, match="it has no column status"):
        open_input(str(tmp_path / "lost.parquet"))


def test_other_tables_keep_their_kinds_and_statuses(tmp_path: Path, source_rows: Rows) -> None:
    pictures = [row.image for row in source_rows("a") if row.image][:4]
    frame = pd.DataFrame({"image": pictures, "label": ["fear", "anger"] * 2, "kind": ["edit", "film", "film", "edit"]})
    frame["status"] = ["rejected", "single", "married", "accepted"]
    frame.to_parquet(tmp_path / "people.parquet")
    assert len(open_input(str(tmp_path / "people.parquet")).sources) == 4


def test_what_was_left_out_is_said(tmp_path: Path, source_rows: Rows) -> None:
    rows = [replace(row, label="anger") for row in source_rows("a")]
    pq.write_table(
        rows_to_table(rows).replace_schema_metadata(None).drop_columns(["variant_id"]), tmp_path / "a.parquet"
    )
    warnings = " ".join(open_input(str(tmp_path / "a.parquet")).warnings)
    assert "2 rows of kind edit" in warnings and "2 rows of status rejected" in warnings
