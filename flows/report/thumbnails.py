"""The pictures of a report: small JPEGs, in the page itself where they are few, else in a folder beside it."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

EDGE = 128
"""The longer edge of a thumbnail in pixels."""

MOST_EMBEDDED = 4 * 1024 * 1024
"""Bytes of thumbnails up to which they stand in the page."""

FOLDER = "thumbnails"


def thumbnail(picture: bytes | np.ndarray) -> bytes:
    """Return PNG bytes or uint8 pixels (H, W) or (H, W, 3) as a small JPEG."""
    image = Image.open(io.BytesIO(picture)) if isinstance(picture, bytes) else Image.fromarray(picture)
    if image.mode not in ("L", "RGB"):
        image = image.convert("RGB")
    image.thumbnail((EDGE, EDGE), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=85)
    return out.getvalue()


def data_uri(jpeg: bytes) -> str:
    """Return a thumbnail as an address that holds it."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


def decoded(picture: bytes | None) -> np.ndarray:
    """Return PNG bytes as uint8 (H, W, 3); an empty picture where there are none."""
    if picture is None:
        return np.zeros((0, 0, 3), np.uint8)
    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))


def place_thumbnails(thumbnails: Sequence[bytes | None], folder: Path) -> list[str | None]:
    """Return an address for each thumbnail: a data URI, or where they are many a file below ``folder``.

    Raises MachineError for the disk.
    """
    if sum(len(data) for data in thumbnails if data) <= MOST_EMBEDDED:
        return [data_uri(data) if data else None for data in thumbnails]
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    places: list[str | None] = []
    for index, data in enumerate(thumbnails):
        if not data:
            places.append(None)
            continue
        name = f"{FOLDER}/{index:06d}.jpg"
        (folder / name).write_bytes(data)
        places.append(name)
    return places
