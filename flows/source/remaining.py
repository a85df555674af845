"""What is asked for of one source, and how much of it the manifest already holds."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from singanimation.flows.source.row_ids import Allotment, Identity, Known
from singanimation.pipeline.choices import Choice, plan_choices
from singanimation.pipeline.donors import Donors
from singanimation.pipeline.expressions import AU_NAMES, EMOTION_INDEX
from singanimation.pipeline.plan import (
    ATTEMPTS_PER_ACCEPTED,
    SourceFace,
    edits_wanted,
    plan_seed,
    quotas,
    targets_of,
)
from singanimation.pipeline.records import ExpressionTarget, Source
from singanimation.pipeline.settings import Settings


@dataclass(frozen=True)
class Attempt:
    """One variant to try: its place among the attempts at an edit, its start scale, seed and row id."""

    index: int
    start: str
    seed: int
    variant_id: str


@dataclass(frozen=True)
class EditWork:
    """One planned edit: its quota, how many accepted variants it still lacks, and the attempts that remain.

    ``rejected`` are the ids of attempts that were made and rejected, in their order, while any are lacking; ``kept``
    the attempts that were accepted, which new ones must differ from.
    """

    target: ExpressionTarget
    edit_id: str
    fit_seed: int
    quota: int
    lacking: int
    attempts: tuple[Attempt, ...]
    rejected: tuple[str, ...] = ()
    kept: tuple[Attempt, ...] = ()


@dataclass(frozen=True)
class State:
    """Whether nothing is left to do for a source, and how many accepted variants it then lacks all the same."""

    done: bool
    missing: int = 0


@dataclass(frozen=True)
class _Attempts:
    """The attempts at one edit: how many accepted ones it lacks, those made, and those that remain."""

    lacking: int
    made: Sequence[tuple[int, str, str]]
    remaining: Sequence[tuple[int, str, str]]


def planned(
    source: Source, settings: Settings, allotment: Allotment | None, donors: Donors | None = None
) -> tuple[tuple[Choice, ...], tuple[int, ...]]:
    """Return a source's edits and how many accepted variants each should have."""
    label, seed = canonical_label(source), plan_seed(settings.seed, source.source_id)
    if allotment is None:
        choices = plan_choices(label, settings.expressions, edits_wanted(settings), seed, donors)
        return choices, quotas(settings.per_image, len(choices))
    choices = plan_choices(label, tuple(allotment), len(allotment), seed)
    return choices, tuple(allotment[choice.name] for choice in choices)


def plan_work(
    identity: Identity,
    known: Known,
    au_source: np.ndarray | None = None,
    donor_units: Mapping[str, np.ndarray] | None = None,
) -> tuple[EditWork, ...]:
    """Return what is asked for of one source; ids do not depend on ``au_source``, only the AU targets do.

    Nor on ``donor_units``, the AUs (17,) of its donors by source_id.
    """
    source, units = identity.source, np.zeros(len(AU_NAMES), np.float32) if au_source is None else au_source
    choices, wanted = planned(source, identity.settings, identity.allotment, identity.donors)
    face = SourceFace(canonical_label(source), np.asarray(units, np.float32), source.label_weights)
    targets = targets_of(choices, face, donor_units)
    return tuple(
        _edit_work(identity, target, quota, known, _attempts(identity, choices, place, quota, known))
        for place, (target, quota) in enumerate(zip(targets, wanted, strict=True))
    )


def state_of(identity: Identity, known: Known) -> State:
    """Return how far a source is, by the rows that are there: by their ids alone, so that a million take seconds."""
    status = known.get(identity.real())
    if status is None:
        return State(False)
    if status == "failed":
        return State(not identity.settings.retry_failed)
    choices, wanted = planned(identity.source, identity.settings, identity.allotment, identity.donors)
    done, missing = True, 0
    for place, (choice, quota) in enumerate(zip(choices, wanted, strict=True)):
        tried, edit = _attempts(identity, choices, place, quota, known), known.get(identity.edit(choice.key))
        done = done and edit is not None and not (tried.lacking and tried.remaining and edit != "rejected")
        missing += tried.lacking
    return State(done, missing)


def canonical_label(source: Source) -> str | None:
    """Return the source's label when it is one of the seven emotions."""
    return source.label if source.label in EMOTION_INDEX else None


def _attempts(identity: Identity, choices: Sequence[Choice], place: int, quota: int, known: Known) -> _Attempts:
    """Go through the attempts at the edit of this place until enough are accepted, or there are no more."""
    lacking, made, remaining = quota, [], []
    keys = choices[place].key, choices[0].key
    for attempt in identity.attempts(*keys, place, quota * ATTEMPTS_PER_ACCEPTED):
        variant_id = attempt[2]
        status = known.get(variant_id)
        if status is None:
            remaining.append(attempt)
            continue
        made.append(attempt)
        if status == "accepted":
            lacking -= 1
            if not lacking:
                break
    return _Attempts(lacking, made, remaining)


def _edit_work(identity: Identity, target: ExpressionTarget, quota: int, known: Known, tried: _Attempts) -> EditWork:
    key, lacking = target.key, tried.lacking

    def attempts(some: Iterable[tuple[int, str, str]]) -> tuple[Attempt, ...]:
        return tuple(Attempt(index, start, identity.seed("draw", key, index), name) for index, start, name in some)

    edit_id = identity.edit(key)
    made = tried.made if lacking else ()
    rejected = tuple(name for _, _, name in made if known[name] == "rejected")
    kept = attempts(each for each in made if known[each[2]] == "accepted")
    # a rejected edit has no variants
    remaining = attempts(tried.remaining if lacking and known.get(edit_id) != "rejected" else ())
    return EditWork(target, edit_id, identity.seed("fit", key), quota, lacking, remaining, rejected, kept)
