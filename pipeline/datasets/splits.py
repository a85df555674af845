"""Splits by words: what a cell, a folder or a file's name says of train, validation and test.

A folder is read by the words in its name (``Train_Aligned_Faces``, ``FER2013Valid``, ``train2017``), never by letters
that happen to be in one (``contest``). Names that say two splits are ``UNCLEAR``: the user is asked.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath

from singanimation.pipeline.files.untrusted import words

SPLITS = ("train", "validation", "test")

UNCLEAR = "unclear"
"""The split of pictures whose folder names two splits at once (``train_and_test``)."""

_WORDS: Mapping[str, str] = {
    "train": "train",
    "training": "train",
    "trn": "train",
    "val": "validation",
    "vali": "validation",
    "valid": "validation",
    "validation": "validation",
    "validating": "validation",
    "dev": "validation",
    "development": "validation",
    "eval": "validation",
    "evaluation": "validation",
    "publictest": "validation",
    "test": "test",
    "testing": "test",
    "tests": "test",
    "tst": "test",
    "privatetest": "test",
    "holdout": "test",
    "heldout": "test",
}
# What stands beside a split's word and says nothing of its own.
_NEUTRAL = words(
    "aligned align set sets data dataset datasets image images img imgs picture pictures pic pics photo photos face "
    "faces facial crop crops cropped new final original originals orig folder folders dir split splits part subset "
    "files file list labels label ids frames samples sample all"
)
_PIECE = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+|[^\W\d_]+")
_BEFORE_OR_AFTER = "|".join(sorted((*_NEUTRAL, "fer", "ferplus", "raf", "rafdb", "ck", "afew", "sfew"), reverse=True))
_SPLIT_WORD = "|".join(sorted(_WORDS, key=len, reverse=True))
_GLUED = re.compile(rf"(?:{_BEFORE_OR_AFTER})*({_SPLIT_WORD})(?:{_BEFORE_OR_AFTER})*")
_BOTH = frozenset({"trainval", "trainvalid", "traintest", "trainvaltest", "traindev", "testtrain", "valtest"})
_MOST_TOLD = 4096
_PARTITION = re.compile(r"^([A-Za-z_][\w.\- ]*)=(.*)$")
_NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"
_FILE_WORD = re.compile(r"^([A-Za-z]+)[_\-. ]?\d+")


@lru_cache(maxsize=4096)
def canonical_split(text: str) -> str | None:
    """Return ``train``, ``validation`` or ``test`` for a usual way to write it (``valid``, ``train2017``), else None.

    None too for what names two of them.
    """
    found = _named(text)
    return found[0] if len(found) == 1 else None


def plain_split(name: str) -> str | None:
    """Return the split of a name that says nothing else (``Val_Aligned_Faces``), digits included, else None.

    For folders that no data set made: they are called ``test_it_3`` for all sorts of reasons.
    """
    pieces = _pieces(name)
    return canonical_split(name) if pieces and all(_says_split(piece) for piece in pieces) else None


def held_out_first(*splits: str | None) -> str | None:
    """Return the most held-out of the splits given: nobody's test picture becomes a training picture."""
    given = [split for split in splits if split in SPLITS]
    return max(given, key=SPLITS.index, default=None)


def without_splits(name: str) -> str:
    """Return what a name says beyond its split and the words that say nothing (``train_happy`` -> ``happy``)."""
    words = [piece for piece in _pieces(name) if not _split_of(piece) and piece.lower() not in _NEUTRAL]
    return " ".join(words)


def partitions(path: PurePosixPath) -> Mapping[str, str]:
    """Return the columns that folders named ``column=value`` on a path give, as Spark, DuckDB and pandas write them."""
    return _partitions(path.parts[:-1])


@lru_cache(maxsize=1024)
def _partitions(folders: tuple[str, ...]) -> Mapping[str, str]:
    from urllib.parse import unquote

    found = (_PARTITION.match(folder) for folder in folders)
    pairs = {match[1]: unquote(match[2]) for match in found if match}
    return {name: value for name, value in pairs.items() if value != _NULL_PARTITION}


@dataclass(frozen=True)
class FolderSplits:
    """Tells a picture's split by the folders on its way; ``loosely`` are those read by one word among others."""

    by_folder: Mapping[str, str]
    loosely: Mapping[str, str]
    root: str | None
    _told: dict[tuple[str, ...], str | None] = field(default_factory=dict, compare=False, repr=False)

    @staticmethod
    def of(root: Path, pictures: Iterable[PurePosixPath]) -> "FolderSplits":
        """Look at all folders of a data set at once: siblings such as ``fertrain``, ``fertest`` explain each other."""
        folders = {folder for way in {picture.parts[:-1] for picture in pictures} for folder in way}
        plain = {folder for folder in folders if not _PARTITION.match(folder)}
        by_folder, loosely = {}, {}
        for folder in plain:
            found = _named(folder) or _by_sibling(folder, plain)
            if not found:
                continue
            split = found[0] if len(found) == 1 else UNCLEAR
            (by_folder if _is_plain(folder) and split != UNCLEAR else loosely)[folder] = split
        return FolderSplits(by_folder, loosely, plain_split(root.resolve().name))

    def __call__(self, picture: PurePosixPath) -> str | None:
        """Return the split that the folders name (``UNCLEAR`` where they name two at once), else None.

        A folder that says only that counts more than one that says it among other things; of several, the most
        held-out split counts.
        """
        folders = picture.parts[:-1]
        if folders in self._told:
            return self._told[folders]
        told = self._tell(folders)
        if len(self._told) < _MOST_TOLD:
            self._told[folders] = told
        return told

    def _tell(self, folders: tuple[str, ...]) -> str | None:
        plain = held_out_first(*(self.by_folder.get(folder) for folder in folders))
        if plain:
            return plain
        loose = [self.loosely[folder] for folder in folders if folder in self.loosely]
        return held_out_first(*loose) or (UNCLEAR if loose else None) or self.root

    def sentence(self) -> str | None:
        """Return what the user should know of folders read by a word in their name, None where there are none."""
        read = sorted(f"{folder} as {split}" for folder, split in self.loosely.items() if split != UNCLEAR)
        if not read:
            return None
        more = ", ..." if len(read) > 6 else ""
        return (
            f"Folders are read as splits by a word in their names ({', '.join(read[:6])}{more}); "
            "--splits-from says it otherwise"
        )


def file_name_splits(pictures: Sequence[PurePosixPath]) -> dict[PurePosixPath, str]:
    """Return the splits that the files' own names begin with (``PrivateTest_88305.jpg``, ``test_0001.jpg``).

    Empty unless (almost) all names begin so.
    """
    found = {}
    for picture in pictures:
        match = _FILE_WORD.match(picture.name)
        split = canonical_split(match[1]) if match else None
        if split:
            found[picture] = split
    return found if len(found) >= 0.9 * len(pictures) else {}


def _pieces(text: str) -> list[str]:
    return _PIECE.findall(text)


def _split_of(piece: str) -> str | None:
    lower = piece.lower()
    match = _GLUED.fullmatch(lower)
    return _WORDS.get(lower) or (_WORDS[match[1]] if match else None)


def _named(text: str) -> list[str]:
    """Return the splits that a name's words say, each once."""
    pieces = [piece.lower() for piece in _pieces(text)]
    if any(piece in _BOTH for piece in pieces):
        return ["train", "test"]
    joined: list[str] = []
    for piece in pieces:
        if joined and joined[-1] in ("public", "private") and piece.startswith("test"):
            joined[-1] += "test"
        elif joined and joined[-1] in ("hold", "held") and piece == "out":
            joined[-1] += "out"
        else:
            joined.append(piece)
    return list(dict.fromkeys(split for piece in joined if (split := _split_of(piece))))


def _is_plain(folder: str) -> bool:
    """Return whether a name says its split and nothing else (digits and words such as ``images`` aside)."""
    return all(piece.isdigit() or len(piece) == 1 or _says_split(piece) for piece in _pieces(folder))


def _says_split(piece: str) -> bool:
    return bool(_split_of(piece)) or piece.lower() in (*_NEUTRAL, "public", "private", "hold", "held", "out")


def _by_sibling(folder: str, folders: Iterable[str]) -> list[str]:
    """Return the split of ``fertest`` beside ``fertrain``: names that differ in the split's word alone."""
    lower = {other.lower() for other in folders}
    name = folder.lower()
    for word in ("train", "training"):
        for other, split in _WORDS.items():
            if other in name and split != "train" and name.replace(other, word, 1) in lower - {name}:
                return [split]
            if word in name and split != "train" and name.replace(word, other, 1) in lower - {name}:
                return ["train"]
    return []
