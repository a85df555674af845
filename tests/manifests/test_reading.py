"""Reading: filters, nullable numbers, and a clear word about files that are not ours; the scan for resuming."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import singanimation.manifests
from singanimation.manifests.care.compact import compact
from singanimation.manifests.reading import part_paths
from singanimation.manifests.scan import ManifestScan
from singanimation.manifests.summary import summarize
from singanimation.manifests.write import write_part
from singanimation.pipeline.errors import ManifestError
from singanimation.pipeline.records import Row

Rows = Callable[..., list[Row]]


@pytest.fixture
def output(tmp_path: Path, source_rows: Rows) -> Path:
    write_part(tmp_path / "manifest", "part-a.parquet", source_rows("a"))
    write_part(tmp_path / "manifest", "part-b.parquet", source_rows("b", split="test", variants=1, label="anger"))
    return tmp_path


def test_read_gives_what_a_classifier_wants(output: Path) -> None:
    frame: Any = singanimation.manifests.read(output, split="train", status="accepted", kind="variant")
    assert len(frame) == 6
    assert set(frame["split"]) == {"train"} and set(frame["kind"]) == {"variant"}
    assert str(frame["label"].dtype) == "Int64"
    assert frame["label"].isna().sum() == 3 and set(frame["label"].dropna()) == {1}
    assert isinstance(frame["kind"].dtype, pd.CategoricalDtype)
    assert frame["image"].iloc[0]["bytes"].startswith(b"\x89PNG")
    assert frame["image"].iloc[0]["path"] == "a-fear-0.png"


def test_read_takes_several_values_and_columns(output: Path) -> None:
    frame = singanimation.manifests.read(output, status=("accepted", "rejected"), columns=["variant_id", "sifid"])
    assert list(frame.columns) == ["variant_id", "sifid"]
    assert len(frame) == 2 * 3 + 2 * 4 + 2 * 2
    none = singanimation.manifests.read(output, split="validation", columns=["label"])
    assert len(none) == 0 and list(none.columns) == ["label"]


def test_read_takes_the_folder_a_part_or_a_pattern(output: Path) -> None:
    whole = len(singanimation.manifests.read(output, columns=["kind"]))
    for path in (output / "manifest", str(output / "manifest" / "*.parquet")):
        assert len(singanimation.manifests.read(path, columns=["kind"])) == whole
    one = singanimation.manifests.read(output / "manifest" / "part-b.parquet", columns=["kind"])
    assert len(one) == 7
    with pytest.raises(ManifestError, match="holds no manifest"):
        part_paths(output / "nowhere")


def test_unknown_columns_and_values_are_named(output: Path) -> None:
    with pytest.raises(ManifestError, match="no column colour"):
        singanimation.manifests.read(output, columns=["colour"])
    with pytest.raises(ManifestError, match="status done does not exist; use accepted"):
        singanimation.manifests.read(output, status="done")


def test_damaged_and_foreign_files_are_named(output: Path) -> None:
    foreign, torn = output / "manifest" / "notes.parquet", output / "manifest" / "torn.parquet"
    pd.DataFrame({"a": [1]}).to_parquet(foreign)
    with pytest.raises(ManifestError, match="notes.parquet is no part of a manifest"):
        singanimation.manifests.read(output)
    data = (output / "manifest" / "part-a.parquet").read_bytes()
    torn.write_bytes(data[: len(data) // 2])
    scan = ManifestScan(output)
    assert len(scan.problems) == 2
    assert "notes.parquet is no part" in scan.problems[0] and "torn.parquet is damaged" in scan.problems[1]
    assert scan.rows == 18 and scan.known("tiny", "a.png") and scan.known("tiny", "b.png")


def test_a_part_with_damaged_pages_is_named(output: Path) -> None:
    path = output / "manifest" / "part-a.parquet"
    data = bytearray(path.read_bytes())
    data[4:4000] = os.urandom(3996)
    path.write_bytes(bytes(data))
    assert "part-a.parquet is damaged" in ManifestScan(output).problems[0]
    with pytest.raises(ManifestError, match="part-a.parquet is damaged"):
        singanimation.manifests.read(output)


def test_the_scan_knows_each_sources_rows_with_their_statuses(output: Path) -> None:
    scan = ManifestScan(output)
    assert scan.rows == 11 + 7 and scan.problems == []
    known = scan.known("tiny", "a.png")
    assert len(known) == 11 and list(known.values()).count("rejected") == 2
    assert known["a-real"] == known["a-AU12-2"] == "accepted" and known["a-AU12-3"] == "rejected"
    assert scan.parts("tiny", "a.png") == [output / "manifest" / "part-a.parquet"]
    assert scan.known("tiny", "c.png") == {} and scan.parts("tiny", "c.png") == []


def test_the_scan_sees_one_source_through_several_parts(output: Path, source_rows: Rows) -> None:
    more = [row for row in source_rows("a", variants=5, rejected=0) if row.variant_id.endswith("-4")]
    write_part(output / "manifest", "part-a2.parquet", more)
    scan = ManifestScan(output / "manifest")
    assert len(scan.known("tiny", "a.png")) == 13
    assert [path.name for path in scan.parts("tiny", "a.png")] == ["part-a.parquet", "part-a2.parquet"]


def test_the_scan_tells_sources_of_one_name_in_two_data_sets_apart(output: Path, source_rows: Rows) -> None:
    other = [
        replace(row, dataset="other", variant_id=f"o-{row.variant_id}", parent_id=f"o-{row.parent_id}")
        for row in source_rows("a", variants=1)
    ]
    write_part(output / "manifest", "part-other.parquet", other)
    scan = ManifestScan(output)
    assert (len(scan.known("tiny", "a.png")), len(scan.known("other", "a.png"))) == (11, 7)
    assert all(name.startswith("o-") for name in scan.known("other", "a.png"))
    assert [path.name for path in scan.parts("other", "a.png")] == ["part-other.parquet"]


def test_the_scan_of_compacted_parts_knows_the_same(output: Path) -> None:
    before = [ManifestScan(output).known("tiny", name) for name in ("a.png", "b.png")]
    compact(output)
    scan = ManifestScan(output)
    assert [scan.known("tiny", name) for name in ("a.png", "b.png")] == before
    assert scan.parts("tiny", "a.png") == scan.parts("tiny", "b.png") and len(scan.parts("tiny", "a.png")) == 1


def test_the_scan_of_a_folder_that_does_not_exist_is_empty(output: Path) -> None:
    scan = ManifestScan(output / "absent")
    assert scan.rows == 0 and scan.known("tiny", "a.png") == {}


def test_the_summary_counts_classes_reasons_and_short_sources(output: Path) -> None:
    summary = summarize(output, per_image=4)
    assert summary["rows"]["variant"] == {"accepted": 8, "rejected": 4}
    assert summary["accepted"] == 8 and summary["sources"] == 2
    assert summary["reasons"] == {"sifid": 4}
    assert summary["classes"]["train"] == {
        "fear": {"real": 0, "variants": 3},
        "neutral": {"real": 1, "variants": 0},
        "unlabelled": {"real": 0, "variants": 3},
    }
    assert summary["classes"]["test"]["anger"] == {"real": 1, "variants": 0}
    assert summary["edit_kinds"] == {"discrete": 4, "single": 4}
    assert summary["short"] == [{"dataset": "tiny", "source_id": "b.png", "accepted": 2}]


def test_a_source_without_a_face_is_not_short(output: Path) -> None:
    row = Row(
        variant_id="c-real",
        kind="real",
        dataset="tiny",
        source_id="c.png",
        source_path="c.png",
        source_sha256="0",
        split="train",
        group_id="c",
        status="failed",
        reason="no_face",
    )
    write_part(output / "manifest", "part-c.parquet", [row])
    summary = summarize(output, per_image=1)
    assert summary["short"] == [] and summary["sources"] == 3
    assert summary["reasons"] == {"sifid": 4, "no_face": 1}
    assert ManifestScan(output).known("tiny", "c.png") == {"c-real": "failed"}
