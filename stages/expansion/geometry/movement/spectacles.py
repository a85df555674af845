"""Spectacles: a frame over the nose does not move with the brows, so brows move less where one is worn."""

import torch
from torch import Tensor

from singanimation.stages.expansion.geometry.movement.face_frame import FaceFrame
from singanimation.stages.expansion.geometry.movement.flow import sample_at

UNSURE, SURE = 0.13, 0.21
"""How much darker, or lighter, than above and below it a bar over the nose's bridge is, over the brightness there.

Of 208 faces that no training saw (33 with spectacles), more than 0.15 is found on 73% of the ones with spectacles and
on 7% of the others."""

HELD = 0.6
"""Share of the brows' movement that spectacles take."""

_HEIGHTS, _STEP = torch.linspace(-0.22, 0.32, 28), 3
_COLUMNS = torch.tensor([-0.05, 0.0, 0.05])
_LUMA = (0.299, 0.587, 0.114)


def worn(pictures: Tensor, frame: FaceFrame) -> Tensor:
    """Return how surely each face of ``pictures`` (B, 3, H, W) in 0..1 wears spectacles: (B,) in 0..1."""
    heights, columns = _HEIGHTS.to(pictures.device), _COLUMNS.to(pictures.device)
    grid = torch.stack([columns.expand(len(heights), -1), heights[:, None].expand(-1, len(columns))], 2)
    places = frame.origin[:, None] + frame.to_pixels(grid.flatten(0, 1)[None].expand(len(pictures), -1, -1))
    seen = sample_at(pictures, places[:, None])[:, :, 0].view(len(pictures), 3, len(heights), len(columns))
    bright = (seen * seen.new_tensor(_LUMA)[:, None, None]).sum(1).median(2).values
    above, here, below = bright[:, : -2 * _STEP], bright[:, _STEP:-_STEP], bright[:, 2 * _STEP :]
    dark = (torch.minimum(above, below) - here).amax(1)
    light = (here - torch.maximum(above, below)).amax(1)
    bar = torch.maximum(dark, 0.8 * light) / (bright.mean(1) + 0.05)
    return ((bar - UNSURE) / (SURE - UNSURE)).clamp(0, 1)
