"""Contact sheets of what a generator, or the teacher, makes of aligned faces: emotions, single AUs, a path."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from singanimation.flows.sheets.contact_sheet import Block, Tile, write_sheet
from singanimation.pipeline.expressions import AU_INDEX, EMOTIONS, NOT_EXPRESSIVE
from singanimation.pipeline.forms import first_form

CELL, _UNITS_CELL = 192, 128
"""Pixels of a picture's edge: half as many again as the crop has; on the sheet of units as many."""

SHEET_UNITS = ("AU01", "AU02", "AU04", "AU05", "AU45", "AU10", "AU12", "AU15", "AU25")
"""The nine units of the thesis' figure 5.4."""

SHEET_STRENGTHS = (0.0, 0.33, 0.66, 1.0)
PATH_STEPS = 7
_PATH = ("neutral", "surprise", "happiness", "sadness", "anger", "fear", "disgust")

Edit = Callable[[int, np.ndarray], np.ndarray]
"""A face's number and target AUs float32 (K, 17) -> its edits uint8 (K, 128, 128, 3)."""


def write_emotions(
    path: Path, edit: Edit, crops: np.ndarray, units: np.ndarray, emotions: Sequence[str] = EMOTIONS
) -> None:
    """Write a PNG: a row per crop (N, 128, 128, 3) uint8, the crop first, then each of ``emotions`` at full strength.

    ``units`` (N, 17): the crops' own AUs.
    """
    rows = [
        [crop, *edit(index, emotion_targets(source, emotions))] for index, (crop, source) in _numbered(crops, units)
    ]
    write_rows(path, ["source", *emotions], rows)


def write_units(path: Path, edit: Edit, crops: np.ndarray, units: np.ndarray) -> None:
    """Write a PNG: four columns of strength for each of ``SHEET_UNITS``, two rows of units per face."""
    blocks, half = [], (len(SHEET_UNITS) + 1) // 2
    for index, (crop, source) in _numbered(crops, units):
        edits = [(name, edit(index, targets)) for name, targets in _courses(source)]
        columns: list[tuple[Tile, ...]] = [(_tile(crop, "source"),)]
        for first in range(half):
            below = [edits[place] for place in (first, first + half) if place < len(edits)]
            for step, strength in enumerate(SHEET_STRENGTHS):
                columns.append(tuple(_tile(drawn[step], f"{name} {strength:.2f}") for name, drawn in below))
        blocks.append(Block("", tuple(columns)))
    write_sheet(path, blocks, _UNITS_CELL)


def write_path(path: Path, edit: Edit, crops: np.ndarray, units: np.ndarray) -> None:
    """Write a PNG: a row per crop, ``PATH_STEPS`` steps ``a * target + (1 - a) * source`` to an emotion."""
    shares = np.linspace(0, 1, PATH_STEPS, dtype=np.float32)[:, None]
    rows = []
    for index, (_, source) in _numbered(crops, units):
        target = _target(source, _PATH[1 + index % (len(_PATH) - 1)])
        rows.append(list(edit(index, shares * target + (1 - shares) * source)))
    write_rows(path, [f"{share:.2f}" for share in shares[:, 0]], rows)


def emotion_targets(source: np.ndarray, emotions: Sequence[str] = EMOTIONS) -> np.ndarray:
    """The targets of ``emotions`` (default: all seven), (E, 17), for a face with AUs ``source`` (17,)."""
    return np.stack([_target(source, name) for name in emotions])


def _target(source: np.ndarray, emotion: str) -> np.ndarray:
    target = first_form(emotion).units.copy()
    left = [AU_INDEX[name] for name in NOT_EXPRESSIVE]
    target[left] = source[left]
    return target


def _courses(source: np.ndarray) -> list[tuple[str, np.ndarray]]:
    courses = []
    for name in SHEET_UNITS:
        targets = np.repeat(source[None], len(SHEET_STRENGTHS), 0)
        column = AU_INDEX[name]
        targets[:, column] += np.array(SHEET_STRENGTHS, np.float32) * (1 - source[column])
        courses.append((name, targets))
    return courses


def _numbered(crops: np.ndarray, units: np.ndarray) -> enumerate:
    return enumerate(zip(crops, units, strict=True))


def _tile(picture: np.ndarray, heading: str) -> Tile:
    return Tile(Image.fromarray(picture), (heading,))


def write_rows(path: Path, headings: Sequence[str], rows: Sequence[Sequence[np.ndarray]]) -> None:
    """Write rows of crops (128, 128, 3) as one PNG, ``headings`` above each picture."""
    columns = [tuple((_tile(*each),) for each in zip(row, headings, strict=True)) for row in rows]
    write_sheet(path, [Block("", each) for each in columns], CELL)
