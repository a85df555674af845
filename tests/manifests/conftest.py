"""Rows of a small made-up source, for the manifest's tests."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from singanimation.pipeline.files.pictures import encode_png
from singanimation.pipeline.records import Row


def make_png(shade: int, size: int = 32) -> bytes:
    return encode_png(np.full((size, size, 3), shade % 256, np.uint8))


def make_source_rows(
    name: str = "a",
    *,
    split: str = "train",
    variants: int = 3,
    rejected: int = 1,
    label: str = "neutral",
    group: str | None = None,
) -> list[Row]:
    """A real row, two edits (fear, AU12), and per edit ``variants`` accepted and ``rejected`` rejected variants."""
    base: dict[str, Any] = {
        "dataset": "tiny",
        "source_id": f"{name}.png",
        "source_path": f"{name}.png",
        "split": split,
        "source_sha256": name.encode().hex().ljust(64, "0"),
        "group_id": group or name,
        "licence": "CC0-1.0",
        "run_id": "run-1",
    }
    real = Row(variant_id=f"{name}-real", kind="real", label=label, label_origin="source", source_label="7", **base)
    rows = [real]
    for edit_kind, edit_name, edit_label in (("discrete", "fear", "fear"), ("single", "AU12", None)):
        edit_id = f"{name}-{edit_name}"
        vector = tuple(float(value) for value in np.linspace(0, 1, 17))
        shared = base | {
            "label": edit_label,
            "label_origin": "target",
            "edit_kind": edit_kind,
            "edit_name": edit_name,
            "edit_strength": 1.0,
            "au_target": vector,
        }
        rows.append(
            Row(
                variant_id=edit_id,
                kind="edit",
                parent_id=real.variant_id,
                image=make_png(len(rows)),
                image_path=f"{edit_id}.png",
                width=32,
                height=32,
                **shared,
            )
        )
        for index in range(variants + rejected):
            good = index < variants
            rows.append(
                Row(
                    variant_id=f"{edit_id}-{index}",
                    kind="variant",
                    parent_id=edit_id,
                    seed=index,
                    sifid=0.1 * index,
                    image=make_png(sum(map(ord, f"{name}{edit_name}")) + index * 7),
                    image_path=f"{edit_id}-{index}.png",
                    width=32,
                    height=32,
                    engine="fast",
                    start_scale="N-1",
                    start_size=32,
                    status="accepted" if good else "rejected",
                    reason=None if good else "sifid",
                    **shared,
                )
            )
    return rows


@pytest.fixture
def source_rows() -> Callable[..., list[Row]]:
    return make_source_rows
