"""What noise does to the picture that enters a pyramid at its start scale."""

from dataclasses import dataclass

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
        samples, edits, channels = net.shape[:3]
        size = clean.shape[-1]
        fine = F.interpolate(net.flatten(0, 1), size=(size, size), mode="bicubic", align_corners=True)
        fine = fine.reshape(samples, edits, channels, size, size)
        return (_moved(clean, fine[:, :, :2]) + fine[:, :, 2:].flatten(1, 2)).clamp(-1, 1)

    def perturb(
        self, clean: torch.Tensor, net: torch.Tensor, gain: torch.Tensor, randomness: EditRandomness
    ) -> torch.Tensor:
        """Return (S, B*3, h, h): ``apply`` and white grain of ``gain`` (S, B, 1, 1)."""
        size = clean.shape[-1]
        grain = randomness.normal(gain.shape[0], COLOURS, size, size)
        amount = (gain * self.grain).repeat_interleave(COLOURS, 1)
        return (self.apply(clean, net) + grain * amount).clamp(-1, 1)


def _moved(picture: torch.Tensor, displacement: torch.Tensor) -> torch.Tensor:
    """Move (1, B*3, h, h) by ``displacement`` (S, B, 2, h, h) in units of half the side; edges mirrored."""
    samples, edits, _, size, _ = displacement.shape
    centres = torch.linspace(-1 + 1 / size, 1 - 1 / size, size, dtype=picture.dtype, device=picture.device)
    rows, columns = torch.meshgrid(centres, centres, indexing="ij")
    grid = torch.stack([columns, rows], -1) + displacement.reshape(-1, 2, size, size).permute(0, 2, 3, 1)
    sources = picture.expand(samples, -1, -1, -1).reshape(samples * edits, COLOURS, size, size)
    moved = F.grid_sample(sources, grid, mode="bicubic", padding_mode="reflection", align_corners=False)
    return moved.reshape(samples, edits * COLOURS, size, size)
