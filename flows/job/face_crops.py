"""Whether a data set's pictures are themselves face crops: what ``--frame auto`` goes by, where no reader knows."""

from collections.abc import Sequence
from heapq import nsmallest

from singanimation.pipeline.digests import digest
from singanimation.pipeline.errors import SinganimationError
from singanimation.pipeline.files.pictures import read_source
from singanimation.pipeline.records import Source, mark_filling

LOOKED_AT = 24
"""So many pictures tell: always the same ones, whatever the order and ``--limit``."""

TIGHT = 0.55
"""A face box (its wider side, over the picture's shorter one) from which a picture is a crop of that face."""

SMALL = 224
"""A picture no larger than this in which no detector sees a face is one that its face fills."""

MOST = 0.6
"""Share of the pictures looked at that have to be face crops for the data set to be one of face crops."""


def mark_crops(sources: Sequence[Source], among: Sequence[Source]) -> str | None:
    """Mark ``sources`` where ``among``, the whole data set, are pictures of single faces cut out tightly.

    Returns a sentence for the user that says so, None where nothing was found, or the reader knows already.
    """
    unknown = [source for source in among if not source.is_face_crop and source.problem is None]
    if len(unknown) < len(among) or not unknown:
        return None
    looked_at = nsmallest(LOOKED_AT, unknown, key=lambda source: digest("frame", source.source_id))
    tight = [found for found in map(_is_tight, looked_at) if found is not None]
    if not tight or sum(tight) < MOST * len(tight):
        return None
    said = (
        f"{sum(tight)} of {len(tight)} pictures looked at are face crops: synthetic pictures get their sources' own "
        "frame (--frame crop for 128 px crops)."
    )
    mark_filling(sources)
    return said


def _is_tight(source: Source) -> bool | None:
    """Return whether a face fills a picture; None where it cannot be read."""
    from singanimation.stages.crop.detectors import detect_faces

    try:
        picture = read_source(source).pixels
    except SinganimationError:
        return None
    shorter = min(picture.shape[:2])
    if source.box is not None:
        x0, y0, x1, y1 = source.box
        return bool(max(x1 - x0, y1 - y0) >= TIGHT * shorter)
    boxes = detect_faces(picture)
    if len(boxes) == 0:
        return max(picture.shape[:2]) <= SMALL
    return bool(boxes[0][2] - boxes[0][0] >= TIGHT * shorter)
