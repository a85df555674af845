"""Harmonising and editing: what was pasted is redrawn, the rest of the picture stays as it is."""

import numpy as np
from scipy.ndimage import binary_dilation, gaussian_filter

from singanimation.pipeline.errors import UsageError

GROWN = 0.03
"""How far a mask grows, as a share of the picture's longer side, before its edge is softened."""

SOFT = 0.02
"""Deviation of the softened edge, as a share of the longer side."""


def soften_mask(mask: np.ndarray, grown: float = GROWN, soft: float = SOFT) -> np.ndarray:
    """Return weights float32 (H, W) in 0..1 of a mask bool (H, W): 1 where it holds, falling to 0 around it.

    As the released code does (a disk, then a Gaussian), in shares of the longer side in place of pixels. Raises
    UsageError for a mask that holds nowhere.
    """
    if not mask.any():
        raise UsageError("--mask is black all over: paint white what was pasted or changed.")
    side = max(mask.shape)
    radius = max(round(grown * side), 1)
    rows, columns = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    disk = rows**2 + columns**2 <= radius**2
    wide = binary_dilation(mask, structure=disk).astype(np.float32)
    return np.clip(gaussian_filter(wide, soft * side, mode="nearest"), mask.astype(np.float32), 1)


def blend(picture: np.ndarray, redrawn: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return uint8 (H, W, 3): ``redrawn`` where ``weights`` (H, W) are 1, ``picture`` where they are 0."""
    share = weights[..., None].astype(np.float32)
    return np.rint(picture * (1 - share) + redrawn * share).clip(0, 255).astype(np.uint8)
