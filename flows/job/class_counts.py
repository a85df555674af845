"""Pictures per split and class, as planned by ``--balance`` and as they came out."""

from collections.abc import Mapping, Sequence

from singanimation.flows.source.remaining import canonical_label
from singanimation.flows.source.row_ids import Allotment
from singanimation.pipeline.expressions import EMOTIONS
from singanimation.pipeline.records import Source

Classes = Mapping[str, Mapping[str, Mapping[str, int]]]
"""split -> label -> ``real`` and ``variants``."""

UNLABELLED = "unlabelled"


def planned_classes(sources: Sequence[Source], allotments: Sequence[Allotment]) -> Classes:
    """Count the sources of each split and class, and the variants that they are to give."""
    planned: dict[str, dict[str, dict[str, int]]] = {}
    for source, allotment in zip(sources, allotments, strict=True):
        split = planned.setdefault(source.split, {})
        own = split.setdefault(canonical_label(source) or UNLABELLED, {"real": 0, "variants": 0})
        own["real"] += 1
        for name, count in allotment.items():
            split.setdefault(name, {"real": 0, "variants": 0})["variants"] += count
    return {
        split: {name: planned[split][name] for name in (*EMOTIONS, UNLABELLED) if name in planned[split]}
        for split in sorted(planned)
    }


def class_lines(classes: Classes, title: str) -> list[str]:
    """Return a small table: one line a split and class with real, synthetic and all pictures."""
    lines = [f"{title + ':':<34}{'real':>9}{'variants':>10}{'together':>10}"]
    for split, labels in classes.items():
        for label, counts in labels.items():
            together = counts["real"] + counts["variants"]
            lines.append(f"  {split:<12}{label:<20}{counts['real']:>9,}{counts['variants']:>10,}{together:>10,}")
    return lines
