"""The page: content, thumbnails and template put together, written whole or not at all."""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from singanimation.flows.report.content import Content, histogram
from singanimation.flows.report.redrawn import STEPS, Redrawn
from singanimation.flows.report.thumbnails import data_uri, place_thumbnails, thumbnail
from singanimation.pipeline.digests import code_version
from singanimation.pipeline.expressions import EMOTIONS
from singanimation.pipeline.files.atomic import atomic_file

NAME = "index.html"


def write_page(folder: Path, content: Content, redrawn: Redrawn) -> Path:
    """Write ``folder/index.html`` (and ``thumbnails/`` where one file would be too large). Raises MachineError."""
    pictures: list[bytes | np.ndarray | None] = list(content.pictures)
    for index, source in redrawn.sources.items():
        pictures[index] = source
    masks = sorted(redrawn.masks)
    thumbnails = [None if picture is None else thumbnail(picture) for picture in pictures]
    thumbnails += [thumbnail(redrawn.masks[index]) for index in masks]
    places = place_thumbnails(thumbnails, folder)
    rows = [{**row, "picture": place} for row, place in zip(content.rows, places, strict=False)]
    for index, place in zip(masks, places[len(content.rows) :], strict=True):
        rows[index]["mask"] = place
    text = (
        _environment()
        .get_template("page.html.j2")
        .render(
            content=content,
            notes=[*content.warnings, *redrawn.notes],
            histograms={name: found for name, groups in content.figures.items() if (found := histogram(groups))},
            emotions=EMOTIONS,
            last=content.runs[-1] if content.runs else None,
            version=code_version(),
            data=_for_script({"rows": rows, "strips": _strips(redrawn), "steps": STEPS}),
            style=_part("page.css"),
            script=_part("page.js"),
        )
    )
    with atomic_file(folder / NAME) as file:
        file.write(text.encode())
    return folder / NAME


def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FunctionLoader(_part), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )


def _part(name: str) -> str:
    return (files("singanimation.flows.report") / name).read_text(encoding="utf-8")


def _for_script(value: Any) -> str:
    """Return JSON that cannot end the script element it stands in, whatever a file is called."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _strips(redrawn: Redrawn) -> dict[str, Any]:
    return {
        str(source): {
            kind: {name: [data_uri(thumbnail(each)) for each in strip] for name, strip in named.items()}
            for kind, named in kinds.items()
        }
        for source, kinds in redrawn.strips.items()
    }
