"""The records that flow through the pipeline: source -> crop -> edit -> variant -> row."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

KINDS = ("real", "edit", "variant")
STATUSES = ("accepted", "rejected", "failed")
"""What a row of the manifest is, and what became of it."""


class InFolder:
    """Where the pictures of one table lie: shared by its sources, whose ``source_path`` says the rest."""

    __slots__ = ("folder",)

    def __init__(self, folder: Path) -> None:
        self.folder = folder


class _PlainPath:
    """``Source.path`` kept as text, or as the folder that many share: a million Path objects take 400 MB."""

    def __init__(self, slot: Any) -> None:
        self._slot = slot

    def __get__(self, source: "Source | None", owner: type | None = None) -> Any:
        if source is None:
            return self
        kept = self._slot.__get__(source, owner)
        if isinstance(kept, InFolder):
            return kept.folder / source.source_path
        return None if kept is None else Path(kept)

    def __set__(self, source: "Source", value: Any) -> None:
        self._slot.__set__(source, value if value is None or isinstance(value, InFolder) else str(value))


@dataclass(frozen=True, slots=True)
class Source:
    """One input picture of a data set with its label.

    ``source_id`` is unique within the data set and stable between runs (the path relative to the input,
    POSIX, or the index's own id). ``box`` is x0, y0, x1, y1 and ``landmarks`` (K, 2) float32, both in pixels
    of the picture. ``is_face_crop``: the data set is known to hold aligned face crops; ``fills_picture``: its pictures
    were found to be faces cut out tightly. ``problem`` says why the picture cannot be used, where the reader already
    knows.
    ``action_units`` is the set's own (17,) vector, 0..1 in OpenFace order, where it brings one, and ``units_from``
    the tool that measured it. ``path`` is read as a Path or None, and may be given as an ``InFolder``.
    """

    dataset: str
    source_id: str
    path: "Path | None"
    source_path: str
    split: str = "train"
    group_id: str = ""
    label: str | None = None
    source_label: str | None = None
    licence: str | None = None
    box: tuple[float, float, float, float] | None = None
    landmarks: np.ndarray | None = field(default=None, compare=False)
    is_face_crop: bool = False
    fills_picture: bool = False
    data: bytes | None = field(default=None, repr=False, compare=False)
    problem: str | None = None
    label_weights: tuple[float, ...] | None = None
    action_units: tuple[float, ...] | None = None
    units_from: str = "openface"


Source.path = _PlainPath(Source.__dict__["path"])  # type: ignore[assignment]


def mark_filling(sources: Iterable[Source]) -> None:
    """Mark sources, where they are, as pictures that their face fills: a million copies would take 200 MB."""
    for source in sources:
        object.__setattr__(source, "fills_picture", True)


@dataclass(frozen=True)
class Crop:
    """The aligned face cut from a source.

    ``pixels`` uint8 (128, 128, 3) RGB with eye centres at (42.2, 45.1) and (85.8, 45.1); ``matrix`` float64
    (2, 3) maps pixels of the picture to pixels of the crop; ``landmarks`` float32 (478, 2) in crop pixels;
    ``face_size`` the face's width in pixels of the picture; ``notes`` what a user should know
    (``several faces: took the largest of 3``, ``small face: 52 px``); ``seen`` bool (128, 128) which of its pixels lie
    in the picture (elsewhere its edge repeats), None where all do.
    """

    pixels: np.ndarray
    matrix: np.ndarray
    landmarks: np.ndarray
    face_size: float
    notes: tuple[str, ...] = ()
    seen: np.ndarray | None = None


@dataclass(frozen=True)
class ExpressionTarget:
    """What an edit aims at. ``action_units`` is the (17,) vector of the whole face, 0..1, at this strength.

    ``form`` names the form of an emotion that it is drawn in, ``sides`` (17,) in -1..1 how much more of each unit's
    change the half at the picture's left has (None: both alike), ``donor`` the source_id whose action units, or whose
    spectacles or beard, it takes. ``attribute`` is what an edit of appearance changes, ``change`` how: added, removed
    or exchanged, once it is known what the source wears.
    """

    kind: str
    name: str
    strength: float
    action_units: tuple[float, ...]
    label: str | None
    label_weights: tuple[float, ...] | None = None
    label_origin: str | None = None
    form: str | None = None
    sides: tuple[float, ...] | None = None
    donor: str | None = None
    attribute: str | None = None
    change: str | None = None

    @property
    def key(self) -> str:
        """Return ``discrete:fear/parted@1.00``: unique within a source's plan, part of the row's identity."""
        return edit_key(self.kind, self.name, self.strength, self.form or self.donor)


def edit_key(kind: str, name: str, strength: float, which: str | None = None) -> str:
    """Return ``discrete:fear/parted@1.00``, see ``ExpressionTarget.key``; ``which`` is the form or the donor."""
    return f"{kind}:{name}{f'/{which}' if which else ''}@{strength:.2f}"


@dataclass(frozen=True)
class Fault:
    """Why a variant is rejected: a reason for the manifest's column, and a sentence."""

    reason: str
    message: str


@dataclass
class Row:
    """One row of the manifest, in plain Python values; see the manifest's schema for the meanings.

    ``compound`` names a label beyond the seven, of a set that has it: ``label`` is then None.
    """

    variant_id: str
    kind: str
    dataset: str
    source_id: str
    source_path: str
    source_sha256: str | None
    split: str
    group_id: str
    parent_id: str | None = None
    image: bytes | None = None
    image_path: str | None = None
    width: int | None = None
    height: int | None = None
    image_sha256: str | None = None
    licence: str | None = None
    label: str | None = None
    compound: str | None = None
    source_label: str | None = None
    label_weights: tuple[float, ...] | None = None
    label_origin: str | None = None
    edit_kind: str | None = None
    edit_name: str | None = None
    edit_strength: float | None = None
    edit_form: str | None = None
    edit_donor: str | None = None
    expression_found: float | None = None
    expression_source: float | None = None
    attribute: str | None = None
    attribute_change: str | None = None
    attribute_weights: str | None = None
    au_source: tuple[float, ...] | None = None
    au_target: tuple[float, ...] | None = None
    au_measured: tuple[float, ...] | None = None
    au_estimator: str | None = None
    engine: str | None = None
    start_scale: str | None = None
    start_size: int | None = None
    seed: int | None = None
    sifid: float | None = None
    sifid_features: str | None = None
    status: str = "accepted"
    reason: str | None = None
    message: str | None = None
    run_id: str = ""
    created_at: datetime | None = None
    code_version: str = ""
    settings_sha256: str = ""
    weights_sha256: str | None = None
