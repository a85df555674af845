"""``--splits-from``: the user says which pictures are train, validation and test, where a data set does not."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PurePosixPath

from singanimation.pipeline.datasets.dataset import Dataset, Findings
from singanimation.pipeline.datasets.files import read_text
from singanimation.pipeline.datasets.splits import UNCLEAR, canonical_split, plain_split
from singanimation.pipeline.datasets.tables import TABLE_SUFFIXES, cell, column, column_of, read_table
from singanimation.pipeline.errors import DatasetError, UsageError
from singanimation.pipeline.files.untrusted import shown
from singanimation.pipeline.records import Source

NONE = "none"
_FORMS = "`none` (all are train), FOLDER=train|validation|test,..., or a file of lines `name split`"

Tell = Callable[[Source], str | None]


def with_splits(dataset: Dataset, splits_from: str | None) -> Dataset:
    """Return the data set with the splits that the user gave; without any, ask where a folder names two at once.

    Raises DatasetError where the splits are unclear, UsageError for what says nothing.
    """
    if splits_from is None:
        return _checked(dataset)
    findings = Findings()
    if splits_from.strip().lower() == NONE:
        tell: Tell = lambda source: "train"  # noqa: E731 - one of three
    elif Path(splits_from).expanduser().is_file():
        tell = _by_file(Path(splits_from).expanduser(), dataset, findings)
    elif "=" in splits_from:
        tell = _by_folder(splits_from, dataset)
    else:
        raise UsageError(f"--splits-from {shown(splits_from)}: no such file; give {_FORMS}.")
    sources = [replace(source, split=split) for source in dataset.sources if (split := tell(source))]
    if not sources:
        raise UsageError(f"--splits-from {shown(splits_from)} names none of the pictures.")
    warnings = [sentence for sentence in dataset.warnings if "has no splits" not in sentence]
    return _checked(replace(dataset, sources=sources, warnings=[*warnings, *findings.sentences()]))


def _checked(dataset: Dataset) -> Dataset:
    unclear = [source for source in dataset.sources if source.split == UNCLEAR]
    if unclear:
        folder = PurePosixPath(unclear[0].source_path).parts[0]
        raise DatasetError(
            f"{len(unclear):,} pictures lie in folders that name two splits at once ({shown(folder)}): say which it is "
            f"by --splits-from {shown(folder)}=train, or give {_FORMS}."
        )
    return dataset


def _by_folder(text: str, dataset: Dataset) -> Tell:
    """Read ``part_A=train,part_B=test``: names of folders, anywhere on a picture's way; others keep their split."""
    given: dict[str, str] = {}
    for pair in text.split(","):
        folder, _, word = pair.strip().rpartition("=")
        split = canonical_split(word)
        if not folder or split is None:
            raise UsageError(f"--splits-from: {shown(pair)!r} is no FOLDER=train|validation|test.")
        given[folder.strip().strip("/")] = split
    ways = {source.source_id: f"/{PurePosixPath(source.source_path).parent.as_posix()}/" for source in dataset.sources}
    idle = [folder for folder in given if not any(f"/{folder}/" in way for way in ways.values())]
    if idle:
        raise UsageError(f"--splits-from: no picture lies in a folder {shown(idle[0])}.")

    def tell(source: Source) -> str | None:
        # of nested folders that are both named, the longer way is meant
        found = [folder for folder in given if f"/{folder}/" in ways[source.source_id]]
        return given[max(found, key=len)] if found else source.split

    return tell


def _by_file(path: Path, dataset: Dataset, findings: Findings) -> Tell:
    """Read a table with a column of names and one of splits, or lines ``name split``; others are left out."""
    pairs = _pairs(path)
    splits: dict[str, str] = {}
    for name, word in pairs:
        split = canonical_split(word or "")
        if split is None:
            findings.add(f"{{count}} lines of {path.name} name no split", f"{name} {word}")
        else:
            splits[name.replace("\\", "/").removeprefix("./")] = split
    if not splits:
        raise UsageError(f"--splits-from {path} holds no line `name train|validation|test`.")
    alone: dict[str, int] = {}
    for source in dataset.sources:
        alone[PurePosixPath(source.source_path).name] = alone.get(PurePosixPath(source.source_path).name, 0) + 1

    def tell(source: Source) -> str | None:
        place = PurePosixPath(source.source_path)
        keys = [source.source_id, source.source_path]
        keys += [place.name, place.stem] if alone[place.name] == 1 else []
        split = next((splits[key] for key in (*keys, source.group_id) if key in splits), None)
        if split is None:
            findings.add(f"{{count}} pictures are not named by {path.name} and were left out", source.source_id)
        return split

    return tell


def _pairs(path: Path) -> list[tuple[str, str | None]]:
    if path.suffix.lower() in TABLE_SUFFIXES:
        frame = read_table(path)
        split = (
            column(list(frame.columns), "split")
            or next((name for name in frame.columns if plain_split(cell(frame[name].iloc[0]) or "")), None)
            if len(frame)
            else None
        )
        file = column_of(frame, "file") or column(list(frame.columns), "group")
        if file is not None and split is not None and file != split:
            return [(cell(a) or "", cell(b)) for a, b in zip(frame[file], frame[split], strict=True)]
    lines = [line.strip() for line in read_text(path).splitlines() if line.strip()]
    found = []
    for line in lines:
        mark = next((mark for mark in ",;\t" if mark in line), " ")
        name, _, word = line.rpartition(mark)
        found.append((name.strip().strip('"'), word.strip().strip('"')))
    return found
