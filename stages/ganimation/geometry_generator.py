"""The generator that ships: GANimation's attention and colour, plus a flow that moves the skin there is.

Departures from the paper, each for a reason: the condition is the *change* of the AUs (Ling et al., "Toward
Fine-grained Facial Expression Manipulation", ECCV 2020); it enters by FiLM (InstanceNorm cancels a constant
plane except at the borders); a flow head moves existing pixels, so that C only paints what was hidden
(teeth, mouth cavity, lids, wrinkles); and no change gives back the very same picture, by construction.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from singanimation.pipeline.expressions import AU_NAMES
from singanimation.pipeline.framing import CROP_SIZE
from singanimation.stages.ganimation.losses import fine_detail
from singanimation.stages.ganimation.networks import GeneratorOutput, compose

FLOW_RANGE = 8.0
"""Pixels of flow for a head output of 1."""

FULL_GATE = 0.05
"""The largest AU change below which an edit fades out linearly, to nothing at a change of 0."""

DETAIL_GAIN = 4.0
"""Fine detail enters the critic so many times enlarged."""


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


class GeometryGenerator(nn.Module):
    """A U-Net at half resolution and a finish at full: picture and AU change in; attention, colour and flow out.

    ``widths`` are the channels at 64, 32 and 16 pixels; ``position`` is a learned code at 16 x 16, which an
    aligned crop makes meaningful. ``fine_blocks`` work at 64 pixels; ``finish`` are the channels of the convolutions at
    full resolution that correct A, C and the flow, where an eyelid's edge is one pixel wide: each head writes four
    neighbouring pixels unaware of the next four. 0 leaves them out, as in files of earlier versions.
    """

    relative = True

    def __init__(
        self,
        widths: tuple[int, int, int] = (48, 96, 128),
        blocks: int = 6,
        embedding: int = 96,
        units: int = len(AU_NAMES),
        fine_blocks: int = 1,
        finish: int = 0,
    ) -> None:
        super().__init__()
        fine, middle, coarse = widths
        self.embed = nn.Sequential(nn.Linear(units, embedding), nn.ReLU(), nn.Linear(embedding, embedding), nn.ReLU())
        self.stem = nn.Conv2d(12, fine, 3, 1, 1)
        self.down1 = nn.Conv2d(fine, middle, 4, 2, 1)
        self.down2 = nn.Conv2d(middle, coarse, 4, 2, 1)
        self.position = nn.Parameter(torch.zeros(1, coarse, CROP_SIZE // 8, CROP_SIZE // 8))
        self.condition = nn.Linear(embedding, coarse)
        self.residuals = nn.ModuleList(FilmBlock(coarse, embedding) for _ in range(blocks))
        self.up1 = nn.Conv2d(coarse + middle, middle, 3, 1, 1)
        self.film1 = FilmBlock(middle, embedding)
        self.up2 = nn.Conv2d(middle + fine, fine, 3, 1, 1)
        self.film2 = FilmBlock(fine, embedding)
        self.more = nn.ModuleList(FilmBlock(fine, embedding) for _ in range(fine_blocks - 1))
        self.heads = nn.Conv2d(fine, 18, 3, 1, 1)
        with torch.no_grad():
            self.heads.weight.mul_(0.1)
            self.heads.bias.zero_()
            # open enough to learn from the start: sigmoid(2) keeps 88% of the input
            self.heads.bias[12:16] = 2.0
        self.finish = _finish(fine // 4 + 9, finish) if finish else None

    def forward(self, picture: Tensor, change: Tensor) -> GeneratorOutput:
        """Edit ``picture`` (B, 3, 128, 128) in -1..1 by ``change`` (B, 17) = target - source AUs, -1..1."""
        condition = self.embed(change)
        fine = self.stem(F.pixel_unshuffle(picture, 2).contiguous(memory_format=torch.channels_last))
        middle = self.down1(F.relu(fine))
        hidden = self.down2(F.relu(middle)) + self.position + self.condition(condition)[:, :, None, None]
        for block in self.residuals:
            hidden = block(hidden, condition)
        hidden = self.film1(self._join(self.up1, hidden, middle), condition)
        hidden = self.film2(self._join(self.up2, hidden, fine), condition)
        for block in self.more:
            hidden = block(hidden, condition)
        hidden = F.relu(hidden)
        heads = self.heads(hidden).float()
        flow = F.interpolate(heads[:, 16:18], scale_factor=2.0, mode="bilinear")
        maps = torch.cat([F.pixel_shuffle(heads[:, :16], 2), flow], 1)
        if self.finish is not None:
            seen = torch.cat([F.pixel_shuffle(hidden, 2), maps, picture], 1)
            maps = maps + self.finish(seen.contiguous(memory_format=torch.channels_last)).float()
        gate = (change.abs().amax(1) / FULL_GATE).clamp(max=1)[:, None, None, None].float()
        colour = torch.tanh(maps[:, :3])
        attention = 1 - gate * (1 - torch.sigmoid(maps[:, 3:4]))
        flow = gate * maps[:, 4:] * FLOW_RANGE
        return GeneratorOutput(compose(warp(picture.float(), flow), attention, colour), attention, colour, flow)

    @staticmethod
    def _join(convolution: nn.Conv2d, coarse: Tensor, skip: Tensor) -> Tensor:
        return convolution(torch.cat([F.interpolate(F.relu(coarse), scale_factor=2.0), F.relu(skip)], 1))


def _finish(seen: int, width: int) -> nn.Sequential:
    """Convolutions that begin as no correction at all: ``seen`` channels in; C (3), A (1) and flow (2) out."""
    last = nn.Conv2d(width, 6, 3, 1, 1)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    middle = nn.Conv2d(width, width, 3, 1, 1)
    return nn.Sequential(nn.Conv2d(seen, width, 3, 1, 1), nn.ReLU(), middle, nn.ReLU(), last)


def warp(picture: Tensor, flow: Tensor) -> Tensor:
    """Return ``out(p) = picture(p + flow(p))``, bilinear, the border repeated.

    ``picture`` (B, C, H, W); ``flow`` (B, 2, H, W) in pixels, x then y.
    """
    height, width = picture.shape[-2:]
    x = torch.arange(width, device=picture.device, dtype=torch.float32) + 0.5
    y = torch.arange(height, device=picture.device, dtype=torch.float32) + 0.5
    grid_x = (x[None, None, :] + flow[:, 0]) / width * 2 - 1
    grid_y = (y[None, :, None] + flow[:, 1]) / height * 2 - 1
    grid = torch.stack([grid_x, grid_y], 3)
    return F.grid_sample(picture, grid, mode="bilinear", padding_mode="border", align_corners=False)


class PatchDiscriminator(nn.Module):
    """A small critic of edits: the realness of overlapping patches of 26 px, every 4 px, given the source.

    It is shown the fine detail of both besides: with it, hinge is 1.5 on held-out faces after 200 steps, without 1.8.
    """

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(12, width, 4, 2, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, 2, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 2 * width, 3, 1, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 1, 3, 1, 1),
        )
        # torch's own start shrinks the signal from layer to layer, and the critic then learns nothing for long
        for layer in self.layers[::2]:
            nn.init.kaiming_normal_(layer.weight, 0.2)
            nn.init.zeros_(layer.bias)

    def forward(self, both: Tensor) -> Tensor:
        """Return (B, 1, 32, 32), unbounded, from edits and sources side by side: (B, 6, 128, 128) in -1..1."""
        return self.layers(torch.cat([both, DETAIL_GAIN * fine_detail(both)], 1))
