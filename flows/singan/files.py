"""Pictures, masks and frames of `augment singan`, as files."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from singanimation.flows.faces import file_name
from singanimation.pipeline.errors import PictureError, UsageError
from singanimation.pipeline.files.atomic import atomic_file
from singanimation.pipeline.files.pictures import read_picture
from singanimation.pipeline.files.signed import encode_signed

if TYPE_CHECKING:
    from singanimation.stages.singan.uses import PictureModel

_WHITE = 128
"""Of 255: from here up a mask holds."""


def read_pixels(path: Path) -> np.ndarray:
    """Return a picture uint8 (H, W, 3). Raises UsageError for what cannot be read as one."""
    try:
        return read_picture(path).pixels
    except PictureError as error:
        raise UsageError(str(error)) from None


def read_mask(path: Path, model: "PictureModel") -> np.ndarray:
    """Return a mask bool (H, W) of the model's picture: where the file is lighter than grey.

    Raises UsageError, also for another aspect than the picture's.
    """
    from skimage.transform import resize

    from singanimation.stages.singan.uses import check_aspect

    pixels = read_pixels(path)[..., :3].mean(2)
    check_aspect(model, pixels, f"mask {path.name}")
    shape = model.picture.shape[:2]
    return np.asarray(resize(pixels, shape, order=1, anti_aliasing=True, preserve_range=True)) >= _WHITE


def write_picture(path: Path, pixels: np.ndarray) -> Path:
    """Write uint8 (H, W, 3) as a PNG that says whose it is, and return ``path``. Raises MachineError."""
    with atomic_file(path) as file:
        file.write(encode_signed(pixels))
    return path


def starts_of(text: str | None, model: "PictureModel", usual: Sequence[str] = ()) -> list[str]:
    """Return the start scales of ``N-1,N-2``, each once; where nothing is said, of the ``usual`` ones the model's.

    Raises UsageError for none, and for one that the model does not have.
    """
    from singanimation.stages.singan.pyramid import start_index

    if text is None:
        return [name for place, name in enumerate(usual) if place == 0 or start_index(name) < model.scales]
    names = list(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
    if not names:
        raise UsageError("--start-scale names nothing; give one or several, such as N-1,N-2.")
    for name in names:
        model.start(name)
    return names


def size_of(text: str | None) -> tuple[int, int] | None:
    """Return (height, width) of ``WIDTHxHEIGHT``; None for None. Raises UsageError."""

    if text is None:
        return None
    width, times, height = text.lower().partition("x")
    if not (times and all(each.isdecimal() and len(each) < 7 for each in (width, height))):
        raise UsageError(f"--size: {text!r} is no size; write WIDTHxHEIGHT, such as 400x120.")
    return int(height), int(width)


def named(output: Path, path: Path, what: str, suffix: str = ".png") -> Path:
    """Return ``output/<stem of path>__<what><suffix>``."""
    stem = path.name.removesuffix(path.suffix).removesuffix(".singan")
    return output / f"{file_name(stem)}__{what}{suffix}"
