"""What noise does to the picture that enters a pyramid at its start scale."""

from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F

from singanimation.stages.singan.networks import COLOURS
from singanimation.stages.singan.randomness import EditRandomness


@dataclass(frozen=True)
class StartNoise:
    """What noise of gain 1 does to the picture that enters at a start scale.

    White noise beside a clean picture is learnt away: the generator adds its detail to the clean picture, and
    variants come out identical (measured: diversity 0.02 at a noise of 0.4). So noise changes what enters, as
    draws of the coarser scales would: ``shift`` moves it smoothly (deviation as a share of the side, on a net
    of ``grid`` x ``grid`` points), ``tint`` changes its brightness smoothly (a fifth of it its colour),
    ``grain`` adds white noise; ``white`` is the noise that the generator is fed beside it. The last three are
    deviations in the unit of -1..1.
    """

    shift: float = 0.016
    grid: int = 5
    tint: float = 0.06
    grain: float = 0.01
    white: float = 0.02

    def draw(self, gain: torch.Tensor, randomness: EditRandomness) -> torch.Tensor:
        """Draw smooth changes for ``gain`` (S, B, 1, 1): a net (S, B, 2 + 3, grid, grid).

        The first two channels are a displacement in units of half the side, the others are added to the colours.
        """
        samples, edits = gain.shape[:2]
        net = randomness.normal(samples, 3 + COLOURS, self.grid, self.grid)
        net = net.reshape(samples, edits, 3 + COLOURS, self.grid, self.grid) * gain[:, :, None]
        tint = (net[:, :, 2:3] + 0.2 * net[:, :, 3:]) * self.tint
        return torch.cat([net[:, :, :2] * (2 * self.shift), tint], 2)

    def apply(self, clean: torch.Tensor, net: torch.Tensor) -> torch.Tensor:
        """Return (S, B*3, h, h): ``clean`` (1, B*3, h, h) in -1..1, at any size, with the changes of ``net``."""
        size = clean.shape[-1]
        fine = _fine(net, size)
        return (_moved(clean, fine[:, :, :2]) + fine[:, :, 2:].flatten(1, 2)).clamp(-1, 1)

    def move(self, picture: torch.Tensor, net: torch.Tensor) -> torch.Tensor:
        """Return ``picture`` (1, B*3, h, h), of any range, moved like what ``net`` was applied to, and not tinted."""
        return _moved(picture, _fine(net[:, :, :2], picture.shape[-1]))

    def perturb(
        self, clean: torch.Tensor, net: torch.Tensor, gain: torch.Tensor, randomness: EditRandomness
    ) -> torch.Tensor:
        """Return (S, B*3, h, h): ``apply`` and white grain of ``gain`` (S, B, 1, 1)."""
        size = clean.shape[-1]
        grain = randomness.normal(gain.shape[0], COLOURS, size, size)
        amount = (gain * self.grain).repeat_interleave(COLOURS, 1)
        return (self.apply(clean, net) + grain * amount).clamp(-1, 1)


def _fine(net: torch.Tensor, size: int) -> torch.Tensor:
    """Return a net (S, B, C, grid, grid) at every pixel, bicubic: (S, B, C, size, size).

    A tenth of the time of ``interpolate``.
    """
    matrix = _net_matrix(net.shape[-1], size, net.dtype, net.device)
    return matrix @ net @ matrix.T


@lru_cache(maxsize=64)
def _net_matrix(grid: int, size: int, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """Return the (size, grid) matrix that resizes one axis of a net: what resizing the unit vectors gives."""
    unit = torch.eye(grid, dtype=torch.float64)[None, None]
    matrix = F.interpolate(unit, size=(size, grid), mode="bicubic", align_corners=True)
    return matrix[0, 0].to(device=device, dtype=dtype)


def _moved(picture: torch.Tensor, displacement: torch.Tensor) -> torch.Tensor:
    """Move (1, B*3, h, h) by ``displacement`` (S, B, 2, h, h) in units of half the side; edges mirrored."""
    samples, edits, _, size, _ = displacement.shape
    centres = torch.linspace(-1 + 1 / size, 1 - 1 / size, size, dtype=picture.dtype, device=picture.device)
    rows, columns = torch.meshgrid(centres, centres, indexing="ij")
    grid = torch.stack([columns, rows], -1) + displacement.reshape(-1, 2, size, size).permute(0, 2, 3, 1)
    sources = picture.expand(samples, -1, -1, -1).reshape(samples * edits, COLOURS, size, size)
    moved = F.grid_sample(sources, grid, mode="bicubic", padding_mode="reflection", align_corners=False)
    return moved.reshape(samples, edits * COLOURS, size, size)
