"""Where weights are looked for: a given path, an environment variable, the cache, the package, other libraries."""

import importlib.util
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from singanimation.pipeline.errors import WeightsError
from singanimation.pipeline.system import user_cache
from singanimation.pipeline.weights.checks import adopt
from singanimation.pipeline.weights.entries import Entry, get_entry

CACHE_VARIABLE = "SINGANIMATION_WEIGHTS"
"""Environment variable with the folder for fetched weights."""


@dataclass(frozen=True)
class Found:
    """A weights file that was found: ``where`` is ``given``, ``environment``, ``cache``, ``package`` or ``library``."""

    entry: Entry
    path: Path
    where: str


def cache_folder() -> Path:
    """Return the folder for fetched weights; it need not exist.

    ``$SINGANIMATION_WEIGHTS``, else ``singanimation/weights`` in the user's cache (``$XDG_CACHE_HOME`` or
    ``~/.cache``; ``~/Library/Caches`` on macOS, ``%LOCALAPPDATA%`` on Windows).
    """
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    return user_cache() / "singanimation" / "weights"


def locate(name: str, explicit: Path | str | None = None) -> Found | None:
    """Return the first place that has the file, None where none has; a fetched file is not checked again.

    Raises WeightsError where ``explicit`` or the environment variable names a file that is not there: what a user
    says is never passed over in silence.
    """
    entry = get_entry(name)
    if explicit is not None:
        return Found(entry, _existing(Path(explicit), f"the path given for {name}"), "given")
    named = os.environ.get(entry.variable) if entry.variable else None
    if named:
        return Found(entry, _existing(Path(named), f"{entry.variable} (for {name})"), "environment")
    cached = cache_folder() / entry.file
    if entry.url and cached.is_file():
        return Found(entry, cached, "cache")
    packaged = package_path(entry)
    if packaged is not None and packaged.is_file():
        return Found(entry, packaged, "package")
    other = next(_library_paths(entry), None)
    return None if other is None else Found(entry, other, "library")


def find(name: str, explicit: Path | str | None = None) -> Path:
    """Return the path of the weights called ``name``, see ``locate`` for the order of places.

    A file that was put into the cache by hand is checked and pinned when it is first used. Raises WeightsError
    naming the wanted file, where to put it and the command that fetches it.
    """
    found = locate(name, explicit)
    if found is None:
        raise WeightsError(missing(get_entry(name)))
    if found.where == "cache":
        adopt(found.entry, found.path)
    return found.path


def missing(entry: Entry) -> str:
    """Return the sentence for weights that are nowhere: the file, where to put it, and the command that fetches it."""
    if entry.url is None:
        return f"{entry.file} ({entry.name}) is missing from the installed package; install it again."
    variable = f", set {entry.variable} to its path," if entry.variable else ""
    return (
        f"the weights {entry.name} are not here: run `augment weights fetch {entry.name}`{variable} "
        f"or put {entry.file} into {cache_folder()}."
    )


def package_path(entry: Entry) -> Path | None:
    """Return where the package keeps the file, None for what does not ship."""
    if entry.package is None:
        return None
    module, inside = entry.package
    folder = _folder_of(module)  # `importlib.resources` would import it, and torch with it
    return None if folder is None else folder / inside


def _existing(path: Path, said_by: str) -> Path:
    path = path.expanduser()
    if not path.is_file():
        raise WeightsError(f"{said_by} leads to {path}, where there is no file.")
    return path


def _library_paths(entry: Entry) -> Iterator[Path]:
    for library, pattern in entry.libraries:
        folder = _library_folder(library)
        if folder is not None:
            yield from (path for path in sorted(folder.glob(pattern)) if path.is_file())


def _library_folder(library: str) -> Path | None:
    """Return where another library keeps its downloads, without importing it."""
    if library == "torch":
        home = os.environ.get("TORCH_HOME")
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        return Path(home) if home else Path(base) / "torch"
    return _folder_of(library)


def _folder_of(package: str) -> Path | None:
    """Return where a package lies, without importing it or what it lies in; None where it is not here."""
    top, *inner = package.split(".")
    specification = importlib.util.find_spec(top)
    places = specification.submodule_search_locations if specification else None
    return Path(next(iter(places)), *inner) if places else None
