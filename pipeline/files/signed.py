"""Pictures that say in their file that we drew them, so that a later run does not take them for its sources.

The manifest's pictures carry no such words: their bytes are their pixels' alone.
"""

import io
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from singanimation.pipeline.files.pictures import encode_png

SIGNATURE = "SinGANimation"
"""The PNG's ``Software`` text, and the GIF's comment."""


def png_words() -> PngInfo:
    """Return what Pillow writes into a PNG of ours (``pnginfo=``)."""
    words = PngInfo()
    words.add_text("Software", SIGNATURE)
    return words


def encode_signed(pixels: np.ndarray, mode: str = "RGB") -> bytes:
    """Return the PNG bytes of ``encode_png`` with our words in them."""
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(encode_png(pixels, mode))) as image:
        image.save(buffer, "PNG", compress_level=6, pnginfo=png_words())
    return buffer.getvalue()


def is_signed(path: Path) -> bool:
    """Return whether a PNG or GIF says that we drew it; False for what cannot be read."""
    if path.suffix.lower() not in (".png", ".gif"):
        return False
    try:
        with Image.open(path, formats=("PNG", "GIF")) as image:
            said = image.info.get("Software"), image.info.get("comment")
    except (OSError, ValueError, SyntaxError, EOFError, MemoryError, OverflowError):
        return False
    return SIGNATURE in said or SIGNATURE.encode() in said
