"""A path between expressions as a moving picture: GIF by Pillow, MP4 by OpenCV, at the picture's own size."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from singanimation.pipeline.errors import MachineError
from singanimation.pipeline.files.atomic import atomic_file
from singanimation.pipeline.files.signed import SIGNATURE

SECONDS = 1.5
"""How long a path takes one way; it then goes back."""


def there_and_back(frames: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return frames that run to the last and back again, so that the end meets the beginning."""
    return [*frames, *frames[-2:0:-1]]


def write_gif(path: Path, frames: Sequence[np.ndarray], seconds: float = SECONDS) -> Path:
    """Write frames uint8 (H, W, 3) as an endless GIF, there and back, and return ``path``. Raises MachineError.

    ``seconds``: how long they take one way.
    """
    images = [Image.fromarray(frame) for frame in there_and_back(frames)]
    each = max(round(1000 * seconds / max(len(frames) - 1, 1)), 20)
    with atomic_file(path) as file:
        images[0].save(file, "GIF", save_all=True, append_images=images[1:], duration=each, loop=0, comment=SIGNATURE)
    return path


def write_mp4(path: Path, frames: Sequence[np.ndarray]) -> Path:
    """Write frames uint8 (H, W, 3) as an MP4 (MPEG-4), there and back, and return ``path``.

    Odd edges grow by one repeated pixel, since the codec takes even ones only. Raises MachineError where OpenCV has no
    such encoder, or for the disk.
    """
    height, width = frames[0].shape[:2]
    size = width + width % 2, height + height % 2
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "path.mp4"
        fps = max((len(frames) - 1) / SECONDS, 1.0)
        writer = cv2.VideoWriter(str(made), cv2.VideoWriter.fourcc(*"mp4v"), fps, size)
        if not writer.isOpened():
            raise MachineError(f"{path}: this OpenCV cannot write MP4; use --gif.")
        for frame in there_and_back(frames):
            grown = np.pad(frame, ((0, size[1] - height), (0, size[0] - width), (0, 0)), mode="edge")
            writer.write(cv2.cvtColor(grown, cv2.COLOR_RGB2BGR))
        writer.release()
        data = made.read_bytes()
    with atomic_file(path) as file:
        file.write(data)
    return path
