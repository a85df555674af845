"""Donors: other pictures of the data set whose action units an edit aims at, as GANimation's own training draws them.

A donor shows the wanted emotion, lies in the source's own split, and is of another person; which one it is hangs on the
run's seed, the source and the emotion alone, and on what the data set holds.
"""

from collections.abc import Mapping, Sequence

from singanimation.pipeline.digests import derive_seed
from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.expressions import EMOTION_INDEX, EMOTIONS
from singanimation.pipeline.records import Source

Donors = Mapping[str, Source]
"""Emotion -> the donor of one source."""


class DonorPool:
    """The pictures of a data set that can be donors, by split and emotion."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._by: dict[tuple[str, str], list[Source]] = {}
        for source in sources:
            if source.label in EMOTION_INDEX and source.problem is None:
                self._by.setdefault((source.split, source.label or ""), []).append(source)
        for found in self._by.values():
            found.sort(key=lambda source: source.source_id)

    def of(self, source: Source, seed: int) -> Donors:
        """Return a source's donors: none of its own label, none where there is no other person's picture."""
        found = {emotion: self._one(source, emotion, seed) for emotion in EMOTIONS if emotion != source.label}
        return {emotion: donor for emotion, donor in found.items() if donor is not None}

    def missing(self, splits: Sequence[str]) -> list[str]:
        """Return the emotions that no picture of these splits shows."""
        return [emotion for emotion in EMOTIONS if not any(self._by.get((split, emotion)) for split in splits)]

    def check(self, splits: Sequence[str]) -> str | None:
        """Return a sentence on emotions without donors, None where all have some. Raises UsageError where none has."""
        lacking = self.missing(splits)
        if len(lacking) == len(EMOTIONS):
            raise UsageError(
                f"--expressions donor: no picture in {', '.join(splits)} has one of the labels {', '.join(EMOTIONS)}, "
                "so that nothing can be a donor; use discrete, continuous or single."
            )
        if not lacking:
            return None
        return f"No donors for {', '.join(lacking)}: no picture in {', '.join(splits)} shows it, so none is drawn so."

    def _one(self, source: Source, emotion: str, seed: int) -> Source | None:
        found = self._by.get((source.split, emotion), [])
        first = derive_seed(seed, source.source_id, f"donor:{emotion}") % len(found) if found else 0
        person = source.group_id or source.source_id
        for step in range(len(found)):
            donor = found[(first + step) % len(found)]
            if (donor.group_id or donor.source_id) != person and donor.source_id != source.source_id:
                return donor
        return None
