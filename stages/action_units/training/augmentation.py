"""What training does to a picture before a network sees it: jitter of the frame, colour and quality.

All randomness comes from the numpy Generator that is handed in.
"""

from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np


@dataclass(frozen=True)
class FrameJitter:
    """How far a frame may be off: standard deviations (``uniform=False``) or bounds (``uniform=True``)."""

    rotation: float
    """degrees"""
    scale: float
    """share; 0.05 is 5%"""
    shift: float
    """share of the crop's edge"""
    uniform: bool = False


MILD = FrameJitter(rotation=4.5, scale=0.05, shift=0.02)
"""For the AU network: faces are re-aligned before it sees them."""

STRONG = FrameJitter(rotation=38, scale=0.4, shift=0.27, uniform=True)
"""For the aligner: a detector's box, or a whole picture."""


def jittered_frame(
    rng: np.random.Generator, jitter: FrameJitter, centre: tuple[float, float], size: int, zoom: float, mirror: bool
) -> np.ndarray:
    """Draw a transform (2, 3) that shows ``centre`` of a picture near the middle of a crop of ``size`` px.

    ``zoom`` is the scale without jitter; ``mirror`` turns the picture's left into its right.
    """
    draw = rng.uniform(-1, 1, 4) if jitter.uniform else np.clip(rng.standard_normal(4), -2.5, 2.5)
    angle = np.radians(jitter.rotation) * draw[0]
    scale = zoom * np.exp(jitter.scale * draw[1])
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if mirror:
        linear = linear @ np.diag([-1.0, 1.0])
    offset = size * (0.5 + jitter.shift * draw[2:]) - linear @ np.asarray(centre)
    return np.concatenate([linear, offset[:, None]], 1)


def _tone_curves(rng: np.random.Generator) -> np.ndarray:
    """Return a lookup table uint8 (256, 3): gamma, contrast, brightness, colour cast."""
    values = np.arange(256) / 255
    curve = values ** np.exp(rng.normal(0, 0.25))
    curve = 0.5 + (curve - 0.5) * np.exp(rng.normal(0, 0.2)) + rng.normal(0, 0.07)
    cast = np.exp(rng.normal(0, 0.06, 3))
    return np.clip(curve[:, None] * cast * 255, 0, 255).astype(np.uint8)


def _lower_resolution(rng: np.random.Generator, picture: np.ndarray, smallest: float) -> np.ndarray:
    size = picture.shape[0]
    small = max(8, int(size * rng.uniform(smallest, 0.9)))
    shrunk = cv2.resize(picture, (small, small), interpolation=cv2.INTER_AREA)
    return cv2.resize(shrunk, (size, size), interpolation=cv2.INTER_LINEAR if rng.random() < 0.5 else cv2.INTER_CUBIC)


def degrade(rng: np.random.Generator, picture: np.ndarray, smallest: float = 0.38) -> np.ndarray:
    """Return the picture uint8 (S, S, 3) as another camera might have shown it.

    Tones and colours change always; lower resolution (down to ``smallest`` of its own: 0.38 of 128 px is 48),
    JPEG, grey, noise and a covered patch now and then.
    """
    picture = cv2.LUT(picture, _tone_curves(rng)[None])
    chance = rng.random(5)
    if chance[0] < 0.3:
        picture = _lower_resolution(rng, picture, smallest)
    if chance[1] < 0.12:
        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        picture = np.repeat(grey[:, :, None], 3, 2)
    if chance[2] < 0.25:
        noise = rng.standard_normal(picture.shape, np.float32) * rng.uniform(1, 9)
        picture = np.clip(picture + noise, 0, 255).astype(np.uint8)
    if chance[3] < 0.2:
        quality = int(rng.integers(35, 95))
        _, stored = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
        picture = cast(np.ndarray, cv2.imdecode(stored, cv2.IMREAD_COLOR))  # None only for what is no picture
    if chance[4] < 0.08:
        edge = picture.shape[0]
        height, width = rng.integers(edge // 10, edge // 4, 2)
        top, left = rng.integers(0, edge - height), rng.integers(0, edge - width)
        picture = picture.copy()
        picture[top : top + height, left : left + width] = rng.integers(0, 256, 3)
    return picture
