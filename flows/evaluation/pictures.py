"""Figures that need a manifest's pictures: diversity and new detail of an edit's variants, copies among them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from singanimation.flows.evaluation.tables import Table, mean_of
from singanimation.flows.report.thumbnails import decoded
from singanimation.manifests.reading import iter_tables, part_paths

_COLUMNS = ("variant_id", "kind", "parent_id", "source_id", "image", "engine", "start_scale", "status")
NEAR = 2.0
"""Two variants whose root mean square difference is below so many grey levels are near-duplicates."""


def picture_table(output: Path, most: int) -> Table:
    """Return diversity, new detail and near-duplicates by engine and start, over at most ``most`` edits of each."""
    found: dict[tuple[str, str], dict[str, dict[str, list[float]]]] = {}
    done: dict[tuple[str, str], int] = {}
    for key, source, edit, variants in _edits(output):
        if done.get(key, 0) >= most or len(variants) < 2:
            continue
        done[key] = done.get(key, 0) + 1
        for name, value in _measured(edit, variants).items():
            found.setdefault(key, {}).setdefault(name, {}).setdefault(source, []).append(value)
    names = ("diversity", "detail", "near-duplicates")
    rows = [
        (*key, *(mean_of(figures[name]) if name in figures else None for name in names), done[key])
        for key, figures in sorted(found.items())
    ]
    note = (
        "Of an edit's accepted variants: deviation where grain does not count, in deviations of the edit; detail that "
        "is new after smooth registration (bands from 4 to 16 px), in deviations of the edit's own; share of pairs "
        f"that differ by less than {NEAR:g} grey levels."
    )
    return Table("pictures", "How variants differ", note, ("engine", "start", *names, "edits"), rows)


def _edits(output: Path) -> Iterator[tuple[tuple[str, str], str, np.ndarray, np.ndarray]]:
    for _, table in iter_tables(part_paths(output), _COLUMNS, status="accepted"):
        rows = table.to_pylist()
        edits = {row["variant_id"]: row for row in rows if row["kind"] == "edit" and row["image"] is not None}
        groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
        for row in rows:
            if row["kind"] == "variant" and row["parent_id"] in edits and row["image"] is not None:
                groups.setdefault((row["parent_id"], row["engine"], row["start_scale"]), []).append(row)
        for (edit, engine, start), variants in groups.items():
            pictures = [decoded(row["image"]["bytes"]) for row in (edits[edit], *variants)]
            if len({picture.shape for picture in pictures}) == 1:
                yield (engine, start), edits[edit]["source_id"], pictures[0], np.stack(pictures[1:])


def _measured(edit: np.ndarray, variants: np.ndarray) -> dict[str, float]:
    from singanimation.stages.singan.diversity import diversity
    from singanimation.stages.singan.figures.detail import drawn_detail, new_detail
    from singanimation.stages.singan.tensors import to_tensor

    tensors = to_tensor(np.stack([edit, *variants]), "cpu")
    found = {"diversity": diversity(tensors[1:], tensors[:1])}
    if edit.shape[0] == edit.shape[1]:
        found["detail"] = float(np.mean([drawn_detail(new_detail(edit, variant)) for variant in variants]))
    flat = variants.reshape(len(variants), -1).astype(np.float32)
    pairs = [float(np.sqrt(np.square(flat[i] - flat[j]).mean())) for i in range(len(flat)) for j in range(i)]
    found["near-duplicates"] = float(np.mean(np.array(pairs) < NEAR))
    return found
