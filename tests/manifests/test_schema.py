"""Rows become a table of the one schema, or a sentence that names the row and what is wrong with it."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

from singanimation.manifests.conform import schema_problem
from singanimation.manifests.rows import rows_to_table
from singanimation.manifests.schema import SCHEMA
from singanimation.pipeline.errors import ManifestError
from singanimation.pipeline.expressions import AU_NAMES, EMOTIONS
from singanimation.pipeline.records import Row

Rows = Callable[..., list[Row]]

COLUMNS = """variant_id kind parent_id image width height image_sha256 dataset source_id source_path source_sha256
split group_id licence label label_name source_label label_weights label_origin edit_kind edit_name edit_strength
au_source au_target au_measured au_estimator engine start_scale start_size seed sifid sifid_features status reason
message run_id created_at code_version settings_sha256 weights_sha256"""
ADDED = "edit_form edit_donor"


def test_the_columns_are_those_of_the_contract_in_order() -> None:
    assert COLUMNS.split() == SCHEMA.names[: len(COLUMNS.split())]
    assert set(ADDED.split()) <= set(SCHEMA.names)
    assert SCHEMA.field("au_source").type == pa.list_(pa.float32(), 17)
    assert SCHEMA.field("label_weights").type == pa.list_(pa.float32(), 7)
    assert SCHEMA.field("label").type == pa.int64()


def test_the_metadata_name_the_action_units_and_the_labels() -> None:
    ours = json.loads(SCHEMA.metadata[b"singanimation"])
    assert ours["schema"] == 2
    assert ours["action_units"] == list(AU_NAMES)
    assert ours["label_map"]["surprise"] == 0 and ours["label_map"]["neutral"] == 6
    features = json.loads(SCHEMA.metadata[b"huggingface"])["info"]["features"]
    assert features["label"] == {"names": list(EMOTIONS), "_type": "ClassLabel"}
    assert set(features) == set(SCHEMA.names)


def test_a_row_keeps_its_values(source_rows: Rows) -> None:
    table = rows_to_table(source_rows())
    assert table.schema.equals(SCHEMA, check_metadata=True)
    real, edit = table.slice(0, 2).to_pylist()
    assert real["image"] is None and real["image_sha256"] is None
    assert (real["label"], real["label_name"], real["source_label"]) == (6, "neutral", "7")
    assert (edit["label"], edit["edit_kind"]) == (1, "discrete")
    assert edit["image_sha256"] == hashlib.sha256(edit["image"]["bytes"]).hexdigest()
    assert edit["au_target"][16] == 1.0 and edit["au_measured"] is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kind": "fake"}, "kind is 'fake'"),
        ({"label": "bored"}, "label is 'bored'"),
        ({"status": "rejected", "reason": None}, "reason is missing"),
        ({"parent_id": None}, "parent_id is missing"),
        ({"image": None}, "image is missing"),
        ({"width": None}, "width and height are missing"),
        ({"au_target": (0.5,) * 16}, r"au_target has shape \(16,\)"),
        ({"au_target": (1.5,) * 17}, "au_target has values outside 0..1"),
        ({"au_target": (float("nan"),) * 17}, "au_target has values outside"),
        ({"label_weights": (0.5,) * 7}, "label_weights sum to 3.5"),
        ({"source_id": ""}, "source_id is missing"),
        ({"seed": 2**70}, "does not fit the manifest's schema"),
    ],
)
def test_a_broken_row_is_named(source_rows: Rows, changes: dict[str, Any], words: str) -> None:
    row = replace(source_rows()[2], **changes)
    assert row.kind in ("variant", "fake")
    with pytest.raises(ManifestError, match=words):
        rows_to_table([row])


def test_an_id_given_twice_is_refused(source_rows: Rows) -> None:
    with pytest.raises(ManifestError, match="given twice"):
        rows_to_table([*source_rows(), source_rows()[0]])


def test_other_schemas_are_told_apart() -> None:
    assert schema_problem(SCHEMA) is None
    assert "not written by this program" in str(schema_problem(pa.schema([("a", pa.int32())])))
    newer = SCHEMA.with_metadata({b"singanimation": b'{"schema": 3}'})
    assert "version 3, this program reads versions 1 to 2" in str(schema_problem(newer))
    assert "damaged" in str(schema_problem(SCHEMA.with_metadata({b"singanimation": b"{"})))
    shorter = SCHEMA.remove(SCHEMA.get_field_index("sifid"))
    assert "sifid" in str(schema_problem(shorter))
