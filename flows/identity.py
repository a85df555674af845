"""Whose rows they are: the ids and seeds of one source's real row, edits and variants."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import sha256

from singanimation.flows.models import Fingerprint
from singanimation.pipeline.identity import DIGITS, derive_seed, digest, encoded, encoded_words, hex_digest
from singanimation.pipeline.records import Source
from singanimation.pipeline.settings import Settings

Allotment = Mapping[str, int]
"""Emotion -> how many variants of it a source gives under ``--balance``."""

Known = Mapping[str, str]
"""variant_id -> status of rows that the manifest already holds."""


@dataclass(frozen=True)
class Identity:
    """Makes the row ids of one source (``sha256`` of its file's bytes, None when it could not be read).

    ``allotment`` is what ``--balance`` asks of it; None: ``--per-image`` variants over the plan's edits. An edit is
    named by its ``key`` (``discrete:fear@0.80``). What ids share is encoded once: a second run over a large manifest
    asks for a million of them.
    """

    source: Source
    sha256: str | None
    settings: Settings
    fingerprint: Fingerprint
    allotment: Allotment | None = None

    @property
    def frame(self) -> str:
        """Return ``source`` or ``crop``: what ``--frame auto`` means for this source."""
        if self.settings.frame != "auto":
            return self.settings.frame
        return "source" if self.source.is_face_crop else "crop"

    def real(self) -> str:
        """Return the id of the source's own row: data set, source id and bytes alone."""
        return digest("real", self.source.dataset, self.source.source_id, self.sha256 or "")

    def edit(self, key: str) -> str:
        """Return the id of an edit's row."""
        return hex_digest(encoded_words("edit") + self._whose + encoded_words(key) + self._pixels[0])

    def variants(self, key: str, first: str) -> Callable[[str, int], str]:
        """Return a function: (start scale, number of the attempt) -> the id of its row.

        ``first`` is the key of the plan's first edit: engines may start the other edits' SinGANs from the first
        one's, so it is part of what decides the pixels.
        """
        start_sha = sha256(encoded_words("variant") + self._whose + encoded_words(key) + self._pixels[1]).copy
        end = encoded_words(first)

        def name(start: str, attempt: int) -> str:
            sha = start_sha()
            sha.update(encoded_words(start, attempt) + end)
            return sha.hexdigest()[:DIGITS]

        return name

    def seed(self, stage: str, key: str, index: int = 0) -> int:
        """Return the seed of a stage's work on this source and edit."""
        return derive_seed(self.settings.seed, self.source.source_id, f"{stage}:{key}", index)

    @cached_property
    def _whose(self) -> bytes:
        return encoded(self.source.dataset, self.source.source_id, self.sha256 or "")

    @cached_property
    def _pixels(self) -> tuple[bytes, bytes]:
        return _pixels(self.settings, self.fingerprint, self.frame)


@lru_cache(maxsize=64)
def _pixels(settings: Settings, fingerprint: Fingerprint, frame: str) -> tuple[bytes, bytes]:
    """Return what decides the pixels of edits, and of variants: the same for all sources of one frame."""
    models = fingerprint.resolved()
    return (
        encoded(settings.seed, settings.edit_digest(frame=frame, **models)),
        encoded(settings.seed, settings.pixel_digest(frame=frame, **models)),
    )
