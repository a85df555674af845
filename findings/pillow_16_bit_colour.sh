#!/bin/sh
# Pillow opens a colour PNG of 16 bits a channel as 8 bits, and keeps the upper byte of each value.
#
# One would guess: as with grey (mode "I;16"), the values survive, or something says that they do not.
# What happens: mode "RGB", no warning, and a picture that uses 12 of its 16 bits (cameras write such files) is read
#   almost black: 4095 becomes 15 of 255. The same picture in grey keeps its 4095.
# Versions: pillow 12.0.0, Python 3.11. Date: 2026-11-27.
# Exits with 1 where that has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pillow==12.0.0
"$folder/venv/bin/python" - <<'PYTHON'
import io
import struct
import sys
import warnings
import zlib

import PIL
from PIL import Image

warnings.simplefilter("error")
SIDE, VALUE = 4, 4095


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(colour, channels):
    row = b"\0" + struct.pack(f">{SIDE * channels}H", *[VALUE] * SIDE * channels)
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 16, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(row * SIDE)) + chunk(b"IEND", b"")


colour, grey = Image.open(io.BytesIO(png(2, 3))), Image.open(io.BytesIO(png(0, 1)))
seen = (colour.mode, colour.getpixel((0, 0)), grey.mode, grey.getpixel((0, 0)))
print("pillow", PIL.__version__, "reads 12 bits in 16: colour", *seen[:2], "grey", *seen[2:])
sys.exit(0 if seen == ("RGB", (15, 15, 15), "I;16", 4095) else 1)
PYTHON
