"""The pyramid of a per-image SinGAN: sizes, start scales, and resizing as cached matrix products."""

import math
from functools import lru_cache

import torch
import torch.nn.functional as F

from singanimation.pipeline.errors import UsageError

COARSEST = 25
"""Pixels of scale N (Shaham et al., "SinGAN", ICCV 2019; the released code's ``min_size``)."""

FACTOR = 0.75
"""The wanted ratio of neighbouring scales; the true one is bent a little so that the sizes meet both ends."""

SMALLEST = 32
"""The smallest picture that still has a scale N-2 below or at its own size."""


@lru_cache(maxsize=64)
def pyramid_sizes(size: int) -> tuple[int, ...]:
    """Return the reference pyramid's sizes in pixels, coarsest first: 128 -> 25 32 40 51 64 81 102 128.

    As in the released code: ``stop = ceil(log(25 / n) / log 0.75) + 1`` scales above the coarsest, with the
    ratio ``(25 / n) ** (1 / stop)``, in double precision, whose last bit makes the coarsest 26 at some sizes (32, 160).
    (Pictures above 250 pixels, which that code shrinks first, keep their size here.) Raises UsageError below 32 pixels.
    """
    if size < SMALLEST:
        raise UsageError(f"--singan-size: SinGAN needs pictures of at least {SMALLEST} pixels, got {size}.")
    return tuple(height for height, _ in pyramid_shapes(size, size))


def pyramid_shapes(height: int, width: int) -> tuple[tuple[int, int], ...]:
    """Return the sizes (h, w) of a picture of any aspect, coarsest first: the shorter side begins at 25 pixels.

    For a square those of ``pyramid_sizes``. The shorter side has to have more than 25 pixels.
    """
    shorter = min(height, width)
    finest = math.ceil(math.log(COARSEST / shorter) / math.log(FACTOR)) + 1
    ratio = math.pow(COARSEST / shorter, 1 / finest)
    shares = [math.pow(ratio, finest - scale) for scale in range(finest + 1)]
    return tuple((math.ceil(height * share), math.ceil(width * share)) for share in shares)


def start_index(start: str) -> int:
    """Return how many scales finer than the coarsest ``start`` lies: N -> 0, N-1 -> 1. Raises UsageError."""
    head, _, steps = start.partition("-")
    if head == "N" and (start == "N" or (steps.isdecimal() and len(steps) < 4)):
        return int(steps or 0)
    raise UsageError(f"--start-scale: {start!r} is no scale; use N-1 or N-2 (or N, to see why not).")


def start_size(start: str, size: int = 128) -> int:
    """Return the pixels of scale ``start`` in the reference pyramid of ``size``: 128 px: N=25, N-1=32, N-2=40.

    Raises UsageError for a start that this pyramid does not have.
    """
    sizes = pyramid_sizes(size)
    index = start_index(start)
    if index >= len(sizes):
        raise UsageError(f"--start-scale: {start} is finer than a {size} px pyramid of {len(sizes)} scales goes.")
    return sizes[index]


@lru_cache(maxsize=256)
def _resize_matrix(size_in: int, size_out: int, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """Return the (size_out, size_in) matrix that resizes one axis: what resizing the unit vectors gives."""
    unit = torch.eye(size_in, dtype=torch.float64)[None, None]
    matrix = F.interpolate(unit, size=(size_out, size_in), mode="bicubic", antialias=True, align_corners=False)
    return matrix[0, 0].to(device=device, dtype=dtype)


def resize(pictures: torch.Tensor, size: int | tuple[int, int]) -> torch.Tensor:
    """Resize float (..., H, W) in -1..1 to ``size`` (h, w), or a square, bicubic, anti-aliased when shrinking.

    Two matrix products: the same numbers as ``F.interpolate``, cheaper for the small pictures here, and
    differentiable. The overshoot of the bicubic kernel is cut off at -1 and 1.
    """
    height, width = pictures.shape[-2:]
    wanted = (size, size) if isinstance(size, int) else size
    if (height, width) == wanted:
        return pictures
    rows = _resize_matrix(height, wanted[0], pictures.dtype, pictures.device)
    columns = _resize_matrix(width, wanted[1], pictures.dtype, pictures.device)
    return (rows @ pictures @ columns.T).clamp(-1, 1)
