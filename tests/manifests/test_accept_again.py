"""Rejected variants under another limit: the first of each edit that fit become accepted, nothing else changes."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from singanimation.manifests.care.accept_again import Rejected, accept_rejected
from singanimation.manifests.care.verify import verify
from singanimation.manifests.reading import open_part, read
from singanimation.manifests.write import write_part
from singanimation.pipeline.records import Row

Rows = Callable[..., list[Row]]
NAMES = tuple(f"a-fear-{index}" for index in range(2, 6))


@pytest.fixture
def output(tmp_path: Path, source_rows: Rows) -> Path:
    """Two accepted and four rejected variants an edit; their SIFID is 0.1 times their number."""
    rows = [
        replace(row, sifid_features="embedded") if row.sifid is not None else row
        for row in source_rows("a", variants=2, rejected=4)
    ]
    write_part(tmp_path / "manifest", "part-a.parquet", rows)
    return tmp_path


def edit(output: Path, lacking: int, names: tuple[str, ...] = NAMES) -> Rejected:
    return Rejected(names, lacking, (output / "manifest" / "part-a.parquet",))


def statuses(output: Path) -> dict[str, str]:
    rows = read(output, columns=["variant_id", "status"])
    return dict(zip(rows["variant_id"], rows["status"].astype(str), strict=True))


def test_the_first_that_fit_are_accepted_and_say_why(output: Path) -> None:
    before = read(output)
    assert accept_rejected([edit(output, 2)], features="embedded", limit=0.4) == 2
    after = statuses(output)
    assert [after[name] for name in NAMES] == ["accepted", "accepted", "rejected", "rejected"]
    rows: Any = read(output).set_index("variant_id")
    assert rows.loc["a-fear-2", "message"] == "Rejected at first; accepted since the limit is 0.4 (SIFID 0.2)."
    assert rows["reason"].isna()["a-fear-2"] and rows.loc["a-fear-4", "reason"] == "sifid"
    same = [name for name in before.columns if name not in ("status", "reason", "message")]
    assert read(output)[same].equals(before[same])
    part = open_part(output / "manifest" / "part-a.parquet")
    assert part.schema_arrow.metadata and verify(output).clean


def test_the_limit_itself_fits_and_what_is_above_does_not(output: Path) -> None:
    assert accept_rejected([edit(output, 4)], features="embedded", limit=0.3) == 2  # 0.2 and float32(0.3)
    assert accept_rejected([edit(output, 4)], features="embedded", limit=0.3) == 0


def test_order_is_that_of_the_attempts(output: Path) -> None:
    accept_rejected([edit(output, 1, NAMES[::-1])], features="embedded", limit=1.0)
    assert statuses(output)["a-fear-5"] == "accepted" and statuses(output)["a-fear-2"] == "rejected"


def test_distances_on_other_features_and_complete_edits_are_left_alone(output: Path) -> None:
    part = output / "manifest" / "part-a.parquet"
    before = part.stat().st_mtime_ns
    assert accept_rejected([edit(output, 4)], features="inception-64", limit=1.0) == 0
    assert accept_rejected([edit(output, 0)], features="embedded", limit=1.0) == 0
    assert part.stat().st_mtime_ns == before
