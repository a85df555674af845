"""What every reader gives: a Dataset of sources, with counted and listed findings about what was odd in it."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter
from pathlib import Path

from singanimation.pipeline.datasets.splits import SPLITS as SPLITS
from singanimation.pipeline.errors import DatasetError
from singanimation.pipeline.expressions import EMOTIONS
from singanimation.pipeline.files.untrusted import readable, shown
from singanimation.pipeline.records import Source

UNLABELLED = "unlabelled"
_SHOWN = 5
_MOST_LABELS = 12


@dataclass(frozen=True)
class Dataset:
    """A data set that was found: ``sources`` sorted by ``source_id``, ``warnings`` one sentence each."""

    name: str
    sources: Sequence[Source] = field(repr=False)
    warnings: list[str]
    licence: str | None = None
    root: Path | None = None

    @property
    def labelled(self) -> bool:
        """Whether any source has one of the seven labels."""
        return any(source.label is not None for source in self.sources)

    def counts(self) -> dict[str, dict[str, int]]:
        """Return split -> label -> sources, in the usual order; sources without a label as ``unlabelled``."""
        tally = Counter((source.split, source.label or UNLABELLED) for source in self.sources)
        splits = sorted({split for split, _ in tally}, key=lambda name: (*_place(SPLITS, name), name))
        return {
            split: {label: tally[split, label] for label in (*EMOTIONS, UNLABELLED) if tally[split, label]}
            for split in splits
        }


@dataclass(frozen=True)
class Reader:
    """One layout. ``lacks`` says what a path lacks to be of it (None: recognised); ``read`` reads it.

    ``named`` sets can be asked for by name, and lie under the data root in a folder of that name or ``also_in``.
    """

    name: str
    lacks: Callable[[Path], str | None]
    read: Callable[[Path], Dataset]
    named: bool = True
    also_in: tuple[str, ...] = ()


class Findings:
    """Counts what is odd and tells it in one sentence a kind, with the first names.

    ``add("{count} names lead nowhere", "a.jpg")``; the names follow the sentence.
    """

    def __init__(self) -> None:
        self._found: dict[str, list[str]] = {}

    def add(self, sentence: str, *names: str) -> None:
        """Count ``names`` under ``sentence``, which may hold ``{count}``."""
        self._found.setdefault(sentence, []).extend(names)

    def merge(self, other: "Findings") -> None:
        """Take over what ``other`` found."""
        for sentence, names in other._found.items():
            self.add(sentence, *names)

    def sentences(self) -> list[str]:
        """Return one sentence for each kind of finding, in the order they were first met."""
        return [_sentence(text, names) for text, names in self._found.items()]


def _sentence(text: str, names: list[str]) -> str:
    text = "".join(letter if letter.isprintable() else "?" for letter in text.replace("{count}", f"{len(names):,}"))
    if not names:
        return f"{text}."
    more = f", and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return f"{text}: {', '.join(map(shown, names[:_SHOWN]))}{more}."


def build_dataset(
    name: str,
    sources: Iterable[Source],
    findings: Findings,
    root: Path,
    *,
    licence: str | None = None,
    has_splits: bool = True,
) -> Dataset:
    """Sort the sources, tell what every user should know (no splits, no labels, odd labels), and check there are any.

    Raises DatasetError where no source is left.
    """
    ordered = sorted(map(_readable, sources), key=lambda source: source.source_id)
    if not ordered:
        raise DatasetError(
            " ".join([f"{root} was read as {name}, but no picture is left to use.", *findings.sentences()])
        )
    dataset = Dataset(name, ordered, findings.sentences(), licence, root)
    if not has_splits:
        dataset.warnings.append(f"{name} has no splits: all {len(ordered):,} pictures count as train.")
    if not dataset.labelled:
        dataset.warnings.append(
            f"{name} has no expression labels: edits get their target's label, the pictures themselves none."
        )
    odd = Counter(source.source_label for source in ordered if source.label is None and source.source_label)
    if odd and not dataset.labelled:
        first = ", ".join(map(shown, sorted(odd)[:_SHOWN]))
        dataset.warnings.append(
            f"The labels found ({first}) name no expression that we know; a label_map.csv "
            "with lines `0,anger` beside the pictures says what they mean."
        )
    elif odd:
        most = sorted(odd.items(), key=lambda item: (-item[1], item[0]))
        listed = ", ".join(f"{shown(label)} ({count:,})" for label, count in most[:_MOST_LABELS])
        listed += ", ..." if len(most) > _MOST_LABELS else ""
        dataset.warnings.append(
            f"{sum(odd.values()):,} pictures have labels outside the seven and are kept without a label: {listed}."
        )
    return dataset


def _readable(source: Source) -> Source:
    """Return a source whose words any table can hold: names on disk may be bytes that are no UTF-8."""
    if "".join(word for word in _words_of(source) if word is not None).isascii():  # nearly always, and of millions
        return source
    changed = {
        name: new
        for name in _WORDS
        if (text := getattr(source, name)) is not None and (new := readable(text)) is not text
    }
    return replace(source, **changed) if changed else source


_WORDS = ("source_id", "source_path", "group_id", "split", "label", "source_label", "licence")
_words_of = attrgetter(*_WORDS)


def compare_counts(dataset: Dataset, official: Mapping[str, Sequence[int]]) -> list[str]:
    """Return a sentence where the counts differ from the official ones (split -> counts in EMOTIONS order)."""
    counts = dataset.counts()
    for split, numbers in official.items():
        expected = dict(zip(EMOTIONS, numbers, strict=True))
        found = {label: counts.get(split, {}).get(label, 0) for label in EMOTIONS}
        differing = [label for label in EMOTIONS if found[label] != expected[label]]
        if differing:
            first = ", ".join(f"{label} {found[label]:,} instead of {expected[label]:,}" for label in differing[:2])
            more = ", ..." if len(differing) > 2 else ""
            return [
                f"{dataset.name}'s counts differ from the official ones ({split}: {first}{more}): "
                "a subset or a changed copy."
            ]
    return []


def _place(order: Sequence[str], name: str) -> tuple[int]:
    return (order.index(name) if name in order else len(order),)
