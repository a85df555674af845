"""What a check found: faults with what to do about them, counts, and notes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

_SHOWN = 10


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong: the check that found it, a sentence with names, and what mends it."""

    check: str
    message: str
    advice: str = ""


@dataclass
class Verification:
    """What was checked, and what is wrong with it; ``clean`` where nothing is. ``notes`` are no faults."""

    parts: int = 0
    rows: int = 0
    pictures: int = 0
    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether no fault was found."""
        return not self.faults

    def add(self, check: str, sentence: str, names: Sequence[str], advice: str = "") -> None:
        """Add a fault about ``names`` (``{count}`` in the sentence), nothing where there are none."""
        if names:
            text = sentence.replace("{count}", f"{len(names):,}")
            self.faults.append(Fault(check, f"{text}: {listed(names)}.", advice))


def listed(names: Sequence[str]) -> str:
    """Return the first names, and how many more there are."""
    more = f", and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def make_anew(parts: Iterable[str]) -> str:
    """Return the advice for damaged rows: the next run takes the sources of parts that are gone for new ones."""
    names = sorted(set(parts))
    return f"remove {listed(names)} and run the same command again, which makes the rows anew" if names else ""
