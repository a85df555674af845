"""What an engine is: one signature for all that regenerate edits, and the options that all of them take.

``Regenerator.fit`` learns the edits of one source, ``FittedRegenerator.draw`` makes variants of one of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from singanimation.pipeline.errors import UsageError
from singanimation.stages.singan.pyramid import pyramid_sizes, start_size

DOWNSAMPLINGS = ("injection", "reconstruction")


@dataclass(frozen=True)
class EngineOptions:
    """What an engine can be told; None is the engine's own default. An engine reads those that it has a use for.

    ``iterations`` per scale; ``noise`` fixes the noise in the engine's own unit, None calibrates it per edit to
    ``diversity`` where the engine can; ``downsampling`` is ``injection`` (the down-sampled edit enters at the start
    scale) or ``reconstruction`` (the scales above the start run on the reconstruction noise); ``warm_start`` lets
    ``fast`` begin from the shipped weights. Raises UsageError for another reading of down-sampling.
    """

    iterations: int | None = None
    noise: float | None = None
    diversity: float | None = None
    downsampling: str = "injection"
    warm_start: bool = True
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.downsampling not in DOWNSAMPLINGS:
            raise UsageError(f"--downsampling: {self.downsampling!r} is unknown; use {' or '.join(DOWNSAMPLINGS)}.")


class FittedRegenerator(Protocol):
    """What an engine has learnt of some edits."""

    def draw(self, index: int, start: str, seeds: Sequence[int]) -> np.ndarray:
        """Return one variant per seed of edit ``index``: uint8 (K, H, W, 3).

        A variant depends on the edit, its fit seed and its own draw seed alone, never on how many are drawn together.
        The same seed gives the same bytes.
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
        """Learn ``edits`` uint8 (B, H, H, 3), each as if it were alone: those of a source in the order of its plan.

        ``seeds`` has one seed per edit; ``starts`` the start scales that will be drawn from. ``wanted`` are the
        indices that will be drawn (default all).
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
