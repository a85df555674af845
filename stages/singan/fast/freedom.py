"""How freely the parts of a face are redrawn: skin, brows and hair freely, the mouth half as much, the eyes little.

An iris of six pixels that is drawn anew is a smear more often than an iris, and nobody overlooks it.
"""

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

import cv2
import numpy as np
import torch

from singanimation.stages.singan.face_parts import CROP, parts_of

FREEDOM: Mapping[str, float] = MappingProxyType({"eyes": 0.2, "brows": 0.8, "mouth": 0.4, "skin": 0.8})
"""Of the noise that the detail of a place calls for, so much is drawn with there. What is no part is as free as skin.
Chosen by looking."""

BLUR = 3.0
"""Deviation in pixels of a 128 px crop by which one part passes into the next."""


@lru_cache(maxsize=32)
def freedom(size: int, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """Return the freedom 0..1 of each place of an aligned crop of ``size`` pixels: (1, 1, size, size)."""
    values = np.full((size, size), FREEDOM["skin"], np.float32)
    for part in ("brows", "mouth", "eyes"):
        values[parts_of(size)[part]] = FREEDOM[part]
    soft = cv2.GaussianBlur(values, (0, 0), BLUR * size / CROP)
    return torch.from_numpy(soft).to(device=device, dtype=dtype)[None, None]


def given_back(size: int, share: float, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """Return which share 0..1 of the lost detail each place is given back: (1, 1, size, size).

    ``share`` where redrawing is free, nearly all where it is not.
    """
    return 1 - (1 - share) * freedom(size, dtype, device).square()
