"""Training pairs for the geometry recipe: a jittered face, a change of AUs, and the teacher's answer."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from singanimation.pipeline.framing import CROP_SIZE
from singanimation.stages.ganimation.geometry import Teacher, sample_changes
from singanimation.stages.ganimation.training import TrainingFaces

REVERSED = 0.35
"""Share of pairs with the teacher's picture in and the photograph as target: real pixels to aim at."""


DEVICE_BYTES = 4 * 1024**3
"""Pictures that take less are kept on the training device."""


class Pairs(NamedTuple):
    """B training pairs at 128 x 128, on the training device.

    ``source`` and ``target`` (B, 3, 128, 128) in -1..1; ``change`` (B, 17) in -1..1; ``flow`` (B, 2, 128, 128)
    in pixels; ``fill`` what is painted whole, ``lids`` the eyelids and ``paint`` what a flow cannot supply, all
    (B, 1, 128, 128) in 0..1; ``forward`` (B, 1, 1, 1): 1 where flow and paint are known (not reversed pairs).
    """

    source: Tensor
    target: Tensor
    change: Tensor
    flow: Tensor
    fill: Tensor
    lids: Tensor
    paint: Tensor
    forward: Tensor


class PairSampler:
    """Draws pairs from aligned faces; every draw comes from the generator handed in."""

    def __init__(self, faces: TrainingFaces, teacher: Teacher, device: str) -> None:
        # small sets live on the device; large ones stay where they are, mapped from disk perhaps
        pictures = torch.from_numpy(faces.pictures)
        self._pictures = pictures.to(device) if faces.pictures.nbytes < DEVICE_BYTES else pictures
        self._landmarks = torch.from_numpy(faces.landmarks).float().to(device)
        self._units = torch.from_numpy(faces.action_units).float().to(device)
        self._teacher = teacher
        self._device = device

    @torch.no_grad()
    def draw(self, count: int, random: torch.Generator) -> Pairs:
        """Return ``count`` pairs."""
        index = torch.randint(len(self._pictures), (count,), generator=random)
        chosen = self._pictures[index.to(self._pictures.device)].to(self._device).permute(0, 3, 1, 2).float() / 255
        index = index.to(self._device)
        pictures, landmarks = self._jitter(chosen, self._landmarks[index], random)
        change = sample_changes(self._units[index], random)
        answer = self._teacher.edit(pictures, landmarks, change)
        maps = [pictures * 2 - 1, answer.picture * 2 - 1, answer.flow, answer.fill, answer.lids, answer.painted]
        maps = _mirror_half(maps, torch.rand(count, generator=random).to(self._device) < 0.5)
        source, target, flow, fill, lids, paint = maps
        back = (torch.rand(count, 1, 1, 1, generator=random) < REVERSED).to(self._device)
        source, target = torch.where(back, target, source), torch.where(back, source, target)
        change = torch.where(back.view(-1, 1), self._teacher.undoing(change), change)
        return Pairs(source, target, change, flow, fill, lids, paint, (~back).float())

    def _jitter(self, pictures: Tensor, landmarks: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Rotate (sd 3.5 degrees), scale (4%), shift (2.2 px), and change colour and gamma; 160 px in, 128 out."""
        count, size = len(pictures), pictures.shape[-1]

        def normal(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=random).to(self._device)

        angle = (normal(count) * 3.5).clamp(-9, 9) * math.pi / 180
        scale = (1 + normal(count) * 0.04).clamp(0.9, 1.12)
        shift = (normal(count, 2) * 2.2).clamp(-6, 6)
        cosine, sine = angle.cos() * scale, angle.sin() * scale
        rotation = torch.stack([torch.stack([cosine, -sine], 1), torch.stack([sine, cosine], 1)], 1)
        matrix = torch.cat([rotation * (CROP_SIZE / size), (shift * 2 / size)[:, :, None]], 2)
        grid = F.affine_grid(matrix, [count, 3, CROP_SIZE, CROP_SIZE], align_corners=False)
        pictures = F.grid_sample(pictures, grid, align_corners=False, padding_mode="reflection")
        points = torch.linalg.solve(rotation, (landmarks - size / 2 - shift[:, None]).transpose(1, 2)).transpose(1, 2)
        gamma = (1 + 0.15 * normal(count, 1, 1, 1)).clamp(0.6, 1.5)
        tint = (1 + 0.08 * normal(count, 3, 1, 1)) * (1 + 0.1 * normal(count, 1, 1, 1))
        return (pictures.clamp(1e-3, 1) ** gamma * tint).clamp(0, 1), points + CROP_SIZE / 2


def _mirror_half(maps: list[Tensor], chosen: Tensor) -> list[Tensor]:
    """Mirror the chosen pairs' maps; the third is the flow, whose x changes sign."""
    where = chosen.view(-1, 1, 1, 1)
    mirrored = [one.flip(3) for one in maps]
    mirrored[2] = mirrored[2] * torch.tensor([-1.0, 1.0], device=maps[2].device).view(1, 2, 1, 1)
    return [torch.where(where, flipped, one) for flipped, one in zip(mirrored, maps, strict=True)]
