"""A picture of what a run made: for the first few sources the face, its edits, and the variants of each."""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from singanimation.manifests.reading import iter_tables
from singanimation.pipeline.errors import PictureError
from singanimation.pipeline.files.atomic import atomic_file
from singanimation.pipeline.files.pictures import read_picture
from singanimation.pipeline.files.signed import png_words
from singanimation.pipeline.records import Source

CELL = 144
"""Pixels of a picture's square on the sheet."""

_GAP = 8
_CAPTION = 34
_TITLE = 26
_MOST_VARIANTS = 4
_BACK, _INK, _FAINT, _RED = (255, 255, 255), (20, 20, 20), (110, 110, 110), (200, 30, 30)
_COLUMNS = (
    "source_id",
    "kind",
    "variant_id",
    "parent_id",
    "image",
    "label_name",
    "edit_kind",
    "edit_name",
    "edit_strength",
    "start_scale",
    "sifid",
    "sifid_features",
    "status",
)


@dataclass(frozen=True)
class Tile:
    """One picture with up to two lines under it. ``marked``: framed in red (a rejected variant)."""

    picture: Image.Image | None
    lines: tuple[str, ...]
    marked: bool = False


@dataclass(frozen=True)
class Block:
    """One source: a title, which may be empty, and columns of tiles, each column read downwards."""

    title: str
    columns: tuple[tuple[Tile, ...], ...]


def write_contact_sheet(path: Path, sources: Sequence[tuple[Source, Iterable[Path]]]) -> Path | None:
    """Write the sheet of ``sources``, each with the parts that hold its rows; None when there is nothing to show."""
    blocks = [block for source, parts in sources if (block := _block(source, parts)) is not None]
    return write_sheet(path, blocks)


def write_sheet(path: Path, blocks: Sequence[Block], cell: int = CELL) -> Path | None:
    """Draw blocks below one another as one PNG, pictures ``cell`` pixels wide; None for none."""
    if not blocks:
        return None
    drawn = [_draw_block(block, cell) for block in blocks]
    sheet = Image.new("RGB", (max(b.width for b in drawn), sum(b.height for b in drawn)), _BACK)
    top = 0
    for block in drawn:
        sheet.paste(block, (0, top))
        top += block.height
    with atomic_file(path) as file:
        sheet.save(file, "PNG", pnginfo=png_words())
    return path


def _block(source: Source, parts: Iterable[Path]) -> Block | None:
    rows = _rows(source, parts)
    edits = [row for row in rows if row["kind"] == "edit"]
    if not edits:
        return None
    shown = Tile(_source_picture(source), ("source", source.label or source.source_label or "unlabelled"))
    columns: list[tuple[Tile, ...]] = [(shown,)]
    for edit in edits:
        variants = [row for row in rows if row["parent_id"] == edit["variant_id"]]
        variants.sort(key=lambda row: row["status"] != "accepted")  # stable: attempts keep their order
        tiles = [Tile(_picture(edit["image"]), (edit["edit_name"], f"{edit['edit_kind']} {edit['edit_strength']:.2f}"))]
        columns.append((*tiles, *(_variant_tile(row) for row in variants[:_MOST_VARIANTS])))
    features = sorted({row["sifid_features"] for row in rows if row["sifid_features"]})
    measured = f"SIFID on {', '.join(features)}" if features else "no variants"
    return Block(f"{source.source_path}: source, edits, and below each edit its variants ({measured})", tuple(columns))


def _rows(source: Source, parts: Iterable[Path]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for _, table in iter_tables(list(parts), _COLUMNS):
        rows += [row for row in table.to_pylist() if row["source_id"] == source.source_id]
    return rows


def _variant_tile(row: dict[str, Any]) -> Tile:
    accepted = row["status"] == "accepted"
    verdict = f"SIFID {row['sifid']:.3g}" if row["sifid"] is not None else ""
    return Tile(
        _picture(row["image"]), (f"{row['start_scale']}  {verdict}", "" if accepted else row["status"]), not accepted
    )


def _picture(image: dict[str, Any] | None) -> Image.Image | None:
    if image is None or image["bytes"] is None:
        return None
    return Image.open(io.BytesIO(image["bytes"])).convert("RGB")


def _source_picture(source: Source) -> Image.Image | None:
    try:
        return Image.fromarray(read_picture(source.data if source.data is not None else source.path or "").pixels)
    except PictureError:
        return None


def _draw_block(block: Block, cell: int) -> Image.Image:
    rows = max(len(column) for column in block.columns)
    width = len(block.columns) * (cell + _GAP) + _GAP
    head = _TITLE if block.title else _GAP
    sheet = Image.new("RGB", (width, head + rows * (cell + _CAPTION + _GAP) + _GAP), _BACK)
    draw = ImageDraw.Draw(sheet)
    draw.text((_GAP, 5), _cut(draw, block.title, width - 2 * _GAP, 14), _INK, ImageFont.load_default(14))
    for index, column in enumerate(block.columns):
        for row, tile in enumerate(column):
            left, top = _GAP + index * (cell + _GAP), head + row * (cell + _CAPTION + _GAP)
            _draw_tile(sheet, draw, tile, (left, top, cell))
    return sheet


def _draw_tile(sheet: Image.Image, draw: ImageDraw.ImageDraw, tile: Tile, place: tuple[int, int, int]) -> None:
    left, top, cell = place
    if tile.picture is None:
        draw.rectangle((left, top, left + cell - 1, top + cell - 1), outline=_FAINT)
    else:
        scale = cell / max(tile.picture.size)
        width, height = (max(round(side * scale), 1) for side in tile.picture.size)
        fitted = tile.picture.resize((width, height), Image.Resampling.LANCZOS)
        sheet.paste(fitted, (left + (cell - width) // 2, top + (cell - height) // 2))
    if tile.marked:
        draw.rectangle((left, top, left + cell - 1, top + cell - 1), outline=_RED, width=3)
    for number, line in enumerate(tile.lines[:2]):
        ink = _RED if tile.marked else _INK if number == 0 else _FAINT
        draw.text((left, top + cell + 1 + 16 * number), _cut(draw, line, cell, 13), ink, ImageFont.load_default(13))


def _cut(draw: ImageDraw.ImageDraw, text: str, width: int, size: int) -> str:
    """Shorten ``text`` in the middle until it fits ``width`` pixels."""
    font = ImageFont.load_default(size)
    if draw.textlength(text, font) <= width:
        return text
    keep = len(text)
    while keep > 2 and draw.textlength(_elided(text, keep), font) > width:
        keep -= 1
    return _elided(text, keep)


def _elided(text: str, keep: int) -> str:
    return text[: (keep + 1) // 2] + "..." + text[len(text) - keep // 2 :]
