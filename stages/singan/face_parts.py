"""Where the parts of a face lie in an aligned crop."""

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

import numpy as np

CROP = 128

WINDOWS: Mapping[str, tuple[int, int, int, int]] = MappingProxyType(
    {
        "the eye on the left": (36, 28, 20, 30),
        "the eye on the right": (36, 70, 20, 30),
        "the brow on the left": (24, 24, 18, 36),
        "the brow on the right": (24, 68, 18, 36),
        "the mouth": (76, 36, 32, 56),
    }
)
"""Top, left, height and width in a 128 px crop, whose eye centres are at (42.2, 45.1) and (85.8, 45.1)."""

FACE = (66.0, 64.0, 56.0, 44.0)
"""Centre (row, column) and half axes of the oval that is face, without hair and background."""


@lru_cache(maxsize=8)
def parts_of(size: int) -> Mapping[str, np.ndarray]:
    """Return the masks bool (size, size) of eyes, brows, mouth, and skin (the rest of the face's oval)."""
    rows, columns = (np.mgrid[:size, :size] + 0.5) * (CROP / size)
    named = {
        part: np.any([_inside(window, rows, columns) for name, window in WINDOWS.items() if word in name], axis=0)
        for part, word in (("eyes", "eye"), ("brows", "brow"), ("mouth", "mouth"))
    }
    named["brows"] = named["brows"] & ~named["eyes"]
    down, right, half_height, half_width = FACE
    oval = ((rows - down) / half_height) ** 2 + ((columns - right) / half_width) ** 2 < 1
    return MappingProxyType(named | {"skin": oval & ~np.any(list(named.values()), axis=0)})


def _inside(window: tuple[int, int, int, int], rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    top, left, height, width = window
    return (rows >= top) & (rows < top + height) & (columns >= left) & (columns < left + width)
