"""Whose rows they are: the ids and seeds of one source's real row, edits and variants."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import sha256

from singanimation.flows.models import Fingerprint
from singanimation.pipeline.digests import DIGITS, derive_seed, encoded, encoded_words, hex_digest, real_row_id
from singanimation.pipeline.donors import Donors
from singanimation.pipeline.forms import PLAN
from singanimation.pipeline.plan import start_of_attempt
from singanimation.pipeline.records import Source
from singanimation.pipeline.settings import Settings

Allotment = Mapping[str, int]
"""Emotion -> how many variants of it a source gives under ``--balance``."""

Known = Mapping[str, str]
"""variant_id -> status of rows that the manifest already holds."""


@dataclass(frozen=True)
class Identity:
    """Makes the row ids of one source (``sha256`` of its file's bytes, None when it could not be read).

    ``allotment`` is what ``--balance`` asks of it; None: ``--per-image`` variants over the plan's edits. ``donors`` are
    its own, where edits by donor are asked for. An edit is
    named by its ``key`` (``discrete:fear@0.80``). What ids share is encoded once: a second run over a large manifest
    asks for a million of them.
    """

    source: Source
    sha256: str | None
    settings: Settings
    fingerprint: Fingerprint
    allotment: Allotment | None = None
    donors: Donors | None = None

    @property
    def frame(self) -> str:
        """Return ``source`` or ``crop``: what ``--frame auto`` means for this source."""
        if self.settings.frame != "auto":
            return self.settings.frame
        return "source" if self.source.is_face_crop or self.source.fills_picture else "crop"

    @property
    def own_units(self) -> bool:
        """Whether the source's action units are those that it brings (``--aus openface``), instead of measured."""
        return self.settings.aus == "openface" and self.source.action_units is not None

    def real(self) -> str:
        """Return the id of the source's own row: data set, source id and bytes alone."""
        return real_row_id(self.source.dataset, self.source.source_id, self.sha256)

    def edit(self, key: str) -> str:
        """Return the id of an edit's row."""
        return hex_digest(encoded_words("edit") + self._whose + encoded_words(self._named(key)) + self._pixels[0])

    def attempts(self, key: str, first: str, place: int, count: int) -> Iterator[tuple[int, str, str]]:
        """Yield (number, start scale, id of the row) of the first ``count`` attempts at an edit.

        ``place`` is the edit's in the plan, ``first`` the key of the plan's first edit: engines may start the other
        edits' SinGANs from the first one's, so it is part of what decides the pixels.
        """
        shared = sha256(encoded_words("variant") + self._whose + encoded_words(self._named(key)) + self._pixels[1])
        end = encoded_words(self._named(first))
        starts = self.settings.start_scale
        for number, start, words in _numbered(starts, place % len(starts), count):
            sha = shared.copy()
            sha.update(words + end)
            yield number, start, sha.hexdigest()[:DIGITS]

    def seed(self, stage: str, key: str, index: int = 0) -> int:
        """Return the seed of a stage's work on this source and edit."""
        return derive_seed(self.settings.seed, self.source.source_id, f"{stage}:{key}", index)

    def _named(self, key: str) -> str:
        """An edit's key as ids hold it: of one of appearance, which networks change it too."""
        return f"{key} by {self.fingerprint.attributes}" if key.startswith("appearance:") else key

    @cached_property
    def _whose(self) -> bytes:
        return encoded(self.source.dataset, self.source.source_id, self.sha256 or "")

    @cached_property
    def _pixels(self) -> tuple[bytes, bytes]:
        edits, variants = _pixels(self.settings, self.fingerprint, self.frame)
        return edits + self.own_inputs, variants + self.own_inputs

    @cached_property
    def own_inputs(self) -> bytes:
        """What else decides this source's pixels: its own action units, and a detector that is not Haar's."""
        source, found = self.source, []
        if self.own_units and source.action_units is not None:
            found += ["action_units", *source.action_units]
        framed = source.box is not None or source.landmarks is not None or source.is_face_crop
        if self.fingerprint.detector != "haar" and not framed:
            found += ["detector", self.fingerprint.detector]
        return encoded(*found)


@lru_cache(maxsize=64)
def _pixels(settings: Settings, fingerprint: Fingerprint, frame: str) -> tuple[bytes, bytes]:
    """Return what decides the pixels of edits, and of variants: the same for all sources of one frame."""
    models = fingerprint.resolved() | {"forms": PLAN.digest()}
    return (
        encoded(settings.seed, settings.edit_digest(frame=frame, **models)),
        encoded(settings.seed, settings.pixel_digest(frame=frame, **models)),
    )


@lru_cache(maxsize=256)
def _numbered(starts: tuple[str, ...], place: int, count: int) -> tuple[tuple[int, str, bytes], ...]:
    """Return number, start scale and their encoded bytes of the attempts at the edit of a place."""
    named = ((number, start_of_attempt(place, number, starts)) for number in range(count))
    return tuple((number, start, encoded(start, number)) for number, start in named)
