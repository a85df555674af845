"""Faces of any input, found and cut, spread over its labels: what edits are judged on."""

from collections.abc import Sequence

import numpy as np

from singanimation.flows.evaluation.edits import JudgedFaces
from singanimation.flows.models import FaceModels
from singanimation.pipeline.datasets import open_input
from singanimation.pipeline.errors import PictureError, UsageError
from singanimation.pipeline.files.pictures import read_source
from singanimation.pipeline.records import Source

_FEWEST = 2


def find_judged_faces(text: str, models: FaceModels, limit: int, splits: Sequence[str] = ()) -> JudgedFaces:
    """Return at most ``limit`` faces of an input, taking turns among its labels; pictures without one are passed over.

    ``splits`` are those whose pictures are looked at, all where none is named.

    Raises DatasetError for an input that cannot be read, UsageError where fewer than two faces are found.
    """
    crops, seen, labels = [], [], []
    for source in in_turns([each for each in open_input(text).sources if not splits or each.split in splits]):
        if len(crops) == limit:
            break
        try:
            crop = models.find_face(read_source(source).pixels, source)
        except PictureError:
            continue
        crops.append(crop.pixels)
        seen.append(crop.seen)
        labels.append(source.label)
    if len(crops) < _FEWEST:
        where = f" in {' and '.join(splits)}" if splits else ""
        raise UsageError(f"--input {text}: fewer than {_FEWEST} faces were found{where}.")
    return JudgedFaces(np.stack(crops), seen, labels)


def in_turns(sources: Sequence[Source]) -> list[Source]:
    """Return the sources so that labels take turns, each label's own evenly spread over its pictures."""
    groups: dict[str, list[Source]] = {}
    for source in sources:
        groups.setdefault(source.label or "", []).append(source)
    for name, group in groups.items():  # far apart first: 0, 1/2, 1/4, 3/4, ... of the group, so that people differ
        order = sorted(range(len(group)), key=lambda place: (_reversed_bits(place), place))
        groups[name] = [group[place] for place in order]
    longest = max(map(len, groups.values()), default=0)
    return [group[turn] for turn in range(longest) for _, group in sorted(groups.items()) if turn < len(group)]


def _reversed_bits(place: int) -> int:
    return int(f"{place:032b}"[::-1], 2)
