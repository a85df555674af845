"""What all exporters share: the options, a picture with its row on the way out, the report, file names."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal, get_args

from singanimation.manifests.summary import UNLABELLED
from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.expressions import EMOTIONS
from singanimation.pipeline.records import KINDS

LONGEST_STEM = 200
"""Letters of a file name before its ending: with one, and a temporary name's marks, it still fits a disk's 255."""


RealChoice = Literal["all", "train", "none"]


@dataclass(frozen=True)
class ExportOptions:
    """Which rows go out: accepted, labelled variants and the real pictures.

    ``input`` is the data set that was augmented, as ``--input`` names it: with it every real picture of it goes out,
    whatever became of it in the runs; without it only those that the manifest embeds. ``data_root`` and
    ``splits_from`` are the options of these names. ``real`` says of which splits; ``splits`` None means all.
    """

    real: RealChoice = "all"
    variants: bool = True
    edits: bool = False
    every_status: bool = False
    unlabelled: bool = False
    splits: tuple[str, ...] | None = None
    input: str | None = None
    data_root: Path = Path("data")
    splits_from: str | None = None

    def wants(self, split: str) -> bool:
        """Return whether pictures of this split go out."""
        return self.splits is None or split in self.splits

    def wants_real(self, split: str) -> bool:
        """Return whether real pictures of this split go out."""
        return self.wants(split) and (self.real == "all" or self.real == split)


def make_options(*, real: str, splits: str | None, **others: Any) -> ExportOptions:
    """Return the options as they are typed: ``splits`` comma-separated, ``all`` for all. Raises UsageError."""
    if real != "all" and real != "train" and real != "none":
        raise UsageError(f"--real {real} does not exist; use {', '.join(get_args(RealChoice))}.")
    chosen = tuple(part.strip() for part in (splits or "").split(",") if part.strip())
    if splits is not None and not chosen:
        raise UsageError("--splits is empty; name splits, or leave it out for all.")
    return ExportOptions(real=real, splits=None if not chosen or "all" in chosen else chosen, **others)


@dataclass(frozen=True)
class Record:
    """One picture on its way out: its file's bytes, and its row as plain values (without the picture)."""

    picture: bytes
    ending: str
    row: dict[str, Any]

    @property
    def split(self) -> str:
        """The row's split."""
        return self.row["split"]

    @property
    def split_name(self) -> str:
        """The split as a plain file name, whatever a strange manifest says."""
        return plain_name(self.split) or "split"

    @property
    def label(self) -> int | None:
        """The row's label, 0..6, or None."""
        return self.row["label"]

    @property
    def label_name(self) -> str:
        """The label's name, or ``unlabelled``."""
        return UNLABELLED if self.label is None else EMOTIONS[self.label]


@dataclass
class ExportReport:
    """What went out, and what did not: ``counts`` by (split, label name, kind), warnings one sentence each.

    ``licences`` are those of the sources, ``unlicensed`` counts pictures of sources whose licence is not known.

    ``settings`` are those of the runs that made the rows, by run id, as far as they are known.
    """

    output: Path
    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    licences: set[str] = field(default_factory=set)
    unlicensed: int = 0
    warnings: list[str] = field(default_factory=list)
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """All pictures that went out."""
        return sum(self.counts.values())

    def kinds(self) -> dict[str, int]:
        """Return how many pictures of each kind went out."""
        kinds = Counter[str]()
        for (_, _, kind), count in self.counts.items():
            kinds[kind] += count
        return {kind: kinds[kind] for kind in KINDS if kinds[kind]}

    def add(self, record: Record) -> None:
        """Count a record that was written."""
        self.counts[record.split, record.label_name, record.row["kind"]] += 1
        if record.row["licence"]:
            self.licences.add(record.row["licence"])
        else:
            self.unlicensed += 1


Exporter = Callable[[Iterable[Record], Path, ExportReport], None]
"""Writes the records into an empty folder, and tells the report of each."""


def plain_name(text: str) -> str:
    """Return letters, digits and ``_-@`` of a text, anything else as ``_``; never a folder, maybe empty.

    It begins with a letter or a digit, so that neither a shell takes it for an option nor a spreadsheet for a formula.
    """
    return re.sub(r"[^A-Za-z0-9_@-]+", "_", text).lstrip("_@-").rstrip("_")


def plain_line(text: str) -> str:
    """Return a text on one line: white space and control characters as single spaces."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


class Names:
    """Gives every record a plain file name of its own: the row's suggested one, with the id where it is taken.

    ``longest`` None leaves names whole, however long: for archives, whose names no disk has to hold.
    """

    def __init__(self, longest: int | None = LONGEST_STEM) -> None:
        self._taken: set[str] = set()
        self._longest = longest

    def stem(self, record: Record) -> str:
        """Return a file name without ending: letters, digits, ``_-@``; never a folder."""
        wanted = PurePosixPath((record.row["file_name"] or "").replace("\\", "/")).stem
        stem, mark = plain_name(wanted) or "picture", record.row["variant_id"][:12]
        if self._longest is not None and len(stem) > self._longest:
            # the end tells edit and number, the id what the middle told
            stem = f"{stem[: self._longest - 64]}-{plain_name(mark)}-{stem[-50:]}"
        if stem.lower() in self._taken:
            stem = f"{stem}-{plain_name(mark)}"
        while stem.lower() in self._taken:
            stem += "_"
        self._taken.add(stem.lower())
        return stem
