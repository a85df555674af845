"""Generators and critics of the fast engine: SinGAN's five convolutions on folded pictures.

A picture (3, H, H) is folded to (12, H/2, H/2), each 2x2 square a pixel of twelve channels (Shi et al., "Real-Time
Single Image and Video Super-Resolution Using an Efficient Sub-Pixel CNN", CVPR 2016): a quarter of the work, and each
place sees 22 pixels instead of 11, half an eye. Several edits are one network with groups, as in ``singan.networks``.
"""

import torch
import torch.nn.functional as F
from torch import nn

from singanimation.stages.singan.networks import COLOURS, MARGIN

GRAINS = (1, 3, 7)
"""Noise enters in one channel for each of these: white, and smoothed over so many folded pixels, so that a place can
be drawn anew as a whole and not grain by grain. All have deviation 1."""

NOISE = len(GRAINS)
"""Channels of noise that a generator is fed beside what it sees."""


def layered(unit: torch.Tensor) -> torch.Tensor:
    """Return white noise (S, B*NOISE, h, w) smoothed channel by channel over ``GRAINS``."""
    channels = unit.unflatten(1, (-1, NOISE))
    smoothed = [
        channels[:, :, number] if side == 1 else side * F.avg_pool2d(channels[:, :, number], side, 1, side // 2)
        for number, side in enumerate(GRAINS)
    ]
    return torch.stack(smoothed, 2).flatten(1, 2)


class FoldedGenerator(nn.Module):
    """Redraws the detail of the up-sampled picture of the scale before, from noise and the place.

    The first convolution is three: of what is seen, of the noise, of the position code, whose part is the same for
    all variants (``placed``).
    """

    def __init__(self, edits: int, kernels: int, fold: int, codes: int) -> None:
        """Prepare for ``edits`` pictures folded ``fold`` times; ``codes`` channels of a position code, 0 for none."""
        super().__init__()
        self.edits, self.kernels, self.fold, self.codes = edits, kernels, fold, codes
        colours = COLOURS * fold * fold
        self.seen = nn.Conv2d(edits * colours, edits * kernels, 3, groups=edits)
        self.noise = nn.Conv2d(edits * NOISE, edits * kernels, 3, groups=edits, bias=False)
        self.place = nn.Conv2d(edits * codes, edits * kernels, 3, groups=edits, bias=False) if codes else None
        self.layers = _layers(edits, kernels, colours)

    def placed(self, code: torch.Tensor | None) -> torch.Tensor | None:
        """Return what the position code (1, B*P, h+10, h+10) adds to the first layer."""
        return None if self.place is None or code is None else self.place(code)

    def forward(self, previous: torch.Tensor, noise: torch.Tensor, placed: torch.Tensor | None) -> torch.Tensor:
        """Map ``previous`` (S, B*3, H+10f, W+10f) and ``noise`` (S, B*NOISE, h+10, w+10), both padded, h = H / f.

        Returns (S, B*3, H, W): ``previous`` plus a residual in -1..1.
        """
        hidden = self.seen(F.pixel_unshuffle(previous, self.fold)) + self.noise(noise)
        if placed is not None:
            hidden = hidden + placed
        residual = F.pixel_shuffle(torch.tanh(self.layers(hidden)), self.fold)
        margin = MARGIN * self.fold
        return residual + previous[..., margin:-margin, margin:-margin]


class FoldedCritic(nn.Module):
    """Scores every patch of 11x11 folded pixels, knowing its place: an eye has to be one, not any texture."""

    def __init__(self, edits: int, kernels: int, fold: int, codes: int) -> None:
        """Prepare for ``edits`` pictures folded ``fold`` times; ``codes`` as the generator's."""
        super().__init__()
        self.fold = fold
        self.seen = nn.Conv2d(edits * COLOURS * fold * fold, edits * kernels, 3, groups=edits)
        self.place = nn.Conv2d(edits * codes, edits * kernels, 3, groups=edits, bias=False) if codes else None
        self.layers = _layers(edits, kernels, 1)

    def forward(self, pictures: torch.Tensor, code: torch.Tensor | None) -> torch.Tensor:
        """Map (S, B*3, H, W) and the position code (1, B*P, H/f, W/f) to scores (S, B, H/f-10, W/f-10)."""
        hidden = self.seen(F.pixel_unshuffle(pictures, self.fold))
        if self.place is not None and code is not None:
            hidden = hidden + self.place(code)
        return self.layers(hidden)


def _layers(edits: int, kernels: int, channels_out: int) -> nn.Sequential:
    """Return the four convolutions that follow the first."""
    layers: list[nn.Module] = []
    for channels in (kernels, kernels, kernels, channels_out):
        layers += [nn.LeakyReLU(0.2), nn.Conv2d(edits * kernels, edits * channels, 3, groups=edits)]
    return nn.Sequential(*layers)
