"""Pictures as every reader shows them: upright, eight bits a channel, one frame, PNG or JPEG.

Readers differ in what they make of an EXIF orientation, of 16 bits, of palettes and transparency, and in which endings
they know at all. What differs between them would tell real pictures from synthetic ones.
"""

import io

from PIL import ExifTags, Image

from singanimation.pipeline.files.pictures import encode_png, read_picture

PNG = b"\x89PNG"
_ENDINGS = {"JPEG": ".jpg", "PNG": ".png"}


def portable(data: bytes, name: str) -> tuple[bytes, str, tuple[int, int]]:
    """Return a picture's bytes, their ending, and width and height.

    JPEG and PNG files that need no change keep their bytes; all others become PNG, as this program sees them (see
    ``read_picture``). Raises PictureError for what cannot be read.
    """
    picture = read_picture(data, name=name)
    height, width = picture.pixels.shape[:2]
    ending = _plain_ending(data)
    if ending is None:
        return encode_png(picture.pixels, picture.mode), ".png", (width, height)
    return data, ending, (width, height)


def as_png(data: bytes, name: str) -> bytes:
    """Return a picture as PNG, its own bytes where it is one. Raises PictureError for what cannot be read."""
    if data.startswith(PNG):
        return data
    picture = read_picture(data, name=name)
    return encode_png(picture.pixels, picture.mode)


def _plain_ending(data: bytes) -> str | None:
    """Return the ending of a file that every reader shows alike, else None."""
    with Image.open(io.BytesIO(data)) as image:
        alike = (
            image.format in _ENDINGS
            and image.mode in ("L", "RGB")
            and "transparency" not in image.info
            and image.getexif().get(ExifTags.Base.Orientation, 1) == 1
            and getattr(image, "n_frames", 1) == 1
        )
        return _ENDINGS[str(image.format)] if alike else None
