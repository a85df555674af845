"""The pictures of a study: a manifest's accepted variants or edits, and its sources in the same frame."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from singanimation.flows.report.content import read_runs
from singanimation.flows.report.redrawn import find_sources
from singanimation.flows.study.plan import Kind, Shown
from singanimation.manifests.reading import iter_tables, part_paths
from singanimation.pipeline.errors import PictureError, UsageError
from singanimation.pipeline.files.pictures import encode_png, read_source
from singanimation.pipeline.records import Source

_COLUMNS = ("kind", "status", "image", "source_path", "label_name", "start_scale", "width", "height", "edit_kind")


def find_pictures(output: Path, kind: Kind) -> tuple[list[Shown], list[Shown]]:
    """Return the real and the synthetic pictures that a study may choose from, in one frame and one encoding.

    Real ones are the sources' own pictures, from the input of the last run; where the run shipped crops they are cut to
    crops. Raises UsageError where the sources cannot be had.
    """
    synthetic, labels, crops = [], {}, False
    wanted = "edit" if kind == "emotion" else "variant"
    for row in _rows(output):
        if row["kind"] == "real":
            labels[row["source_path"]] = row["label_name"]
        elif row["kind"] == wanted and row["image"] is not None:
            png = row["image"]["bytes"]
            scale = "edit" if kind == "emotion" else row["start_scale"]
            synthetic.append(Shown(png, True, row["source_path"], row["label_name"], scale))
            crops = crops or (row["width"], row["height"]) == (128, 128)
    real = list(_real(output, labels, crops))
    return real, synthetic


def _rows(output: Path) -> Iterator[dict[str, Any]]:
    for _, table in iter_tables(part_paths(output), _COLUMNS, status="accepted"):
        yield from table.to_pylist()


def _real(output: Path, labels: dict[str, str | None], crops: bool) -> Iterator[Shown]:
    settings, sources, problem = find_sources(list(read_runs(output)))
    if problem or settings is None:
        raise UsageError(f"A study needs the real pictures. {problem}")
    cut = _cutter(settings.frame == "crop" or crops)
    for path, label in labels.items():
        source = sources.get(path)
        if source is None:
            continue
        try:
            pixels, mode = cut(source)
        except PictureError:
            continue
        yield Shown(encode_png(pixels, mode), False, path, label)


def _whole(source: Source) -> tuple[np.ndarray, str]:
    picture = read_source(source)
    return picture.pixels, picture.mode


def _cutter(crops: bool) -> Callable[[Source], tuple[np.ndarray, str]]:
    if not crops:
        return _whole
    from singanimation.flows.models import load_face_models

    models = load_face_models()

    def cut(source: Source) -> tuple[np.ndarray, str]:
        picture = read_source(source)
        return models.find_face(picture.pixels, source).pixels, picture.mode

    return cut
