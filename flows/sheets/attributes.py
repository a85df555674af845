"""The contact sheet of attribute networks: donors above, faces at the left, what is carried between, and taken off."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from singanimation.flows.sheets.model_sheets import write_rows

if TYPE_CHECKING:
    from singanimation.stages.expansion.attributes.editor import AttributeEditor, Face

DONORS, FACES = 5, 6
"""Of each attribute so many donors (who wear most of it) and faces (who wear least) are shown."""

_LOOKED_AT = 96


def write_attributes(path: Path, editor: "AttributeEditor", crops: np.ndarray) -> None:
    """Write a PNG: for each attribute a row of donors, a row of donors without it, and a row for each face.

    ``crops`` uint8 (N, 128, 128, 3); the first hundred are looked at.
    """
    from singanimation.stages.action_units.estimators import EmbeddedEstimator
    from singanimation.stages.expansion.attributes.editor import Face

    some = crops[:_LOOKED_AT]
    landmarks = EmbeddedEstimator.load()(some).landmarks
    if landmarks is None:
        raise ValueError("the embedded estimator finds landmarks")
    faces = [Face(*each) for each in zip(some, landmarks, strict=True)]
    rows = [row for attribute in editor.attributes for row in attribute_rows(editor, faces, attribute)]
    write_rows(path, ["", *("donor" for _ in rows[0][1:])], rows)


def attribute_rows(editor: "AttributeEditor", faces: "list[Face]", attribute: str) -> list[list[np.ndarray]]:
    """Return the rows of one attribute: donors, donors without it, and what each face gets of each donor."""
    amounts = [editor.amount(face, attribute) for face in faces]
    order = np.argsort(amounts, kind="stable")
    donors = [faces[place] for place in order[::-1][:DONORS]]
    takers = [faces[place] for place in order[: min(FACES, max(len(faces) - DONORS, 1))]]
    blank = np.zeros_like(faces[0].pixels)
    rows = [[blank, *(donor.pixels for donor in donors)]]
    rows.append([blank, *(editor.remove(donor, attribute).picture for donor in donors)])
    for face in takers:
        rows.append([face.pixels, *(editor.carry(face, donor, attribute).picture for donor in donors)])
    return rows
