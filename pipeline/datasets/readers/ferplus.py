"""FERPlus: ten votes for each FER2013 picture (``fer2013new.csv``); the votes become soft labels.

The pictures come from ``fer2013.csv`` beside it, whose rows are in the same order, or from the PNG files that
FERPlus's own script writes (``FER2013Train/fer0000000.png``).
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from singanimation.pipeline.datasets.dataset import Dataset, Findings, Reader, build_dataset
from singanimation.pipeline.datasets.files import child, find_holder, inside, list_pictures, relative
from singanimation.pipeline.datasets.labels import canonical_split, folder_emotion
from singanimation.pipeline.datasets.licences import FERPLUS
from singanimation.pipeline.datasets.readers.fer2013 import face_bytes, find_table
from singanimation.pipeline.datasets.tables import cell, read_table, whole_count
from singanimation.pipeline.errors import DatasetError
from singanimation.pipeline.expressions import EMOTIONS
from singanimation.pipeline.records import Source

if TYPE_CHECKING:
    import pandas as pd

_VOTES = "fer2013new.csv"
_NO_FACE = "NF"

Picture = tuple[Path | None, bytes | None, str]
"""Path or bytes of a picture, and its path relative to the input."""

Find = Callable[[int, str], Picture | None]
"""From a row's number and image name to its picture."""


def _lacks(path: Path) -> str | None:
    if not path.is_dir():
        return "is no folder"
    return None if find_holder(path, _VOTES) is not None else f"has no {_VOTES}"


def _read(path: Path) -> Dataset:
    findings = Findings()
    base = find_holder(path, _VOTES) or path
    votes = read_table(child(base, _VOTES) or base / _VOTES)
    lacking = [name for name in ("Usage", "Image name", _NO_FACE) if name not in votes.columns]
    if lacking:
        raise DatasetError(f"{base / _VOTES} has no column {', '.join(lacking)}.")
    find = _pictures(path, base, votes, findings)
    sources: dict[str, Source] = {}
    for number, row in enumerate(votes.to_dict("records")):
        name = cell(row["Image name"])
        counts = {column: whole_count(row[column]) for column in votes.columns[2:]}
        if name is None or counts.get(_NO_FACE, 0) > sum(counts.values()) / 2:
            findings.add("{count} rows show no face by their votes and were left out", name or f"row {number}")
            continue
        picture = find(number, name)
        if picture is None:
            findings.add("{count} pictures are missing or damaged", name)
        elif name in sources:
            findings.add("{count} names occur twice, the first counts", name)
        else:
            split = canonical_split(str(row["Usage"])) or "train"
            sources[name] = _source(name, split, counts, picture)
    return build_dataset("ferplus", sources.values(), findings, path, licence=FERPLUS)


def _source(name: str, split: str, counts: Mapping[str, int], picture: Picture) -> Source:
    label, source_label, weights = hard_and_soft(counts)
    return Source(
        dataset="ferplus",
        source_id=name,
        path=picture[0],
        source_path=picture[2],
        split=split,
        group_id=name,
        label=label,
        source_label=source_label,
        label_weights=weights,
        licence=FERPLUS,
        is_face_crop=True,
        data=picture[1],
    )


def hard_and_soft(counts: Mapping[str, int]) -> tuple[str | None, str | None, tuple[float, ...] | None]:
    """Return label, raw winner and soft label (EMOTIONS order, sums to 1) of votes per FERPlus column.

    The label is None where contempt, unknown or no single emotion has the most votes; the soft label counts the
    seven's votes alone, and is None where they have none.
    """
    most = max(counts.values(), default=0)
    winners = [name for name, count in counts.items() if count == most and most > 0]
    seven = dict.fromkeys(EMOTIONS, 0)
    for name, count in counts.items():
        emotion = folder_emotion(name)
        if emotion is not None:
            seven[emotion] += count
    total = sum(seven.values())
    weights = tuple(count / total for count in seven.values()) if total else None
    label = folder_emotion(winners[0]) if len(winners) == 1 else None
    return label, " = ".join(winners) or None, weights


def _pictures(path: Path, base: Path, votes: "pd.DataFrame", findings: Findings) -> Find:
    """Return how to find a row's picture: among the PNG files by name, else in fer2013.csv by row."""
    files = {picture.name: path / picture for picture in list_pictures(path, findings)}
    if files:

        def by_name(_: int, name: str) -> Picture | None:
            safe = inside(name)
            file = files.get(safe.name) if safe is not None else None
            return None if file is None else (file, None, relative(file, path))

        return by_name
    table = find_table(base) or find_table(path)
    if table is None:
        raise DatasetError(f"{base} has {_VOTES} but no pictures: put fer2013.csv beside it.")
    frame = read_table(table)
    pixels = list(frame[next((name for name in frame.columns if name.lower() == "pixels"), frame.columns[1])])
    if len(pixels) != len(votes):
        raise DatasetError(f"{table} has {len(pixels):,} rows and {_VOTES} {len(votes):,}; they must be the same.")

    def by_row(number: int, name: str) -> Picture | None:
        data = face_bytes(cell(pixels[number]))
        return None if data is None else (None, data, f"{table.name}#{number:05d}")

    return by_row


READER = Reader("ferplus", _lacks, _read)
