"""Pictures in and out: any usual file to uint8 RGB, and PNG bytes back. Untrusted files stay data.

A picture is refused from its header, before anything is decoded, when it is too small or a decompression bomb.
"""

import hashlib
import io
import re
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from singanimation.pipeline.errors import PictureError
from singanimation.pipeline.files.untrusted import words
from singanimation.pipeline.records import Source

MAX_PIXELS = 89_000_000
"""Larger pictures are taken for decompression bombs (Pillow's own limit, a quarter of a gigabyte decoded)."""

MAX_FILE_BYTES = 512 * 1024 * 1024
MIN_SIDE = 16
"""Pixels; less cannot show a face."""

# What photographs and data sets come as. Formats that run programs or need plugins (EPS, WMF, FPX) stay out.
FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "GIF", "TIFF", "PPM")
SUFFIXES = frozenset(
    words(".jpg .jpeg .jpe .jfif .jif .jfi .pjpeg .pjp .png .apng .bmp .dib .webp .gif .tif .tiff .ppm .pgm .pbm .pnm")
)
"""Lower-case file endings that are taken for pictures when a folder is searched."""

UNREAD = frozenset(
    words(".heic .heif .avif .jp2 .j2k .jpx .jxl .svg .psd .tga .pcx .ico .exr .hdr .dng .cr2 .nef .arw .raw .eps")
)
"""Endings of pictures that are not read: told where they are met, never left out in silence."""

_SEVERAL_CHANNELS = ("RGB", "RGBA", "LA")
_GAP = rb"\s+(?:#[^\n]*\n\s*)*"
_PPM_MOST = re.compile(rb"P[36]" + _GAP + rb"\d+" + _GAP + rb"\d+" + _GAP + rb"(\d+)")
_BITS_PER_SAMPLE, _ORIENTATION = 258, 274
_WIDE_MODES = ("I;16", "I;16B", "I;16L", "I;16N", "I")


@dataclass(frozen=True)
class Picture:
    """A decoded picture: ``pixels`` uint8 (H, W, 3) RGB, upright.

    ``mode`` is "L" where the file was grey (then the three channels are equal), else "RGB"; ``sha256`` is the hex
    digest of the file's bytes, ``name`` what messages call it.
    """

    pixels: np.ndarray = field(repr=False, compare=False)
    mode: str
    sha256: str
    name: str


def read_picture(
    source: Path | str | bytes, *, max_pixels: int = MAX_PIXELS, min_side: int = MIN_SIDE, name: str | None = None
) -> Picture:
    """Read a file, or the bytes of one, as uint8 RGB with the EXIF orientation applied.

    Transparency is laid over white; of wide pixels (9 to 16 bits) the upper 8 of the bits in use are kept, so that 8 or
    12 bits in a 16-bit file are not black; of an animation the first frame counts.
    Raises PictureError with reason ``missing``, ``unreadable``, ``too_small`` or ``too_large``.
    """
    if isinstance(source, bytes):
        data, title = source, name or "the embedded picture"
    else:
        data, title = _file_bytes(Path(source)), name or str(source)
    sha256 = hashlib.sha256(data).hexdigest()
    with _open(data, title, max_pixels, min_side) as image:
        try:
            mode, pixels = _decode(image, data)
        except (OSError, ValueError, SyntaxError, EOFError, MemoryError, OverflowError) as error:
            message = f"{title} cannot be decoded ({_short(error)}): the file is damaged, replace or remove it."
            raise PictureError("unreadable", message) from error
    return Picture(pixels=pixels, mode=mode, sha256=sha256, name=title)


def read_source(source: Source) -> Picture:
    """Read a data set's picture. Raises PictureError: ``unusable``, ``missing``, or as ``read_picture``."""
    if source.problem is not None:
        raise PictureError("unusable", source.problem)
    return read_picture(source_bytes(source), name=source.source_path)


def source_bytes(source: Source) -> bytes:
    """Return the bytes of a data set's picture. Raises PictureError: ``missing``, ``unreadable``, ``too_large``."""
    if source.data is not None:
        return source.data
    if not isinstance(source.path, Path):
        raise PictureError("missing", f"{source.source_id} has neither a file nor bytes.")
    return _file_bytes(source.path)


def picture_size(source: Path | str | bytes) -> tuple[int, int]:
    """Return width and height in pixels as stored (EXIF orientation not applied), from the header alone."""
    title = "the embedded picture" if isinstance(source, bytes) else str(source)
    data = source if isinstance(source, bytes) else _file_bytes(Path(source))
    with _open(data, title, MAX_PIXELS, 1) as image:
        return image.size


def encode_png(pixels: np.ndarray, mode: str = "RGB") -> bytes:
    """Return PNG bytes of uint8 (H, W, 3) or (H, W); ``mode`` "L" writes a grey PNG (BT.601 luma of the colours).

    The same pixels give the same bytes for one version of Pillow and zlib. Raises ValueError for other shapes.
    """
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] != 3):
        raise ValueError(f"encode_png wants uint8 (H, W, 3) or (H, W), got {pixels.dtype} {pixels.shape}")
    if mode not in ("RGB", "L"):
        raise ValueError(f"encode_png writes mode RGB or L, not {mode!r}")
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).convert(mode).save(buffer, "PNG", compress_level=6)
    return buffer.getvalue()


def _file_bytes(path: Path) -> bytes:
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise PictureError("unreadable", f"{path} is a folder, not a picture.")
        if not stat.S_ISREG(status.st_mode):
            raise PictureError("unreadable", f"{path} is no ordinary file (a pipe or a device?).")
        if status.st_size > MAX_FILE_BYTES:
            size = status.st_size // 2**20
            raise PictureError("too_large", f"{path} has {size} MiB; at most {MAX_FILE_BYTES // 2**20} are read.")
        return path.read_bytes()
    except FileNotFoundError:
        raise PictureError("missing", f"{path} does not exist.") from None
    except (OSError, ValueError) as error:
        raise PictureError("unreadable", f"{path} cannot be read ({_short(error)}).") from error


def _open(data: bytes, title: str, max_pixels: int, min_side: int) -> Image.Image:
    """Open by the header; nothing is decoded here."""
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError as error:
        message = f"{title} is far too large to be a photograph and was not decoded ({_short(error)})."
        raise PictureError("too_large", message) from error
    except UnidentifiedImageError:
        kind = "is empty" if not data else "is no picture of a kind we read (" + ", ".join(FORMATS) + ")"
        raise PictureError("unreadable", f"{title} {kind}, whatever its name says.") from None
    except (OSError, ValueError, SyntaxError, EOFError, MemoryError, OverflowError) as error:
        raise PictureError("unreadable", f"{title} has a damaged header ({_short(error)}).") from error
    width, height = image.size
    if width * height > max_pixels:
        message = (
            f"{title} claims {width}x{height} pixels, more than the {max_pixels:,} that are read: "
            "it was not decoded; scale it down if it is a real photograph."
        )
        raise PictureError("too_large", message)
    if min(width, height) < min_side:
        message = f"{title} has {width}x{height} pixels; less than {min_side} a side cannot show a face."
        raise PictureError("too_small", message)
    return image


def _decode(image: Image.Image, data: bytes) -> tuple[str, np.ndarray]:
    image.load()
    image = _upright(_narrowed(image, data))
    if image.mode in _WIDE_MODES:
        return "L", _stack(eight_bits(np.asarray(image)))
    if image.mode == "F":
        raise ValueError("floating-point pixels have no agreed range; save it with 8 bits")
    if "transparency" in image.info or image.mode in ("RGBA", "LA", "PA", "La", "RGBa"):
        grey = image.mode in ("L", "LA", "La", "1")
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, image).convert("L" if grey else "RGB")
    if image.mode in ("L", "1"):
        return "L", _stack(np.asarray(image.convert("L")))
    return "RGB", np.array(image if image.mode == "RGB" else image.convert("RGB"))


def _narrowed(image: Image.Image, data: bytes) -> Image.Image:
    """Return a picture whose channels have 16 bits with the 8 that it uses: Pillow keeps the upper ones, which are
    black in a file that uses 8 or 12."""
    if image.mode not in _SEVERAL_CHANNELS or not _is_wide(image, data):
        return image
    colours = len(image.getbands()) - (image.mode in ("LA", "RGBA"))
    if max(high for _, high in _extremes(image)[:colours]) > 64:
        return image
    import cv2

    try:
        wide = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return image
    if wide is None or wide.dtype != np.uint16 or wide.ndim != 3 or wide.shape[2] not in (3, 4):
        return image
    narrow = eight_bits(wide[:, :, :3][:, :, ::-1])
    new = Image.fromarray(np.ascontiguousarray(narrow)).convert("L" if image.mode == "LA" else "RGB")
    if wide.shape[2] == 4:
        new.putalpha(Image.fromarray(eight_bits(wide[:, :, 3])))
    new.getexif()[_ORIENTATION] = image.getexif().get(_ORIENTATION, 1)
    return new


def _extremes(image: Image.Image) -> tuple[tuple[int, int], ...]:
    found = image.getextrema()
    return found if isinstance(found[0], tuple) else (found,)  # type: ignore[return-value]


def _is_wide(image: Image.Image, data: bytes) -> bool:
    """Return whether a PNG, TIFF or PPM says that its channels have more than 8 bits."""
    if image.format == "PPM":
        most = _PPM_MOST.match(data[:512])
        return most is not None and len(most[1]) < 6 and int(most[1]) > 255
    if image.format == "PNG":
        return data[24:25] == b"\x10"
    if image.format == "TIFF":
        bits = getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, 8)
        return max(bits) > 8 if isinstance(bits, tuple) else bits > 8
    return False


def _upright(image: Image.Image) -> Image.Image:
    # a damaged EXIF block names no orientation: the picture stands as it is stored
    with suppress(ValueError, SyntaxError, KeyError, TypeError, OSError, EOFError, OverflowError):
        ImageOps.exif_transpose(image, in_place=True)
    return image


def eight_bits(wide: np.ndarray) -> np.ndarray:
    """Map pixels of 9 to 16 bits to 8: the upper 8 of the fewest bits (8, 10, 12, 14 or 16) that hold the brightest.

    Cameras write 10 to 14 bits into 16, and tools 8: the upper 8 of 16 would be black. Raises ValueError for values
    outside 16 bits.
    """
    low, high = int(wide.min()), int(wide.max())
    if low < 0 or high > 65535:
        raise ValueError(f"grey values {low}..{high} are outside 16 bits")
    bits = next(bits for bits in (8, 10, 12, 14, 16) if high < 1 << bits)
    return (wide.astype(np.uint32) >> (bits - 8)).astype(np.uint8)


def _stack(grey: np.ndarray) -> np.ndarray:
    return np.repeat(grey[:, :, None], 3, axis=2)


def _short(error: BaseException) -> str:
    """Return one line of an error's text, without its file name."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return text.splitlines()[0].rstrip(".").strip()
