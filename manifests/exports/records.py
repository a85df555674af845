"""What all exporters share: which rows go out, where real pictures come from, file names, licences."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from singanimation.manifests.reading import iter_tables, part_paths
from singanimation.manifests.summary import UNLABELLED
from singanimation.pipeline.datasets.files import inside
from singanimation.pipeline.errors import ManifestError
from singanimation.pipeline.expressions import EMOTIONS

ENDINGS = {
    b"\x89PNG": ".png",
    b"\xff\xd8\xff": ".jpg",
    b"P5": ".pgm",
    b"RIFF": ".webp",
    b"BM": ".bmp",
    b"GIF8": ".gif",
}


@dataclass(frozen=True)
class ExportOptions:
    """Which rows go out: accepted, labelled variants and, where their pictures are at hand, the real ones.

    ``input_root`` is where the sources' files lie, for real pictures that the manifest does not embed.
    """

    real: bool = True
    variants: bool = True
    edits: bool = False
    every_status: bool = False
    unlabelled: bool = False
    splits: tuple[str, ...] | None = None
    input_root: Path | None = None


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

    ``settings`` are those of the runs that made the rows, by run id, as far as they are known.
    """

    output: Path
    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    licences: set[str] = field(default_factory=set)
    warnings: list[str] = field(default_factory=list)
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """All pictures that went out."""
        return sum(self.counts.values())

    def add(self, record: Record) -> None:
        """Count a record that was written."""
        self.counts[record.split, record.label_name, record.row["kind"]] += 1
        if record.row["licence"]:
            self.licences.add(record.row["licence"])


Exporter = Callable[[Iterable[Record], Path, ExportReport], None]
"""Writes the records into an empty folder, and tells the report of each."""


def records(path: Path | str, options: ExportOptions, report: ExportReport) -> Iterator[Record]:
    """Yield the manifest's pictures that the options ask for, part by part, never twice the same row."""
    kinds = [
        kind
        for kind, wanted in (("real", options.real), ("edit", options.edits), ("variant", options.variants))
        if wanted
    ]
    if not kinds:
        raise ManifestError("Nothing to export: neither real pictures nor edits nor variants were asked for.")
    seen: set[str] = set()
    missing: list[str] = []
    unlabelled = 0
    status = None if options.every_status else "accepted"
    for _, table in iter_tables(part_paths(path), split=options.splits, status=status, kind=kinds):
        for row in table.to_pylist():
            if row["variant_id"] in seen:
                continue
            seen.add(row["variant_id"])
            if row["label"] is None and not options.unlabelled:
                unlabelled += 1
                continue
            picture = _picture(row, options.input_root)
            if picture is None:
                missing.append(row["source_path"])
                continue
            row.pop("image")
            yield Record(picture, ending_of(picture), row)
    _tell(report, missing, unlabelled)


def run_settings(path: Path | str) -> dict[str, dict[str, Any]]:
    """Return run id -> the settings that each run of an output folder saved; a manifest alone knows of none."""
    path = Path(path)
    found = {}
    for file in [*path.glob("runs/*/settings.json"), *path.parent.glob("runs/*/settings.json")]:
        with suppress(OSError, ValueError):
            content = json.loads(file.read_text(encoding="utf-8"))
            if isinstance(content, dict):
                found[file.parent.name] = content
    return found


def _tell(report: ExportReport, missing: Sequence[str], unlabelled: int) -> None:
    if missing:
        report.warnings.append(
            f"{len(missing):,} pictures are not in the manifest and were left out ({missing[0]}, ...): run with "
            "--include-real, or name the input's folder so that their files are found."
        )
    if unlabelled:
        report.warnings.append(f"{unlabelled:,} pictures without a label were left out; they can be asked for.")


def _picture(row: dict[str, Any], input_root: Path | None) -> bytes | None:
    """Return the embedded picture, else for a real row the source's own file when it is still the same."""
    image = row["image"]
    if image is not None:
        row["file_name"] = image["path"]
        return image["bytes"]
    row["file_name"] = row["source_path"]
    if row["kind"] != "real" or input_root is None:
        return None
    name = inside(row["source_path"])
    if name is None or not (input_root / name).is_file():
        return None
    data = (input_root / name).read_bytes()
    return data if hashlib.sha256(data).hexdigest() == row["source_sha256"] else None


def ending_of(picture: bytes) -> str:
    """Return ``.png`` or ``.jpg`` ... by the first bytes."""
    return next((ending for start, ending in ENDINGS.items() if picture.startswith(start)), ".img")


def plain_name(text: str) -> str:
    """Return letters, digits and ``_-@`` of a text, anything else as ``_``; never a folder, maybe empty."""
    return re.sub(r"[^A-Za-z0-9_@-]+", "_", text).strip("_")


class Names:
    """Gives every record a plain file name of its own: the row's suggested one, with the id where it is taken."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def stem(self, record: Record) -> str:
        """Return a file name without ending: letters, digits, ``_-@``; never a folder."""
        wanted = PurePosixPath((record.row["file_name"] or "").replace("\\", "/")).stem
        stem = plain_name(wanted)[:120] or "picture"
        if stem.lower() in self._taken:
            stem = f"{stem}-{record.row['variant_id'][:12]}"
        while stem.lower() in self._taken:
            stem += "_"
        self._taken.add(stem.lower())
        return stem
