"""Donors: other pictures of the data set whose action units an edit aims at, as GANimation's own training draws them.

A donor shows the wanted emotion, lies in the source's own split, and is of another person; which one it is hangs on the
run's seed, the source and the emotion alone, and on what the data set holds.
"""

from collections.abc import Callable, Sequence
from itertools import islice
from math import gcd

from singanimation.pipeline.digests import derive_seed
from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.expressions import EMOTION_INDEX, EMOTIONS, attributes_asked
from singanimation.pipeline.records import Source


class Donors(dict[str, Source]):
    """Emotion -> the donor of one source; and ``candidates``, pictures to look through for who wears an attribute."""

    candidates: tuple[Source, ...] = ()

    def each(self, change: Callable[[Source], Source]) -> "Donors":
        """Return the same with every picture as ``change`` gives it back."""
        changed = Donors({emotion: change(donor) for emotion, donor in self.items()})
        changed.candidates = tuple(change(candidate) for candidate in self.candidates)
        return changed


CANDIDATES = 32
"""So many pictures are looked through for one that wears what is to be carried."""


class DonorPool:
    """The pictures of a data set that can be donors, by split and emotion, as the words of ``--expressions`` need."""

    def __init__(self, sources: Sequence[Source], expressions: Sequence[str] = ("donor",)) -> None:
        self._by: dict[tuple[str, str], list[Source]] = {}
        self._all: dict[str, list[Source]] = {}
        for source in sources:
            if source.problem is None and attributes_asked(expressions):
                self._all.setdefault(source.split, []).append(source)
            if source.label in EMOTION_INDEX and source.problem is None and "donor" in expressions:
                self._by.setdefault((source.split, source.label or ""), []).append(source)
        for found in (*self._by.values(), *self._all.values()):
            found.sort(key=lambda source: source.source_id)

    def of(self, source: Source, seed: int) -> Donors:
        """Return a source's donors: none of its own label, none where there is no other person's picture."""
        found = {emotion: self._one(source, emotion, seed) for emotion in EMOTIONS if emotion != source.label}
        donors = Donors({emotion: donor for emotion, donor in found.items() if donor is not None})
        donors.candidates = self._candidates(source, seed)
        return donors

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

    def check_wearers(self, splits: Sequence[str]) -> None:
        """Raise UsageError where no split has pictures of two people: nothing could be carried from one to another."""
        if not any(len({_person(source) for source in self._all.get(split, [])}) > 1 for split in splits):
            raise UsageError(
                f"--expressions appearance: {', '.join(splits)} has pictures of one person alone, and what is carried "
                "comes from another's; add pictures, or leave appearance out."
            )

    def _candidates(self, source: Source, seed: int) -> tuple[Source, ...]:
        """Return up to ``CANDIDATES`` other people's pictures of the source's split, in an order of its own."""
        there = self._all.get(source.split, [])
        if not there:
            return ()
        first = derive_seed(seed, source.source_id, "candidates") % len(there)
        step = derive_seed(seed, source.source_id, "candidates", 1) % len(there) or 1
        while gcd(step, len(there)) > 1:
            step += 1
        places = ((first + turn * step) % len(there) for turn in range(len(there)))
        others = (there[place] for place in places if _person(there[place]) != _person(source))
        return tuple(islice(others, CANDIDATES))

    def _one(self, source: Source, emotion: str, seed: int) -> Source | None:
        found = self._by.get((source.split, emotion), [])
        first = derive_seed(seed, source.source_id, f"donor:{emotion}") % len(found) if found else 0
        person = _person(source)
        for step in range(len(found)):
            donor = found[(first + step) % len(found)]
            if _person(donor) != person and donor.source_id != source.source_id:
                return donor
        return None


def _person(source: Source) -> str:
    return source.group_id or source.source_id
