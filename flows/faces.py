"""Pictures named on the command line, and the faces in them: what `augment edit` and `augment aus` share."""

import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from singanimation.flows.models import FaceModels
from singanimation.pipeline.datasets.files import exists
from singanimation.pipeline.digests import digest
from singanimation.pipeline.errors import PictureError, UsageError
from singanimation.pipeline.files.pictures import SUFFIXES, Picture, read_picture
from singanimation.pipeline.files.signed import is_signed
from singanimation.pipeline.files.untrusted import readable, shown
from singanimation.pipeline.records import Crop, Source

_LONGEST_PART = 100
"""Bytes of a name that others are added to: disks hold names of 255."""


@dataclass(frozen=True)
class Face:
    """A picture with its face: ``name`` is unique among the pictures asked for, ``action_units`` (17,) in 0..1.

    ``estimator`` is whose they are, in the manifest's words.
    """

    path: Path
    name: str
    picture: Picture
    crop: Crop
    action_units: np.ndarray
    estimator: str = ""


def picture_paths(inputs: Sequence[Path], output: Path | None = None) -> list[Path]:
    """Return the pictures named, and those below the folders named, sorted within each. Raises UsageError.

    Where ``output`` lies in one of the folders, what is in it is left out: it is of an earlier run.
    """
    found: list[Path] = []
    for path in inputs:
        if not exists(path):
            raise UsageError(f"{shown(path)}: no such file or folder.")
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
            if output is not None and path.resolve() in output.resolve().parents:
                inside = [p for p in inside if not p.resolve().is_relative_to(output.resolve())]
            if not inside:
                raise UsageError(f"{path} holds no pictures ({', '.join(sorted(SUFFIXES))}).")
            found += inside
        else:
            found.append(path)
    return list(dict.fromkeys(found))


def without_own(paths: Sequence[Path], named: Sequence[Path]) -> tuple[list[Path], int]:
    """Return the pictures without those that an earlier `augment edit` drew, and how many those are.

    One that is ``named`` itself, not found in a folder, is taken all the same. Raises UsageError where none is left.
    """
    kept = [path for path in paths if path in named or not is_signed(path)]
    if not kept:
        raise UsageError("All pictures found are earlier edits; name one itself to edit it again.")
    return kept, len(paths) - len(kept)


def unique_names(paths: Sequence[Path]) -> list[str]:
    """Return each path's stem, with a digest of the path where stems are the same or too long to add to."""
    stems = Counter(path.stem for path in paths)
    return [file_name(path.stem, readable(path.as_posix()), stems[path.stem] > 1) for path in paths]


def file_name(text: str, whole: str | None = None, shared: bool = False) -> str:
    """Return ``text`` as a part of a file's name: cut where it is long, then (or where ``shared``) with a digest.

    The digest is of ``whole``, by default the text itself.
    """
    long = len(os.fsencode(text)) > _LONGEST_PART
    if not long and not shared:
        return text
    begin = os.fsencode(text)[: _LONGEST_PART - 20].decode(errors="ignore") if long else text
    return f"{begin}-{digest(readable(whole or text), length=8)}"


def picture_sources(paths: Sequence[Path]) -> list[Source]:
    """Return the pictures as sources; ``source_id`` is their name."""
    names = zip(paths, unique_names(paths), strict=True)
    return [Source(dataset="", source_id=name, path=path, source_path=readable(path.name)) for path, name in names]


def find_faces(
    paths: Sequence[Path], models: FaceModels, sources: Sequence[Source] | None = None
) -> Iterator[Face | PictureError]:
    """Read each picture and find its face; what cannot be used comes back as its PictureError.

    ``sources`` are the pictures' where they bring action units of their own, which are then taken.
    """
    for path, source in zip(paths, sources or picture_sources(paths), strict=True):
        try:
            picture = read_picture(path)
            crop = models.find_face(picture.pixels, source)
            if source.action_units is not None:
                units, estimator = np.array(source.action_units, np.float32), source.units_from
            else:
                units, estimator = models.action_units(crop.pixels[None])[0], models.estimator
            yield Face(path, source.source_id, picture, crop, units, estimator)
        except PictureError as error:
            text = str(error) if path.name in str(error) else f"{path}: {error}"
            yield PictureError(error.reason, text)


def warn(text: str, quiet: bool) -> None:
    """Print one sentence on stderr."""
    if not quiet:
        print(f"augment: {text}", file=sys.stderr)
