"""Where in the picture a generator is looking.

A per-image GAN of small convolutions sees a few pixels around each place and must guess from them whether it paints an
eye or a brow; it learns a sense of place from zero padding alone (Xu et al., "Positional Encoding as Spatial Inductive
Bias in GANs", CVPR 2021, who give SinGAN sines and cosines of the position, as here).
"""

from functools import lru_cache

import torch

from singanimation.stages.singan.networks import MARGIN

CYCLES = (1, 2, 4, 8)
"""Periods over the picture's side. Without 4 and 8 half the gain was lost; 16 gained nothing more."""

CODES = 4 * len(CYCLES)
"""Channels of a code: a sine and a cosine of row and of column for each of ``CYCLES``."""


@lru_cache(maxsize=64)
def position_code(size: int, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """Return the code of a padded picture of ``size`` (folded) pixels: (P, size+10, size+10) in -1..1."""
    places = (torch.arange(size + 2 * MARGIN, dtype=torch.float64) - MARGIN + 0.5) / size
    rows, columns = torch.meshgrid(places, places, indexing="ij")
    angles = [2 * torch.pi * cycle * axis for cycle in CYCLES for axis in (rows, columns)]
    waves = [wave for angle in angles for wave in (angle.sin(), angle.cos())]
    return torch.stack(waves).to(device=device, dtype=dtype)
