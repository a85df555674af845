"""Which row of which OpenFace file belongs to which picture of a data set."""

import itertools
import os
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from singanimation.pipeline.datasets.dataset import Dataset, Findings
from singanimation.pipeline.datasets.files import is_picture_name
from singanimation.pipeline.datasets.tables import header_of
from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.files.untrusted import shown
from singanimation.pipeline.openface import (
    OpenFaceRow,
    OpenFaceTable,
    common_tail,
    largest_face,
    looks_like_units,
    read_openface,
)
from singanimation.pipeline.records import Source

NO_ROW = "no row of OpenFace's"
_SEVERAL = "no OpenFace file that is surely theirs"
_LAST_NUMBER = re.compile(r"(\d+)$")


def with_openface(dataset: Dataset) -> Dataset:
    """Return the data set with the sources' action units from the OpenFace files below its folder.

    What a data set brings of its own (``Source.action_units``) stays. Pictures without a usable row are counted by
    reason in ``warnings``: they are measured with the embedded estimator. Raises UsageError where no picture has
    any, DatasetError for a damaged file.
    """
    folder = dataset.root if dataset.root is None or dataset.root.is_dir() else dataset.root.parent
    lacking = any(source.action_units is None for source in dataset.sources)
    tables = read_tables(folder) if folder is not None and lacking else []
    sources, sentences = attach(dataset.sources, tables, folder or Path())
    if not any(source.action_units is not None for source in sources):
        seen = not_understood(folder) if folder is not None and not tables else None
        raise UsageError(nothing_found(f"the {len(sources):,} pictures of {dataset.name}", len(tables), seen))
    return replace(dataset, sources=sources, warnings=[*dataset.warnings, *sentences])


def nothing_found(what: str, files: int, seen: str | None = None) -> str:
    """Return the sentence for pictures none of which has a row in any of so many files.

    ``seen`` is what there was instead: a table in a form that is not read.
    """
    instead = f"; {seen}" if seen else ""
    return (
        f"--aus openface: none of {what} has action units of OpenFace's ({files} files with AU columns were found "
        f"beside them{instead}); `FaceLandmarkImg -fdir PICTURES -out_dir PICTURES/processed -aus` makes them."
    )


def not_understood(folder: Path) -> str | None:
    """Return in words which table below ``folder`` seems to hold action units in a form that is not read."""
    for path in sorted(folder.rglob("*.csv")):
        columns = looks_like_units(header_of(path))
        if columns is not None:
            return (
                f"{path.name} has the columns {shown(columns)}, which are not OpenFace 2's (AU01_r, 0..5), py-feat's "
                "(AU01, 0..1) or LibreFace's (au_1_intensity, 0..5)"
            )
    return None


def attach(
    sources: Sequence[Source], tables: Sequence[OpenFaceTable], folder: Path = Path()
) -> tuple[list[Source], list[str]]:
    """Return the sources with their action units where the tables have them, and a sentence for each kind of lack.

    ``folder`` is what ``source_path`` is relative to, for sources that are no files.
    """
    findings = Findings()
    match = Matcher(tables, [picture_path(source, folder) for source in sources])
    given = []
    for source in sources:
        if source.action_units is None:
            found, problem = match(picture_path(source, folder))
            if found is not None:
                source = replace(source, action_units=found.action_units, units_from=found.tool)
            else:
                findings.add(
                    f"{{count}} pictures have {problem} and are measured with the embedded estimator", source.source_id
                )
        given.append(source)
    for table in tables:
        if table.lacking:
            findings.add(f"{{count}} files lack {', '.join(table.lacking)}, which count as 0", str(table.path))
    return given, findings.sentences()


def picture_path(source: Source, folder: Path) -> Path:
    """Return where a source's picture lies, or would lie if it were a file."""
    return source.path if isinstance(source.path, Path) else folder / source.source_path


def read_tables(folder: Path, everywhere: bool = True) -> list[OpenFaceTable]:
    """Return OpenFace's CSV files below ``folder``, sorted: anywhere, or only in it and in the folders in it."""
    entries = folder.rglob("*") if everywhere else itertools.chain(folder.glob("*"), folder.glob("*/*"))
    paths = [path for path in entries if path.suffix.lower() == ".csv"]
    return [table for path in sorted(paths) if (table := read_openface(path)) is not None]


class Matcher:
    """Finds a picture's row: by a column of file names, by the name of the CSV file, or by the frame's number.

    A file beside the picture, or in a folder beside it, comes before one that only has the longest common path; two
    that are equally near are refused rather than guessed at.
    """

    def __init__(self, tables: Sequence[OpenFaceTable], pictures: Sequence[Path]) -> None:
        self._stems = Counter(path.stem for path in pictures)
        self._named: dict[str, list[tuple[Path, OpenFaceRow]]] = defaultdict(list)
        self._single: dict[str, list[OpenFaceTable]] = defaultdict(list)
        self._framed: dict[str, list[OpenFaceTable]] = defaultdict(list)
        self._orders: dict[Path, dict[str, int]] = {}
        for table in tables:
            for row in table.rows if table.named else ():
                path = table.path.parent / row.file.replace("\\", "/")
                self._named[path.name].append((path, row))
            if table.named or not table.rows:
                continue
            if table.framed:
                self._framed[table.path.stem].append(table)
            if len({row.frame for row in table.rows}) == 1:
                self._single[table.path.stem].append(table)

    def __call__(self, picture: Path) -> tuple[OpenFaceRow | None, str]:
        """Return the picture's row, or None and why there is none (to follow "pictures have ...")."""
        rows, problem = self._rows(picture)
        if not rows:
            return None, problem
        chosen = largest_face(rows)
        return (chosen, "") if chosen.problem is None else (None, f"no usable row: {chosen.problem}")

    def _rows(self, picture: Path) -> tuple[Sequence[OpenFaceRow], str]:
        named = self._named.get(picture.name, ())
        if named:
            nearest = max(common_tail(path, picture) for path, _ in named)
            paths = {path for path, _ in named if common_tail(path, picture) == nearest}
            if len(paths) > 1 or (nearest == 1 and self._stems[picture.stem] > 1):
                return (), _SEVERAL
            return [row for path, row in named if path in paths], ""
        single, problem = self._nearest(self._single.get(picture.stem, ()), picture, self._stems[picture.stem] == 1)
        if single is not None or problem:
            return (single.rows if single else ()), problem
        folder = picture.parent
        framed, problem = self._nearest(self._framed.get(folder.name.removesuffix("_aligned"), ()), folder, True)
        if framed is None:
            return (), problem or NO_ROW
        frame = self._frame_of(picture, sorted({row.frame for row in framed.rows}))
        return [row for row in framed.rows if row.frame == frame], NO_ROW

    @staticmethod
    def _nearest(tables: Sequence[OpenFaceTable], place: Path, only_one: bool) -> tuple[OpenFaceTable | None, str]:
        """Return the table that is nearest to ``place``; a far one only where no other picture could mean it."""
        for near in (place.parent, place):
            beside = [table for table in tables if table.path.parent == near]
            if len(beside) == 1:
                return beside[0], ""
        beside = [table for table in tables if table.path.parent.parent == place.parent]
        if len(beside) == 1:
            return beside[0], ""
        tails = [common_tail(table.path, place) for table in tables]
        best = [table for table, tail in zip(tables, tails, strict=True) if tail == max(tails)]
        if len(best) == 1 and (only_one or max(tails) > 1):
            return best[0], ""
        return None, _SEVERAL if best else ""

    def _frame_of(self, picture: Path, frames: Sequence[int]) -> int | None:
        """Return which frame a picture is: FeatureExtraction counts a folder's pictures in the order of their names;
        pictures cut from a video carry the frame's number at the end of theirs."""
        if picture.parent not in self._orders:
            self._orders[picture.parent] = _pictures_in(picture.parent)
        order = self._orders[picture.parent]
        if len(order) == len(frames) and picture.name in order:
            return frames[order[picture.name]]
        number = _LAST_NUMBER.search(picture.stem)
        return int(number[1]) if number else None


def _pictures_in(folder: Path) -> dict[str, int]:
    names = os.listdir(folder) if folder.is_dir() else []  # noqa: PTH208 - names are all that is wanted
    return {name: index for index, name in enumerate(sorted(name for name in names if is_picture_name(name)))}
