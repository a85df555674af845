"""Pictures as the world has them: each is read, or refused with a reason in one printable sentence; none hangs."""

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from singanimation.pipeline.datasets import open_input
from singanimation.pipeline.errors import PictureError
from singanimation.pipeline.files.pictures import SUFFIXES, eight_bits, encode_png, read_picture

Put = Callable[..., Path]
REASONS = {"missing", "unreadable", "too_small", "too_large"}

_ACROSS, _DOWN = np.meshgrid(np.arange(48) * 5, np.arange(40) * 6)
_BASE = np.dstack([_ACROSS, _DOWN, np.full((40, 48), 90)]).astype(np.uint8)


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _png(width: int, height: int, depth: int = 8, colour: int = 2, body: bytes = b"", extra: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + extra + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


_IMAGE = Image.fromarray(_BASE)
_KINDS = {kind: _saved(_IMAGE, kind) for kind in ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM")}
_FULL = zlib.compress(bytes((32 * 3 + 1) * 32))

_BOMB = _chunk(b"zTXt", b"x\0\0" + zlib.compress(bytes(60 << 20)))
_LOOP = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x69\x87\x04\0\1\0\0\0\x08\0\0\0"


def _cut() -> dict[str, bytes]:
    shares = (0.02, 0.5, 0.97)
    return {f"{kind} cut at {s:.0%}": data[: int(len(data) * s)] for kind, data in _KINDS.items() for s in shares}


def _flipped() -> dict[str, bytes]:
    found = {}
    for kind, data in _KINDS.items():
        for seed in (1, 2):
            pixels = np.frombuffer(data, np.uint8)
            hit = np.random.default_rng(seed).random(len(data)) < 0.02
            found[f"{kind} with flipped bytes, seed {seed}"] = np.where(hit, 255 - pixels, pixels).tobytes()
    return found


HOSTILE: dict[str, bytes] = {
    **_cut(),
    "no byte": b"",
    "one byte": b"\xff",
    "text": b"this is no picture",
    "a web page": b"<!doctype html><html><body>Sign in</body></html>",
    "an SVG": b"<svg xmlns='http://www.w3.org/2000/svg'><rect width='9' height='9'/></svg>",
    "an archive": b"PK\x03\x04" + bytes(60),
    "a Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
    "a megabyte of zeros": bytes(1 << 20),
    "EPS, which is a program": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\nshowpage\n",
    "PNG of 30,000 x 30,000": _png(30_000, 30_000),
    "PNG of 2 billion pixels a side": _png(2**31 - 1, 2**31 - 1),
    "PNG without pixels": _png(0, 0),
    "PNG 1 pixel high": _png(9_000, 1, body=zlib.compress(bytes(27_001))),
    "PNG with another depth": _png(32, 32, depth=5, body=_FULL),
    "PNG with another colour type": _png(32, 32, colour=9, body=_FULL),
    "PNG that unpacks to too little": _png(32, 32, body=zlib.compress(bytes(100))),
    "PNG that unpacks to a hundredfold": _png(32, 32, body=zlib.compress(bytes(32 * 97 * 100))),
    "PNG of noise in its body": _png(32, 32, body=np.random.default_rng(0).bytes(3_000)),
    "PNG with a text of 60 MB packed": _png(32, 32, body=_FULL, extra=_BOMB),
    "PNG with a false colour profile": _png(32, 32, body=_FULL, extra=_chunk(b"iCCP", b"x\0\0" + zlib.compress(b"no"))),
    "PNG with a false checksum": _KINDS["PNG"].replace(b"IDAT", b"IDAT", 1)[:-20] + b"\0" * 8 + _KINDS["PNG"][-12:],
    "PPM of a billion pixels": b"P6 100000 10000 255\n" + bytes(99),
    "PPM with a negative side": b"P6 -32 32 255\n" + bytes(9999),
    "PPM with a maximum of 0": b"P6 32 32 0\n" + bytes(3072),
    "PGM in letters": b"P2 32 32 255\n" + b"many " * 1024,
    "PGM in figures, too few": b"P2 32 32 255\n" + b"7 " * 40,
    "BMP with a negative height": _KINDS["BMP"][:22] + struct.pack("<i", -40) + _KINDS["BMP"][26:],
    "BMP with a height of 2 billion": _KINDS["BMP"][:22] + struct.pack("<i", 2**31 - 1) + _KINDS["BMP"][26:],
    "TIFF whose directory leads to itself": b"II*\0\x08\0\0\0" + b"\0\0" + b"\x08\0\0\0" + bytes(99),
    "TIFF whose directory lies beyond its end": b"II*\0\xff\xff\xff\x7f" + bytes(99),
    "TIFF with 60,000 entries": b"II*\0\x08\0\0\0" + struct.pack("<H", 60_000) + bytes(999),
    "JPEG that ends after its header": _KINDS["JPEG"][:200],
    "JPEG of 65,535 x 65,535": _KINDS["JPEG"].replace(struct.pack(">HH", 40, 48), b"\xff" * 4, 1),
    "JPEG with EXIF that points into itself": _saved(_IMAGE, "JPEG", exif=_LOOP),
    "GIF with a frame larger than itself": _KINDS["GIF"][:6] + struct.pack("<HH", 20, 20) + _KINDS["GIF"][10:],
    "WEBP with another length": _KINDS["WEBP"][:4] + b"\xff\xff\xff\x7f" + _KINDS["WEBP"][8:],
    "floating-point TIFF": _saved(Image.new("F", (32, 32), 0.5), "TIFF"),
    "grey of 32 bits, negative": _saved(Image.fromarray(np.full((32, 32), -5, np.int32)), "TIFF"),
    **_flipped(),
}


def test_there_are_60_hostile_pictures() -> None:
    assert len(HOSTILE) >= 60


@pytest.mark.filterwarnings("ignore")  # Pillow's, of what is refused or mended below
@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_picture_is_read_or_refused_with_a_reason(data: bytes) -> None:
    try:
        picture = read_picture(data, name="x.png")
    except PictureError as error:
        assert error.reason in REASONS and str(error).isprintable() and "x.png" in str(error)
    else:
        assert picture.pixels.dtype == np.uint8 and picture.pixels.ndim == 3 and picture.pixels.shape[2] == 3


_REFUSED = ("no byte", "text", "a web page", "PNG of 30,000 x 30,000", "PNG without pixels", "floating-point TIFF")


@pytest.mark.parametrize("name", _REFUSED)
def test_what_is_no_picture_is_never_taken_for_one(name: str) -> None:
    with pytest.raises(PictureError):
        read_picture(HOSTILE[name])


def _special(folder: Path) -> None:
    os.mkfifo(folder / "pipe.jpg")
    (folder / "zeros.png").symlink_to("/dev/zero")
    (folder / "null.jpeg").symlink_to("/dev/null")
    (folder / "folder.jpg").mkdir()
    (folder / "round.png").symlink_to(folder / "round.png")


def test_pipes_devices_and_folders_named_like_pictures_are_left_out_and_told(tmp_path: Path, put: Put) -> None:
    put(tmp_path, "happy/a.png", "happy/folder.jpg/b.png")
    (tmp_path / "sad").mkdir()
    _special(tmp_path / "sad")
    dataset = open_input(str(tmp_path))
    names = [source.source_id for source in dataset.sources]
    # a link that leads nowhere stays: it is a row with its reason
    assert names == ["happy/a.png", "happy/folder.jpg/b.png", "sad/round.png"]
    assert any("3 files are named like pictures and are pipes or devices" in warning for warning in dataset.warnings)
    for name in ("pipe.jpg", "zeros.png", "null.jpeg", "folder.jpg", "round.png"):
        with pytest.raises(PictureError) as error:
            read_picture(tmp_path / "sad" / name)
        assert error.value.reason in REASONS


@pytest.mark.parametrize(
    "name",
    [
        "labels.csv",
        "train.csv",
        "x.parquet",
        "label_map.csv",
        "fer2013new.csv",
        "metadata.jsonl",
        "training.csv",
        "data.yaml",
    ],
)
def test_a_pipe_in_the_place_of_a_table_never_hangs(tmp_path: Path, put: Put, name: str) -> None:
    from singanimation.pipeline.errors import DatasetError

    put(tmp_path, "happy/a.png")
    os.mkfifo(tmp_path / name)
    try:
        assert [source.label for source in open_input(str(tmp_path)).sources] == ["happiness"]
    except DatasetError as error:
        assert name in str(error) and "ordinary file" in str(error)


@pytest.mark.parametrize("suffix", sorted(SUFFIXES))
def test_every_ending_is_listed_whatever_its_case(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "happy").mkdir()
    for name in (f"a{suffix}", f"b{suffix.upper()}"):
        (tmp_path / "happy" / name).write_bytes(_KINDS["JPEG"])
    assert len(open_input(str(tmp_path)).sources) == 2


def test_pictures_that_are_not_read_are_counted(tmp_path: Path, put: Put) -> None:
    put(tmp_path, "happy/a.png")
    for name in ("b.heic", "c.AVIF", "d.jp2"):
        (tmp_path / "happy" / name).write_bytes(b"x")
    assert any("3 pictures are of a kind that is not read here" in text for text in open_input(str(tmp_path)).warnings)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize(
    ("ending", "grey"), [(".png", 0), (".png", 1), (".tiff", 0), (".tiff", 1), (".ppm", 0), (".pgm", 1)]
)
def test_fewer_bits_in_a_16_bit_file_are_not_black(bits: int, ending: str, grey: int) -> None:
    ramp = np.tile(np.arange(64) * 4 + 3, (40, 1))
    colours = np.dstack([ramp, ramp[:, ::-1], ramp // 2]).astype(np.uint8)
    wide = (colours.astype(np.uint32) * ((1 << bits) - 1) // 255).astype(np.uint16)
    done, data = cv2.imencode(ending, wide[:, :, 0] if grey else wide[:, :, ::-1])
    picture = read_picture(data.tobytes())
    assert done and picture.mode == ("L" if grey else "RGB")
    expected = np.repeat(colours[:, :, :1], 3, 2) if grey else colours
    assert np.abs(picture.pixels.astype(int) - expected).max() <= 1


def test_transparency_and_orientation_survive_the_narrowing() -> None:
    colours = np.full((32, 48, 4), 2000, np.uint16)
    colours[:16, :, 3], colours[16:, :, 3] = 4095, 0
    pixels = read_picture(cv2.imencode(".png", colours)[1].tobytes()).pixels
    assert np.abs(pixels[:16].astype(int) - 125).max() <= 1 and (pixels[16:] == 255).all()
    plain = cv2.imencode(".png", colours[:, :, :3])[1].tobytes()
    exif = Image.Exif()
    exif[0x0112] = 6
    head = 33  # after the signature and the header's chunk
    turned = plain[:head] + _chunk(b"eXIf", exif.tobytes()[6:]) + plain[head:]
    assert read_picture(turned).pixels.shape == (48, 32, 3)


def test_a_true_16_bit_picture_keeps_its_upper_bits() -> None:
    wide = np.array([[0, 255, 256, 65535]], np.uint16)
    assert eight_bits(wide).tolist() == [[0, 0, 1, 255]]
    assert eight_bits(np.array([[0, 255]], np.uint16)).tolist() == [[0, 255]]
    assert eight_bits(np.array([[0, 4095]], np.uint16)).tolist() == [[0, 255]]
    with pytest.raises(ValueError, match="outside 16 bits"):
        eight_bits(np.array([[-1, 5]], np.int32))


def test_names_that_are_no_utf_8_are_sources_with_readable_ids(tmp_path: Path) -> None:
    folder = tmp_path / "happy"
    folder.mkdir()
    for name in (b"a\xff.png", b"a\xfe.png", "ü.png".encode()):
        (folder / os.fsdecode(name)).write_bytes(encode_png(_BASE))
    dataset = open_input(str(tmp_path))
    assert [source.source_id for source in dataset.sources] == ["happy/a\\xfe.png", "happy/a\\xff.png", "happy/ü.png"]
    for source in dataset.sources:
        assert (
            source.path is not None and read_picture(source.path, name=source.source_path).pixels.shape == _BASE.shape
        )
        assert source.group_id.encode() and source.source_path.encode()
