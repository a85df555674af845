"""Finding files: pictures under a folder, names that must stay inside it, folders whatever their case."""

import codecs
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from singanimation.pipeline.datasets.dataset import Findings
from singanimation.pipeline.errors import DatasetError
from singanimation.pipeline.files.pictures import SUFFIXES, UNREAD
from singanimation.pipeline.files.regular import is_regular, is_special

_LISTINGS: ContextVar[dict[Path, tuple[list[PurePosixPath], Findings]] | None] = ContextVar("listings", default=None)
_ENTRIES: ContextVar[dict[Path, "_Entries"] | None] = ContextVar("entries", default=None)
_PLAIN = re.compile(r"[A-Za-z0-9_](?:[\w./+=@()~, -]*[\w+=@()~])?", re.ASCII)
_PICTURES = tuple(SUFFIXES)
_SKIPPED_FOLDERS = frozenset({"__macosx", "__pycache__"})


@contextmanager
def remembered_listings() -> Iterator[None]:
    """Within the block each folder is listed once: every reader that tries an input looks at its pictures."""
    token, entries = _LISTINGS.set({}), _ENTRIES.set({})
    try:
        yield
    finally:
        _LISTINGS.reset(token)
        _ENTRIES.reset(entries)


def list_pictures(root: Path, findings: Findings | None = None) -> list[PurePosixPath]:
    """Return the pictures under ``root`` by their endings, relative to it and sorted; hidden ones are left out.

    Links to folders are followed once. Output folders of ours that lie in between hold nothing to read. Folders that
    may not be read, pipes named like pictures, and kinds of pictures that are not read are added to ``findings``.
    """
    known = _LISTINGS.get()
    if known is None or root not in known:
        told = Findings()
        listing = (_list(root, told), told)
        if known is not None:
            known[root] = listing
    else:
        listing = known[root]
    if findings is not None:
        findings.merge(listing[1])
    return list(listing[0])


def _list(root: Path, findings: Findings) -> list[PurePosixPath]:
    found: list[PurePosixPath] = []
    visited: set[tuple[int, int]] = set()

    def refused(error: OSError) -> None:
        findings.add("{count} folders could not be read", str(error.filename))

    for folder, folders, files in os.walk(root, followlinks=True, onerror=refused):
        status = Path(folder).stat()
        if (status.st_dev, status.st_ino) in visited:
            folders.clear()
            continue
        visited.add((status.st_dev, status.st_ino))
        if Path(folder) != root and is_output_folder(Path(folder)):
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if _wanted(name))
        inner = PurePosixPath(Path(folder).relative_to(root).as_posix())
        found.extend(inner / name for name in files if _taken(folder, name, findings))
    return sorted(found, key=lambda picture: picture.parts)  # as paths are, without comparing them in Python


def _taken(folder: str, name: str, findings: Findings) -> bool:
    """Return whether a file is taken for a picture, and tell of those that look like one and cannot be read."""
    if is_picture_name(name):
        if not is_special(os.path.join(folder, name)):  # noqa: PTH118 - of very many
            return True
        findings.add("{count} files are named like pictures and are pipes or devices: left out", name)
    elif not name.startswith(".") and _ending(name) in UNREAD:
        findings.add("{count} pictures are of a kind that is not read here and were left out", name)
    return False


def is_output_folder(folder: Path) -> bool:
    """Return whether a run has been writing into a folder: it holds a manifest, and the runs that made it."""
    return (folder / "manifest").is_dir() and (folder / "runs").is_dir()


def exists(path: Path) -> bool:
    """Return whether there is such a file or folder; names that no disk can hold are not there."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def any_picture(root: Path) -> bool:
    """Return whether there is any picture under ``root``, without listing them all."""
    walk = os.walk(root, followlinks=False)
    return any(
        is_picture_name(name) and not is_special(Path(folder) / name) for folder, _, files in walk for name in files
    ) or bool(list_pictures(root))


def is_picture_name(name: str) -> bool:
    """Return whether a file's name ends like a picture's and is not hidden."""
    return not name.startswith(".") and _ending(name) in SUFFIXES


def _ending(name: str) -> str:
    return os.path.splitext(name)[1].lower()  # noqa: PTH122 - of names alone, and of very many


def inside(name: str) -> PurePosixPath | None:
    """Return a name from an index as a relative path that stays inside its folder, else None.

    Absolute names, ``..``, drive letters and NUL bytes are refused; backslashes separate folders too.
    """
    text = name.strip().replace("\\", "/")
    path = PurePosixPath(text)
    if not text or path.is_absolute() or ".." in path.parts or "\0" in text or (path.parts and ":" in path.parts[0]):
        return None
    return path if path.parts else None


def is_plain(name: str) -> bool:
    """Return whether ``inside`` gives a name back as it is: asked of very many, most of which are."""
    return _PLAIN.fullmatch(name) is not None and "/." not in name and "//" not in name


def child(folder: Path, *names: str) -> Path | None:
    """Return the first child of ``folder`` with one of the names, upper and lower case alike, else None."""
    if not folder.is_dir():
        return None
    entries = _entries(folder)
    found = (entries.by_lower.get(name.lower()) for name in names)
    return next((folder / name for name in found if name is not None), None)


@dataclass(frozen=True)
class _Entries:
    """What lies in a folder: names by their lower-case form (the first of several), and the folders, sorted.

    Pictures are left out: there may be very many, and nobody asks for one by its name.
    """

    by_lower: Mapping[str, str]
    folders: Sequence[str]


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _entries(folder: Path) -> _Entries:
    """List a folder, once within ``remembered_listings``: the readers ask for many names. Raises OSError."""
    known = _ENTRIES.get()
    if known is not None and folder in known:
        return known[folder]
    by_lower: dict[str, str] = {}
    folders: list[str] = []
    with os.scandir(folder) as listed:
        for entry in listed:
            name, lower = entry.name, entry.name.lower()
            if _is_folder(entry):
                folders.append(name)
            elif lower.endswith(_PICTURES):
                continue
            if lower not in by_lower or name < by_lower[lower]:
                by_lower[lower] = name
    entries = _Entries(by_lower, sorted(folders))
    if known is not None:
        known[folder] = entries
    return entries


def find_folder(root: Path, names: set[str], depth: int = 2) -> Path | None:
    """Return ``root`` or the nearest folder under it, at most ``depth`` levels down, with one of the names."""
    level = [root]
    for _ in range(depth + 1):
        for folder in level:
            if folder.name.lower() in names:
                return folder
        level = [entry for folder in level for entry in subfolders(folder)]
    return None


def find_holder(root: Path, *names: str, depth: int = 2) -> Path | None:
    """Return ``root`` or the nearest folder under it that holds children of all the names (any case), else None."""
    level = [root] if root.is_dir() else []
    for _ in range(depth + 1):
        for folder in level:
            if all(child(folder, name) is not None for name in names):
                return folder
        level = [entry for folder in level for entry in subfolders(folder)]
    return None


def files_ending(root: Path, endings: Iterable[str]) -> list[Path]:
    """Return the files under ``root`` whose names end so (lower case), sorted, links to folders not followed."""
    wanted = tuple(endings)
    found = (
        Path(folder, name) for folder, _, files in os.walk(root) for name in files if name.lower().endswith(wanted)
    )
    return sorted(found)


def relative(path: Path, root: Path) -> str:
    """Return a path relative to the input, POSIX."""
    return path.relative_to(root).as_posix()


def subfolders(folder: Path) -> list[Path]:
    """Return the visible folders in ``folder``, sorted; none where it cannot be read."""
    try:
        return [folder / name for name in _entries(folder).folders if _wanted(name)]
    except OSError:
        return []


def read_text(path: Path) -> str:
    """Return a label file's text: UTF-8 with or without a mark, UTF-16 with one; other bytes are replaced.

    Raises DatasetError.
    """
    if path.exists() and not is_regular(path):
        raise DatasetError(f"{path} is no ordinary file (a folder, a pipe or a device?).")
    try:
        data = path.read_bytes()
        wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))  # what Windows calls Unicode
        return data.decode("utf-16" if wide else "utf-8-sig", errors="replace")
    except OSError as error:
        raise DatasetError(f"{path} cannot be read ({error.strerror}).") from error


def _wanted(name: str) -> bool:
    return not name.startswith(".") and name.lower() not in _SKIPPED_FOLDERS
