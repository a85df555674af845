"""Pictures as Python has them (PIL, uint8 arrays) to the pixels that the stages take, and back in the same kind."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from singanimation.pipeline.errors import PictureError, UsageError
from singanimation.pipeline.files.pictures import MAX_PIXELS, MIN_SIDE, read_picture

PictureLike = TypeVar("PictureLike", Image.Image, np.ndarray)
"""A PIL picture, or a uint8 array (H, W, 3) RGB or (H, W) grey: what is taken, and what is given back."""


@dataclass(frozen=True)
class Taken:
    """A picture that was handed in: ``pixels`` uint8 (H, W, 3), ``mode`` "L" where it was grey, else "RGB".

    ``pil`` and ``flat`` (an array of two dimensions) say which kind goes back.
    """

    pixels: np.ndarray
    mode: str
    pil: bool
    flat: bool = False

    def give(self, pixels: np.ndarray) -> Any:
        """Return ``pixels`` uint8 (H, W, 3) in the kind of picture that was handed in."""
        if self.pil:
            return Image.fromarray(np.ascontiguousarray(pixels)).convert(self.mode)
        if self.flat:
            return np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).convert("L")).copy()
        return pixels


def take(picture: Any) -> Taken:
    """Return a picture's pixels. Other modes of PIL (RGBA, P, 16 bits, ...) become RGB or L as files of them do.

    Raises UsageError for what is no such picture, PictureError ``too_small`` or ``too_large``.
    """
    if isinstance(picture, Image.Image):
        return _from_pil(picture)
    if not isinstance(picture, np.ndarray):
        raise UsageError(f"A picture is a PIL picture or a uint8 array, not a {type(picture).__name__}.")
    flat = picture.ndim == 2
    if picture.dtype != np.uint8 or not (flat or (picture.ndim == 3 and picture.shape[2] == 3)):
        raise UsageError(f"An array has to be uint8 (H, W, 3) or (H, W), not {picture.dtype} {picture.shape}.")
    _check_size(*picture.shape[1::-1])
    pixels = np.repeat(picture[..., None], 3, axis=2) if flat else np.ascontiguousarray(picture)
    return Taken(pixels, "L" if flat else "RGB", pil=False, flat=flat)


def is_several(pictures: object) -> bool:
    """Return whether a list (or tuple) of pictures was handed in, or a single one."""
    return isinstance(pictures, Sequence) and not isinstance(pictures, str)


def _from_pil(picture: Image.Image) -> Taken:
    _check_size(*picture.size)
    if picture.mode in ("RGB", "L"):
        return Taken(np.array(picture.convert("RGB")), picture.mode, pil=True)
    if picture.mode not in ("1", "LA", "P", "PA", "RGBA", "I", "I;16"):
        return Taken(np.array(picture.convert("RGB")), "RGB", pil=True)
    file = io.BytesIO()
    picture.save(file, "PNG")
    read = read_picture(file.getvalue(), name="the picture")
    return Taken(read.pixels, read.mode, pil=True)


def _check_size(width: int, height: int) -> None:
    if min(width, height) < MIN_SIDE:
        raise PictureError("too_small", f"{width}x{height} pixels cannot show a face; {MIN_SIDE} a side are needed.")
    if width * height > MAX_PIXELS:
        raise PictureError("too_large", f"{width}x{height} pixels are more than the {MAX_PIXELS:,} that are taken.")
