"""Pictures of every usual kind become upright uint8 RGB; bad ones one sentence and a reason."""

import hashlib
import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from singanimation.pipeline.errors import PictureError
from singanimation.pipeline.files.pictures import encode_png, picture_size, read_picture


def _gradient(height: int = 32, width: int = 48) -> np.ndarray:
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack([rows * 4, columns * 4, rows + columns], axis=2).astype(np.uint8)


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds a single empty data chunk."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def _reason(source: Path | bytes) -> tuple[str, str]:
    with pytest.raises(PictureError) as caught:
        read_picture(source)
    message = str(caught.value)
    assert "\n" not in message and message.endswith(".")
    return caught.value.reason, message


def test_a_png_comes_back_exactly_with_its_digest_and_name(tmp_path: Path) -> None:
    path = tmp_path / "face.png"
    path.write_bytes(encode_png(_gradient()))
    picture = read_picture(path)
    assert np.array_equal(picture.pixels, _gradient())
    assert (picture.mode, picture.name) == ("RGB", str(path))
    assert picture.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_grey_pngs_stay_grey_and_are_written_grey() -> None:
    grey = _gradient()[:, :, 0]
    picture = read_picture(encode_png(np.repeat(grey[:, :, None], 3, axis=2), "L"))
    assert picture.mode == "L"
    assert np.array_equal(picture.pixels[:, :, 2], grey)
    assert Image.open(io.BytesIO(encode_png(grey, "L"))).mode == "L"


def test_encoding_is_deterministic_and_refuses_other_shapes() -> None:
    assert encode_png(_gradient()) == encode_png(_gradient().copy())
    with pytest.raises(ValueError, match="uint8"):
        encode_png(_gradient().astype(np.float32))
    with pytest.raises(ValueError, match="mode"):
        encode_png(_gradient(), "CMYK")


def test_a_header_that_claims_a_huge_size_is_refused_before_decoding() -> None:
    reason, message = _reason(_png_header(30_000, 30_000))
    assert reason == "too_large" and "not decoded" in message
    # Below Pillow's own limit, the argument decides.
    with pytest.raises(PictureError, match="claims 400x400"):
        read_picture(_png_header(400, 400), max_pixels=1000)


def test_a_truncated_jpeg_is_unreadable() -> None:
    data = _saved(Image.fromarray(_gradient(200, 200)), "JPEG")
    reason, message = _reason(data[: len(data) // 2])
    assert reason == "unreadable" and "damaged" in message


def test_a_text_file_named_jpg_is_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "face.jpg"
    path.write_text("this is no picture")
    reason, message = _reason(path)
    assert reason == "unreadable" and "whatever its name says" in message and str(path) in message


def test_an_empty_file_a_folder_a_pipe_and_a_missing_file_each_say_so(tmp_path: Path) -> None:
    (tmp_path / "empty.png").write_bytes(b"")
    os.mkfifo(tmp_path / "pipe.png")
    assert "is empty" in _reason(tmp_path / "empty.png")[1]
    assert "is a folder" in _reason(tmp_path)[1]
    assert "no ordinary file" in _reason(tmp_path / "pipe.png")[1]
    assert _reason(tmp_path / "gone.png")[0] == "missing"


def test_a_file_that_may_not_be_read_is_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "face.png"
    path.write_bytes(encode_png(_gradient()))

    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    reason, message = _reason(path)
    assert reason == "unreadable" and "Permission denied" in message


def test_one_pixel_is_too_small() -> None:
    assert _reason(encode_png(np.zeros((1, 1, 3), np.uint8)))[0] == "too_small"


def test_exif_orientation_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its left side: turn by 90 degrees clockwise to see it upright
    data = _saved(Image.fromarray(_gradient(32, 48)), "PNG", exif=exif.tobytes())
    picture = read_picture(data)
    assert np.array_equal(picture.pixels, np.rot90(_gradient(32, 48), -1))
    assert picture_size(data) == (48, 32)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_becomes_rgb(kind: str) -> None:
    red = Image.new("RGB", (32, 32), (200, 40, 40)).convert("CMYK")
    pixels = read_picture(_saved(red, kind)).pixels
    assert np.abs(pixels.astype(int) - (200, 40, 40)).max() <= 4


def test_sixteen_bit_greys_keep_their_upper_bits() -> None:
    wide = (np.arange(32 * 32, dtype=np.uint16) * 64).reshape(32, 32)
    picture = read_picture(_saved(Image.fromarray(wide), "PNG"))
    assert picture.mode == "L"
    assert np.array_equal(picture.pixels[:, :, 0], (wide >> 8).astype(np.uint8))


def test_palettes_and_transparency_are_laid_over_white() -> None:
    clear = np.zeros((32, 32, 4), np.uint8)
    clear[:16] = (10, 20, 30, 255)
    for image in (Image.fromarray(clear), Image.fromarray(clear).quantize(8)):
        picture = read_picture(_saved(image, "PNG"))
        assert np.abs(picture.pixels[:16].astype(int) - (10, 20, 30)).max() <= 1
        assert (picture.pixels[16:] == 255).all()


def test_of_an_animation_the_first_frame_counts() -> None:
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("red", "blue")]
    pixels = read_picture(_saved(frames[0], "GIF", save_all=True, append_images=frames[1:])).pixels
    assert (pixels == (255, 0, 0)).all()


def test_black_and_white_is_grey_and_floats_are_refused() -> None:
    assert read_picture(_saved(Image.new("1", (32, 32), 1), "PNG")).mode == "L"
    reason, message = _reason(_saved(Image.new("F", (32, 32), 0.5), "TIFF"))
    assert reason == "unreadable" and "8 bits" in message


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_a_damaged_exif_block_does_not_stop_a_good_picture() -> None:
    data = _saved(Image.fromarray(_gradient()), "JPEG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\x7f")
    assert read_picture(data).pixels.shape == (32, 48, 3)
