"""FERPlus: ten votes for each FER2013 picture (``fer2013new.csv``); the votes become soft labels.

The pictures come from ``fer2013.csv`` beside it, whose rows are in the same order, else from the PNG files that
FERPlus's own script writes (``FER2013Train/fer0000000.png``). Those go by the column ``Image name``, which is not the
row's number, whatever the set's README says: pictures numbered by row would get other rows' votes and are refused.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from singanimation.pipeline.datasets.dataset import Dataset, Findings, Reader, build_dataset
from singanimation.pipeline.datasets.files import child, find_holder, inside, list_pictures, relative
from singanimation.pipeline.datasets.labels import canonical_split, folder_emotion
from singanimation.pipeline.datasets.licences import FERPLUS
from singanimation.pipeline.datasets.readers.fer2013 import face_bytes, find_table
from singanimation.pipeline.datasets.splits import FolderSplits
from singanimation.pipeline.datasets.tables import cell, read_table, whole_count
from singanimation.pipeline.errors import DatasetError
from singanimation.pipeline.expressions import EMOTIONS
from singanimation.pipeline.records import Source

if TYPE_CHECKING:
    import pandas as pd

_VOTES = "fer2013new.csv"
_NO_FACE = "NF"
_NUMBERED = re.compile(r"^(?:fer)?\d{1,7}\.\w+$", re.IGNORECASE)

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
    """Return how to find a row's picture: in fer2013.csv by row, else among the PNG files by name.

    Raises DatasetError where there are neither, or where the files are not named by ``Image name``.
    """
    files = {picture.name: path / picture for picture in list_pictures(path, findings)}
    table = find_table(base) or find_table(path)
    if table is None and not files:
        raise DatasetError(f"{base} has {_VOTES} but no pictures: put fer2013.csv beside it.")
    if table is not None:
        frame = read_table(table)
        pixels = list(frame[next((name for name in frame.columns if name.lower() == "pixels"), frame.columns[-1])])
        if len(pixels) == len(votes):
            if files:
                findings.add("the pictures are taken from fer2013.csv, by row, and not from the {count} files", *files)
            return lambda number, name: _by_row(table, pixels, number)
        if not files:
            raise DatasetError(f"{table} has {len(pixels):,} rows and {_VOTES} {len(votes):,}; they must be the same.")
    _refuse_row_numbers(path, files, votes)

    def by_name(_: int, name: str) -> Picture | None:
        safe = inside(name)
        file = files.get(safe.name) if safe is not None else None
        return None if file is None else (file, None, relative(file, path))

    return by_name


def _by_row(table: Path, pixels: Sequence[object], number: int) -> Picture | None:
    data = face_bytes(cell(pixels[number]))
    return None if data is None else (None, data, f"{table.name}#{number:05d}")


def _refuse_row_numbers(path: Path, files: Mapping[str, Path], votes: "pd.DataFrame") -> None:
    """Raise DatasetError where files are numbered by row: some then have numbers that no ``Image name`` has, or lie
    in the folder of another split than the row of their name."""
    names = {name: canonical_split(str(usage)) for name, usage in _named_rows(votes)}
    numbered = [name for name in files if _NUMBERED.match(name)]
    strangers = [name for name in numbered if name not in names]
    splits = FolderSplits.of(path, [PurePosixPath(relative(files[name], path)) for name in numbered])
    folders = {name: splits(PurePosixPath(relative(files[name], path))) for name in numbered if name in names}
    moved = [name for name, folder in folders.items() if folder and folder != names[name]]
    odd = strangers or moved
    if odd:
        why = "are not in its column Image name" if strangers else "lie in another split's folder than it says"
        raise DatasetError(
            f"{len(odd):,} pictures beside {_VOTES} {why} ({', '.join(sorted(odd)[:3])}): they seem to be numbered by "
            "row, and would get other rows' votes; put fer2013.csv beside it, or name them by Image name."
        )


def _named_rows(votes: "pd.DataFrame") -> Iterator[tuple[str, object]]:
    for text, usage in zip(votes["Image name"], votes["Usage"], strict=True):
        name = cell(text)
        if name is not None:
            yield name, usage


READER = Reader("ferplus", _lacks, _read)
