"""Paintings and composites to feed into the SinGANs of ``singan_uses.py``."""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

ENLARGED = 4
"""How much larger than the picture a painting is drawn."""

Draw = Callable[[ImageDraw.ImageDraw, int, int], None]
"""Draws on a canvas of a width and a height."""


def painting_of_rocket(draw: ImageDraw.ImageDraw, width: int, height: int) -> None:
    """A night sky in three bands, another launch pad, and the rocket further left and shorter."""
    bands = ((30, 50, 90), (40, 62, 100), (70, 85, 110))
    for index, colour in enumerate(bands):
        draw.rectangle((0, height * index // 3, width, height * (index + 1) // 3), fill=colour)
    for left in (0.08, 0.62, 0.9):
        draw.line((left * width, 0.1 * height, left * width, height), fill=(25, 25, 28), width=width // 45)
    draw.rectangle((0.3 * width, 0.45 * height, 0.345 * width, 0.95 * height), fill=(215, 205, 190))
    draw.rectangle((0, 0.93 * height, width, height), fill=(60, 50, 45))
    for centre in (0.2, 0.42, 0.55, 0.75):
        at = centre * width, 0.9 * height
        draw.ellipse((at[0] - 6, at[1] - 6, at[0] + 6, at[1] + 6), fill=(255, 210, 120))


def painting_of_face(draw: ImageDraw.ImageDraw, width: int, height: int) -> None:
    """A face of ellipses: hair, skin, eyes, brows, nose and mouth."""

    def ellipse(x0: float, y0: float, x1: float, y1: float, colour: tuple[int, int, int]) -> None:
        draw.ellipse((x0 * width, y0 * height, x1 * width, y1 * height), fill=colour)

    draw.rectangle((0, 0, width, height), fill=(196, 190, 190))
    ellipse(0.2, 0.06, 0.84, 0.7, (128, 92, 58))
    ellipse(0.28, 0.24, 0.76, 0.9, (222, 170, 146))
    for left in (0.36, 0.56):
        draw.rectangle((left * width, 0.43 * height, (left + 0.12) * width, 0.45 * height), fill=(110, 75, 55))
        ellipse(left, 0.48, left + 0.11, 0.54, (245, 240, 235))
        ellipse(left + 0.03, 0.48, left + 0.08, 0.54, (60, 45, 40))
    ellipse(0.48, 0.56, 0.56, 0.66, (200, 140, 120))
    ellipse(0.4, 0.7, 0.64, 0.8, (190, 70, 70))


def painted(picture: np.ndarray, how: Draw) -> np.ndarray:
    """Return a painting, uint8 (H, W, 3), of the aspect of ``picture``."""
    height, width = (ENLARGED * side for side in picture.shape[:2])
    image = Image.new("RGB", (width, height))
    how(ImageDraw.Draw(image), width, height)
    return np.array(image)


def moved(
    picture: np.ndarray, box: tuple[float, float, float, float], by: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Copy a part of a picture beside itself: the composite, and the mask bool (H, W) of where it lies.

    ``box``: left, top, right, bottom and ``by``: right, down, as shares of the picture.
    """
    height, width = picture.shape[:2]
    x0, y0, x1, y1 = (round(share * side) for share, side in zip(box, (width, height) * 2, strict=True))
    right, down = round(by[0] * width), round(by[1] * height)
    made, mask = picture.copy(), np.zeros((height, width), bool)
    made[y0 + down : y1 + down, x0 + right : x1 + right] = picture[y0:y1, x0:x1]
    mask[y0 + down : y1 + down, x0 + right : x1 + right] = True
    return made, mask


def pasted(picture: np.ndarray, how: Draw, colour: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Paste a flat shape of one colour; return the composite and its mask bool (H, W)."""
    height, width = picture.shape[:2]
    shape = Image.new("L", (width * ENLARGED, height * ENLARGED))
    how(ImageDraw.Draw(shape), *shape.size)
    cover = np.asarray(shape.resize((width, height), Image.Resampling.BOX), np.float32)[..., None] / 255
    made = np.rint(picture * (1 - cover) + np.array(colour) * cover).astype(np.uint8)
    return made, cover[..., 0] > 0.5


def moon(draw: ImageDraw.ImageDraw, width: int, height: int) -> None:
    """A disk in the sky."""
    draw.ellipse((0.3 * width, 0.12 * height, 0.3 * width + 0.28 * height, 0.4 * height), fill=255)


def spectacles(draw: ImageDraw.ImageDraw, width: int, height: int) -> None:
    """Two rings and a bridge at the astronaut's eyes."""
    thick = max(width // 36, 2)
    for left in (0.33, 0.55):
        draw.ellipse((left * width, 0.42 * height, (left + 0.17) * width, 0.58 * height), outline=255, width=thick)
    draw.line((0.5 * width, 0.48 * height, 0.55 * width, 0.48 * height), fill=255, width=thick)
