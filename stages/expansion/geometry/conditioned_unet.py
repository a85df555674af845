"""A U-Net that works at half resolution, conditioned by FiLM, with a finish at full resolution."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from singanimation.pipeline.expressions import AU_NAMES
from singanimation.pipeline.face.framing import CROP_SIZE

MAPS = 6
"""Channels out: colour (3), attention (1), flow (2)."""


class FilmBlock(nn.Module):
    """A residual block whose middle is scaled and shifted by the embedded AU change."""

    def __init__(self, width: int, embedding: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, 1, 1)
        self.second = nn.Conv2d(width, width, 3, 1, 1)
        self.film = nn.Linear(embedding, 2 * width)
        nn.init.zeros_(self.film.weight)
        nn.init.zeros_(self.film.bias)
        with torch.no_grad():
            self.second.weight.mul_(0.3)

    def forward(self, hidden: Tensor, condition: Tensor) -> Tensor:
        """Return (B, C, H, W) from (B, C, H, W) and the embedded change (B, E)."""
        gain, shift = self.film(condition)[:, :, None, None].chunk(2, 1)
        middle = self.first(F.relu(hidden)) * (1 + gain) + shift
        return hidden + self.second(F.relu(middle))


class ConditionedUNet(nn.Module):
    """Maps at 128 px from maps at 128 px and an AU change; before any training its answer is 0 everywhere.

    ``inputs`` channels in, ``MAPS`` out; ``widths`` are the channels at 64, 32 and 16 pixels; ``position`` is a
    learned code at 16 x 16, which an aligned crop makes meaningful. ``fine_blocks`` work at 64 pixels. ``finish`` are
    the channels of the convolutions at full resolution, where an eyelid's edge is one pixel wide: each head writes four
    neighbouring pixels unaware of the next four. ``height``: rows of its pictures, where they are a band of a crop.
    """

    def __init__(
        self,
        inputs: int,
        widths: Sequence[int] = (64, 96, 128),
        blocks: int = 6,
        fine_blocks: int = 2,
        finish: int = 32,
        embedding: int = 96,
        units: int = len(AU_NAMES),
        height: int = CROP_SIZE,
    ) -> None:
        super().__init__()
        fine, middle, coarse = widths
        self.embed = nn.Sequential(nn.Linear(units, embedding), nn.ReLU(), nn.Linear(embedding, embedding), nn.ReLU())
        self.stem = nn.Conv2d(4 * inputs, fine, 3, 1, 1)
        self.down1 = nn.Conv2d(fine, middle, 4, 2, 1)
        self.down2 = nn.Conv2d(middle, coarse, 4, 2, 1)
        self.position = nn.Parameter(torch.zeros(1, coarse, height // 8, CROP_SIZE // 8))
        self.condition = nn.Linear(embedding, coarse)
        self.residuals = nn.ModuleList(FilmBlock(coarse, embedding) for _ in range(blocks))
        self.up1 = nn.Conv2d(coarse + middle, middle, 3, 1, 1)
        self.film1 = FilmBlock(middle, embedding)
        self.up2 = nn.Conv2d(middle + fine, fine, 3, 1, 1)
        self.film2 = nn.ModuleList(FilmBlock(fine, embedding) for _ in range(fine_blocks))
        # colour and attention at full resolution, four pixels a head; flow at half
        self.heads = nn.Conv2d(fine, 4 * (MAPS - 2) + 2, 3, 1, 1)
        last = nn.Conv2d(finish, MAPS, 3, 1, 1)
        middle_finish = nn.Conv2d(finish, finish, 3, 1, 1)
        first = nn.Conv2d(fine // 4 + MAPS + inputs, finish, 3, 1, 1)
        self.finish = nn.Sequential(first, nn.ReLU(), middle_finish, nn.ReLU(), last)
        for convolution in (self.heads, last):
            nn.init.zeros_(convolution.weight)
            if convolution.bias is not None:
                nn.init.zeros_(convolution.bias)

    def forward(self, seen: Tensor, change: Tensor) -> Tensor:
        """Return (B, 6, 128, 128), unbounded: colour, attention, flow; from (B, inputs, 128, 128) and (B, 17)."""
        condition = self.embed(change)
        fine = self.stem(F.pixel_unshuffle(seen, 2).contiguous(memory_format=torch.channels_last))
        middle = self.down1(F.relu(fine))
        hidden = self.down2(F.relu(middle)) + self.position + self.condition(condition)[:, :, None, None]
        for block in self.residuals:
            hidden = block(hidden, condition)
        hidden = self.film1(_join(self.up1, hidden, middle), condition)
        hidden = _join(self.up2, hidden, fine)
        for block in self.film2:
            hidden = block(hidden, condition)
        hidden = F.relu(hidden)
        heads = self.heads(hidden).float()
        flow = F.interpolate(heads[:, -2:], scale_factor=2.0, mode="bilinear")
        maps = torch.cat([F.pixel_shuffle(heads[:, :-2], 2), flow], 1)
        everything = torch.cat([F.pixel_shuffle(hidden, 2), maps, seen], 1)
        return maps + self.finish(everything.contiguous(memory_format=torch.channels_last)).float()


def _join(convolution: nn.Conv2d, coarse: Tensor, skip: Tensor) -> Tensor:
    return convolution(torch.cat([F.interpolate(F.relu(coarse), scale_factor=2.0), F.relu(skip)], 1))
