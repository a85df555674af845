"""``--balance``: how many variants of each class each source gives, so that real + synthetic become equal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from singanimation.pipeline.expressions import EMOTIONS

MOST_PER_SOURCE = 4
"""No source gives more than this many times ``--per-image``."""


def balanced_totals(real: Mapping[str, int], total: int, capacity: Mapping[str, int]) -> dict[str, int]:
    """Return how many variants each class gets: ``total`` of them, poured in where real + variants are fewest.

    ``capacity`` is the most that each class can take. Fewer than ``total`` come out only when all are full.
    Whole numbers: what cannot be split evenly goes to the classes first in order.
    """
    level = {name: real.get(name, 0) for name in capacity}
    given = dict.fromkeys(capacity, 0)
    left = total
    while left:
        open_names = [name for name in capacity if given[name] < capacity[name]]
        if not open_names:
            break
        lowest = min(level[name] + given[name] for name in open_names)
        at_bottom = [name for name in open_names if level[name] + given[name] == lowest]
        above = [level[name] + given[name] - lowest for name in open_names if name not in at_bottom]
        room = min(capacity[name] - given[name] for name in at_bottom)
        step = min([room, *above, max(left // len(at_bottom), 1)])
        for name in at_bottom[: left // step]:
            given[name] += step
            left -= step
    return given


@dataclass(frozen=True)
class Share:
    """What a source was to give in an earlier plan: variants per emotion, and the ``per_image`` of that plan."""

    per_image: int
    variants: Mapping[str, int]


def balance(
    labels: Sequence[str | None],
    per_image: int,
    emotions: Sequence[str] = EMOTIONS,
    earlier: Sequence[Share | None] | None = None,
    there: Mapping[str, int] | None = None,
    orders: Sequence[Sequence[str]] | None = None,
) -> list[dict[str, int]]:
    """Return for each source how many variants of each of ``emotions`` it gives (``labels``: theirs, or None).

    The total stays ``len(labels) * per_image``; no source gives more than ``MOST_PER_SOURCE * per_image``, and none
    gives its own label. Within a class the sources that gave least so far come first, in their order.

    A source with an ``earlier`` share keeps it, and gets more only where ``per_image`` has grown since; the others
    share what their number adds to the total, poured onto what is ``there``: the variants of each class, made or
    planned before (the earlier shares, unless told otherwise). ``orders`` are the sources' emotions as their plans
    order them: a share then grows in the classes it has or behind its last one, so that its rows' ids stay.
    """
    cap = MOST_PER_SOURCE * per_image
    earlier = earlier or [None] * len(labels)
    own = np.array([EMOTIONS.index(label) if label in EMOTIONS else -1 for label in labels], int)
    given = np.array([[share.variants.get(name, 0) if share else 0 for name in EMOTIONS] for share in earlier])
    given = given.reshape(len(labels), len(EMOTIONS))
    wanted = np.array([max(per_image - (share.per_image if share else 0), 0) for share in earlier], int)
    may = (wanted > 0)[:, None] & (own[:, None] != np.arange(len(EMOTIONS)))
    for place, order in enumerate(orders or []):
        may[place] &= [_may_grow(name, earlier[place], order) for name in EMOTIONS]
    made = dict(zip(EMOTIONS, given.sum(0).tolist(), strict=True)) if there is None else there
    level = {name: int((own == index).sum()) + made.get(name, 0) for index, name in enumerate(EMOTIONS)}
    room = (cap - given.sum(1)).clip(0)
    capacity = {name: int(room[may[:, EMOTIONS.index(name)]].sum()) for name in emotions}
    totals = balanced_totals(level, int(wanted.sum()), capacity)
    # the classes with the fewest possible sources choose first, while those still have room
    for name in sorted(emotions, key=lambda name: (capacity[name], -totals[name])):
        index = EMOTIONS.index(name)
        allowed = np.flatnonzero(may[:, index])
        given[allowed, index] += _pour(given[allowed].sum(1), totals[name], cap)
    return [{EMOTIONS[i]: int(row[i]) for i in np.flatnonzero(row)} for row in given]


def _may_grow(name: str, share: Share | None, order: Sequence[str]) -> bool:
    """Whether more of an emotion leaves the places of the others in the source's plan as they were."""
    if share is None or not share.variants or name in share.variants:
        return True
    last = max((order.index(had) for had in share.variants if had in order), default=-1)
    return name in order and order.index(name) > last


def _pour(filled: np.ndarray, amount: int, cap: int) -> np.ndarray:
    """Return what each vessel gets of ``amount`` so that the lowest fill up first, none above ``cap``."""
    amount = min(amount, int((cap - filled).clip(0).sum()))
    low, high = 0, cap
    while low < high:  # the highest whole level that the amount can reach everywhere
        middle = (low + high + 1) // 2
        if int((middle - filled).clip(0).sum()) <= amount:
            low = middle
        else:
            high = middle - 1
    added = (low - filled).clip(0)
    rest = amount - int(added.sum())
    added[np.flatnonzero((filled + added == low) & (low < cap))[:rest]] += 1
    return added
