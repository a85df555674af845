"""``--limit``: which sources it takes, and the sentence that says so."""

from collections import Counter
from collections.abc import Iterable, Sequence

from singanimation.flows.job.class_counts import UNLABELLED
from singanimation.pipeline.digests import digest
from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.expressions import EMOTIONS
from singanimation.pipeline.records import Source
from singanimation.pipeline.settings import Settings


def limited(sources: Sequence[Source], settings: Settings) -> list[Source]:
    """Return what ``--limit`` takes of ``sources``, in their order: all without it.

    By name the first N. By class the classes take turns, and each gives its next picture in an order drawn by the
    seed, those that cannot be used last: a small class gives all it has and the others share the rest; the same seed
    takes the same pictures, and of a larger N the same and more. Raises UsageError for ``--limit-by class`` alone.
    """
    if settings.limit is None:
        if settings.limit_by != "name":
            raise UsageError(f"--limit-by {settings.limit_by} says how --limit is spread; give --limit too.")
        return list(sources)
    if settings.limit_by == "name":
        return list(sources[: settings.limit])
    waiting: dict[str, list[Source]] = {}
    for source in sources:
        waiting.setdefault(class_of(source), []).append(source)
    for each in waiting.values():
        each.sort(key=lambda source: (source.problem is None, digest("limit", settings.seed, source.source_id)))
    taken: set[str] = set()
    wanted = min(settings.limit, len(sources))
    while len(taken) < wanted:
        for name in _ordered(waiting):
            if waiting[name] and len(taken) < wanted:
                taken.add(waiting[name].pop().source_id)
    return [source for source in sources if source.source_id in taken]


def class_of(source: Source) -> str:
    """Return the class that a source counts for: its label, else its data set's own (compounds, contempt)."""
    return source.label or source.source_label or UNLABELLED


def limit_said(chosen: Sequence[Source], allowed: Sequence[Source], settings: Settings) -> list[str]:
    """Return the sentence that says which classes ``--limit`` took, none where it took everything or there is one."""
    taken, every = Counter(map(class_of, chosen)), Counter(map(class_of, allowed))
    if len(chosen) == len(allowed) or len(every) < 2:
        return []
    listed = ", ".join(f"{name} {taken[name]:,} of {every[name]:,}" for name in sorted(every))
    if settings.limit_by == "class":
        return [f"--limit takes {len(chosen):,} of {len(allowed):,} sources, spread over the classes: {listed}."]
    return [f"--limit takes the first {len(chosen):,} of {len(allowed):,} sources by name: {listed}."]


def _ordered(names: Iterable[str]) -> list[str]:
    """The seven emotions first, in their order, then the others by name."""
    found = set(names)
    return [name for name in EMOTIONS if name in found] + sorted(found.difference(EMOTIONS))
