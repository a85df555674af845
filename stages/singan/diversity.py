"""How much variants differ, measured where grain does not count, and the noise that gives what is wanted."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cache
from typing import cast

import torch
from scipy.optimize import brentq

from singanimation.stages.singan.pyramid import resize

LOW_PASS = 4
"""Variants are compared after shrinking by this factor from their full size: grain averages out."""


def diversity(variants: torch.Tensor, edit: torch.Tensor, size: int | None = None) -> float:
    """Return the pixel deviation over ``variants`` relative to the contrast of the edit.

    ``variants`` (K, 3, h, w) and ``edit`` (1, 3, H, W) in -1..1. Both are shrunk to a quarter of ``size``
    (default: the edit's); the root mean variance over the variants is divided by the deviation over the
    pixels of the edit. 0 = all alike; 1 = as different as unrelated pictures.
    """
    small = (size or edit.shape[-1]) // LOW_PASS
    spread = resize(variants, small).var(0, unbiased=True).mean().sqrt()
    contrast = resize(edit, small).std().clamp(min=1e-3)
    return float(spread / contrast)


def damage(variants: torch.Tensor, edit: torch.Tensor, cells: int = 16) -> float:
    """Return how far the worst place of the middling variant is from the edit, in deviations of the edit.

    Both (K, 3, h, w) and (1, 3, H, W) are shrunk to ``cells`` x ``cells``: an eye is one or two cells.
    """
    difference = (resize(variants, cells) - resize(edit, cells)).square().mean(1).sqrt()
    contrast = resize(edit, cells).std().clamp(min=1e-3)
    return float(difference.flatten(1).amax(1).median() / contrast)


def calibrate_gain(
    diversity_at: Callable[[float], float], wanted: float, highest: float, tolerance: float = 0.02
) -> float:
    """Return the noise gain in 0..``highest`` at which ``diversity_at`` reaches ``wanted``.

    Brent's method on a function that grows with the gain; ``highest`` where even that does not reach it.
    """

    @cache  # brentq asks for both ends once more
    def excess(gain: float) -> float:
        return diversity_at(gain) - wanted

    if excess(highest) <= 0:
        return highest
    lowest = highest * 0.02
    if excess(lowest) >= 0:
        return lowest
    return cast(float, brentq(excess, lowest, highest, xtol=tolerance * highest))


class Calibrated(ABC):
    """What a fitted engine draws with: a noise gain for each edit and start, fixed or calibrated once."""

    def __init__(self, fixed: float | None) -> None:
        self._fixed = fixed
        self._gains: dict[tuple[int, str], float] = {}

    def gain(self, index: int, start: str) -> float:
        """Return the noise gain of draws of edit ``index`` from ``start``."""
        if self._fixed is not None:
            return self._fixed
        if (index, start) not in self._gains:
            self._gains[index, start] = self._calibrated(index, start)
        return self._gains[index, start]

    @abstractmethod
    def _calibrated(self, index: int, start: str) -> float:
        """Find the gain of the wanted diversity."""
