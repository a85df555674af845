"""``--balance``: how many variants of each class each source gives, so that real + synthetic become equal."""

from collections.abc import Mapping, Sequence

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


def balance(
    labels: Sequence[str | None], per_image: int, emotions: Sequence[str] = EMOTIONS
) -> list[dict[str, int]]:
    """Return for each source how many variants of each of ``emotions`` it gives (``labels``: theirs, or None).

    The total stays ``len(labels) * per_image``; no source gives more than ``MOST_PER_SOURCE * per_image``, and none
    gives its own label. Within a class the sources that gave least so far come first, in their order.
    """
    cap = MOST_PER_SOURCE * per_image
    own = np.array([EMOTIONS.index(label) if label in EMOTIONS else -1 for label in labels])
    real = {name: int((own == index).sum()) for index, name in enumerate(EMOTIONS)}
    capacity = {name: cap * int((own != EMOTIONS.index(name)).sum()) for name in emotions}
    totals = balanced_totals(real, len(labels) * per_image, capacity)
    given = np.zeros((len(labels), len(EMOTIONS)), np.int64)
    # the classes with the fewest possible sources choose first, while those still have room
    for name in sorted(emotions, key=lambda name: (capacity[name], -totals[name])):
        index = EMOTIONS.index(name)
        allowed = np.flatnonzero(own != index)
        given[allowed, index] = _pour(given[allowed].sum(1), totals[name], cap)
    return [{EMOTIONS[i]: int(row[i]) for i in np.flatnonzero(row)} for row in given]


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
