"""Small pictures for the readers' tests, made on the spot."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from singanimation.pipeline.files.pictures import encode_png

# Tests here import weights_server by it.
if str(Path(__file__).parent) not in sys.path:
    sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def put() -> Callable[..., Path]:
    """Write small pictures: ``put(folder, "train/1/a.png", ...)``; returns the folder."""

    def write(folder: Path, *names: str, size: int = 20, mode: str = "RGB") -> Path:
        for index, name in enumerate(names):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encode_png(np.full((size, size, 3), index % 256, np.uint8), mode))
        return folder

    return write
