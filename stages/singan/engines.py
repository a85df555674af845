"""One signature for all engines that regenerate edits.

``Regenerator.fit`` learns the edits of one source, ``FittedRegenerator.draw`` makes variants of one of them.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np
import torch

from singanimation.pipeline.errors import UsageError
from singanimation.stages.singan.pyramid import pyramid_sizes, start_size

DOWNSAMPLINGS = ("injection", "reconstruction")


class FittedRegenerator(Protocol):
    """What an engine has learnt of some edits."""

    def draw(self, index: int, start: str, seeds: Sequence[int]) -> np.ndarray:
        """Return one variant per seed of edit ``index``: uint8 (K, H, W, 3).

        A variant depends on the edit, its fit seed and its own draw seed alone (with a warm start also on the
        first edit and its seed), never on how many are drawn together. The same seed gives the same bytes.
        """
        ...


class Regenerator(Protocol):
    """An engine: learns edits, then draws variants of them. ``is_gan`` tells whether it trains a GAN."""

    name: str
    is_gan: bool

    def fit(
        self,
        edits: np.ndarray,
        seeds: Sequence[int],
        starts: Sequence[str],
        wanted: Sequence[int] | None = None,
    ) -> FittedRegenerator:
        """Learn ``edits`` uint8 (B, H, H, 3), the edits of ONE source in the order of its plan.

        ``seeds`` has one seed per edit; ``starts`` the start scales that will be drawn from. ``wanted`` are the
        indices that will be drawn (default all). Engines that start warm always learn edit 0 first, from
        which the others go on: hand in the same edit 0 whenever more of a source is drawn later.
        Raises UsageError for pictures that are not square, too small, or not uint8, and for unknown starts.
        """
        ...


def check_edits(edits: np.ndarray, seeds: Sequence[int], starts: Sequence[str]) -> int:
    """Return the edits' size in pixels; raise UsageError saying what cannot be regenerated and why."""
    if edits.ndim != 4 or edits.dtype != np.uint8 or edits.shape[3] != 3 or edits.shape[1] != edits.shape[2]:
        raise UsageError(f"Regeneration needs square uint8 edits (B, H, H, 3), got {edits.dtype} {edits.shape}.")
    if len(edits) == 0 or len(seeds) != len(edits):
        raise UsageError(f"Regeneration needs one seed per edit, got {len(seeds)} for {len(edits)} edits.")
    size = int(edits.shape[1])
    pyramid_sizes(size)
    for start in starts:
        start_size(start, size)
    return size


def to_tensor(pictures: np.ndarray, device: str) -> torch.Tensor:
    """Return uint8 (B, H, W, 3) as float32 (B, 3, H, W) in -1..1."""
    return torch.from_numpy(np.ascontiguousarray(pictures)).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1


def to_pictures(tensor: torch.Tensor) -> np.ndarray:
    """Return (K, 3, H, W) in -1..1 (cut off outside) as uint8 (K, H, W, 3)."""
    pixels = ((tensor.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return np.ascontiguousarray(pixels.permute(0, 2, 3, 1).cpu().numpy())


def _fast(**options: object) -> Regenerator:
    from singanimation.stages.singan.fast.engine import FastRegenerator

    return FastRegenerator(**options)  # type: ignore[arg-type]


def _patch(**options: object) -> Regenerator:
    from singanimation.stages.singan.patch import PatchRegenerator

    return PatchRegenerator(**options)  # type: ignore[arg-type]


def _reference(**options: object) -> Regenerator:
    from singanimation.stages.singan.reference.engine import ReferenceRegenerator

    return ReferenceRegenerator(**options)  # type: ignore[arg-type]


ENGINES: Mapping[str, Callable[..., Regenerator]] = {"fast": _fast, "reference": _reference, "patch": _patch}
"""Engine name -> what makes it; all take the options of ``make_regenerator``."""


def make_regenerator(
    engine: str,
    *,
    iterations: int | None = None,
    noise: float | None = None,
    downsampling: str = "injection",
    device: str = "cpu",
    diversity: float | None = None,
    warm_start: bool = True,
) -> Regenerator:
    """Return the engine called ``fast``, ``reference`` or ``patch``.

    ``iterations`` per scale (default: the engine's); ``noise`` fixes the noise in the engine's own unit,
    None calibrates it per edit to ``diversity`` (default: the engine's) where the engine can; ``downsampling``
    is ``injection`` (the down-sampled edit enters at the start scale) or ``reconstruction`` (the scales above
    the start run on the reconstruction noise); ``warm_start`` lets later edits of a source go on from the
    weights of the first. Raises UsageError for an unknown engine or reading of down-sampling.
    """
    if engine not in ENGINES:
        raise UsageError(f"--engine: {engine!r} is no engine; use one of {', '.join(ENGINES)}.")
    if downsampling not in DOWNSAMPLINGS:
        raise UsageError(f"--downsampling: {downsampling!r} is unknown; use {' or '.join(DOWNSAMPLINGS)}.")
    return ENGINES[engine](
        iterations=iterations,
        noise=noise,
        downsampling=downsampling,
        device=device,
        diversity=diversity,
        warm_start=warm_start,
    )
