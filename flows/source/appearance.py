"""Edits of appearance: what a source wears is taken off, or another person's is put on, its expression left alone."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from singanimation.flows.models import Models
from singanimation.flows.source.donated import NO_DONOR
from singanimation.flows.source.remaining import EditWork
from singanimation.flows.source.row_ids import Identity
from singanimation.pipeline.errors import PictureError
from singanimation.pipeline.files.pictures import read_source
from singanimation.pipeline.records import Crop, Fault, Source

if TYPE_CHECKING:
    from singanimation.stages.expansion.attributes.editor import AttributeEditor, Face

ADDED, REMOVED, EXCHANGED = "added", "removed", "exchanged"

_REMEMBERED = 1024

_faces: dict[tuple[str, str], "Face | None"] = {}
_lenders: dict[tuple[str, str, str, str], bool] = {}


def dressed(
    identity: Identity, models: Models, crop: Crop, works: Sequence[EditWork], edits: np.ndarray
) -> tuple[list[EditWork], np.ndarray, dict[int, Fault]]:
    """Return works and edits with those of appearance made, and by their place why some cannot be.

    ``edits`` uint8 (K, 128, 128, 3), in which edits of appearance still are the source. A source that wears an
    attribute has it taken off, and then exchanged for the next donors'; one that does not is given the donors', in the
    order in which its candidates wear them.
    """
    changed, made, faults = list(works), edits.copy(), {}
    if models.attributes is None:
        return changed, made, faults
    from singanimation.stages.expansion.attributes.editor import Face

    wardrobe = _Wardrobe(identity, models, models.attributes, crop, Face(crop.pixels, crop.landmarks))
    turns: Counter[str] = Counter()
    for place, work in enumerate(works):
        attribute = work.target.attribute
        if attribute is None:
            continue
        found = wardrobe.change(attribute, turns[attribute])
        turns[attribute] += 1
        if isinstance(found, Fault):
            faults[place] = found
            continue
        made[place], how, donor = found
        changed[place] = replace(work, target=replace(work.target, change=how, donor=donor))
    return changed, made, faults


@dataclass(frozen=True)
class _Wardrobe:
    """One source, and those who may lend it what they wear."""

    identity: Identity
    models: Models
    editor: "AttributeEditor"
    crop: Crop
    face: "Face"

    def change(self, attribute: str, turn: int) -> tuple[np.ndarray, str, str | None] | Fault:
        """Return the ``turn``-th edit of ``attribute``: crop uint8 (128, 128, 3), how it changed, the donor's id."""
        editor, face, seen = self.editor, self.face, self.crop.seen
        if attribute not in editor.attributes:
            return Fault(NO_DONOR, f"The networks carry {', '.join(editor.attributes)}, not {attribute}.")
        wears = editor.wears(face, attribute)
        bare = editor.remove(face, attribute, seen).picture if wears else face.pixels
        if wears and turn == 0:
            return bare, REMOVED, None
        wanted = turn - int(wears)
        found = _wearer(self.identity, self.models, attribute, wanted)
        if found is None:
            return _nobody(self.identity, attribute, wanted)
        donor, worn = found
        put_on = editor.carry(face._replace(pixels=bare), worn, attribute, seen).picture
        return put_on, EXCHANGED if wears else ADDED, donor.source_id


def _nobody(identity: Identity, attribute: str, turn: int) -> Fault:
    """Say that too few candidates wear what was to be carried."""
    count = len(identity.donors.candidates) if identity.donors is not None else 0
    wanted = f"{turn + 1} of them wear" if turn else "one wears"
    return Fault(
        NO_DONOR, f"Of {count} pictures of other people in {identity.source.split} fewer than {wanted} {attribute}."
    )


def _wearer(identity: Identity, models: Models, attribute: str, turn: int) -> "tuple[Source, Face] | None":
    """Return the candidate that is, counting from 0, the ``turn``-th to wear ``attribute``, and its face."""
    editor = models.attributes
    if editor is None or identity.donors is None:
        return None
    for candidate in identity.donors.candidates:
        face = _face(candidate, models)
        if face is not None and _lends(editor, candidate, face, attribute):
            if not turn:
                return candidate, face
            turn -= 1
    return None


def _lends(editor: "AttributeEditor", candidate: Source, face: "Face", attribute: str) -> bool:
    key = (candidate.dataset, candidate.source_id, attribute, editor.digest)
    if key not in _lenders:
        _lenders[key] = editor.lends(face, attribute)
    return _lenders[key]


def _face(candidate: Source, models: Models) -> "Face | None":
    """Return a candidate's face, None where it has no usable one; a process remembers the last thousand."""
    from singanimation.stages.expansion.attributes.editor import Face

    key = (candidate.dataset, candidate.source_id)
    if key not in _faces:
        if len(_faces) >= _REMEMBERED:
            _faces.clear()
        try:
            crop = models.faces.find_face(read_source(candidate).pixels, candidate)
            _faces[key] = Face(crop.pixels, crop.landmarks)
        except PictureError:
            _faces[key] = None
    return _faces[key]
