"""Pictures named on the command line, and the faces in them: what `augment edit` and `augment aus` share."""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from singanimation.flows.models import FaceModels
from singanimation.pipeline.errors import PictureError, UsageError
from singanimation.pipeline.identity import digest
from singanimation.pipeline.pictures import SUFFIXES, Picture, read_picture
from singanimation.pipeline.records import Crop, Source


@dataclass(frozen=True)
class Face:
    """A picture with its face: ``name`` is unique among the pictures asked for, ``action_units`` (17,) in 0..1."""

    path: Path
    name: str
    picture: Picture
    crop: Crop
    action_units: np.ndarray


def picture_paths(inputs: Sequence[Path]) -> list[Path]:
    """Return the pictures named, and those below the folders named, sorted within each. Raises UsageError."""
    found: list[Path] = []
    for path in inputs:
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
            if not inside:
                raise UsageError(f"{path} holds no pictures ({', '.join(sorted(SUFFIXES))}).")
            found += inside
        elif path.exists():
            found.append(path)
        else:
            raise UsageError(f"{path}: no such file or folder.")
    return list(dict.fromkeys(found))


def unique_names(paths: Sequence[Path]) -> list[str]:
    """Return each path's stem, with a digest of the path where stems are the same."""
    stems = Counter(path.stem for path in paths)
    return [p.stem if stems[p.stem] == 1 else f"{p.stem}-{digest(p.as_posix(), length=8)}" for p in paths]


def find_faces(paths: Sequence[Path], models: FaceModels) -> Iterator[Face | PictureError]:
    """Read each picture and find its face; what cannot be used comes back as its PictureError."""
    for path, name in zip(paths, unique_names(paths), strict=True):
        try:
            picture = read_picture(path)
            source = Source(dataset="", source_id=name, path=path, source_path=path.name)
            crop = models.find_face(picture.pixels, source)
            yield Face(path, name, picture, crop, models.action_units(crop.pixels[None])[0])
        except PictureError as error:
            text = str(error) if path.name in str(error) else f"{path}: {error}"
            yield PictureError(error.reason, text)


def warn(text: str, quiet: bool) -> None:
    """Print one sentence on stderr."""
    if not quiet:
        print(f"augment: {text}", file=sys.stderr)
