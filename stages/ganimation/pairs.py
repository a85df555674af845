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
    (B, 1, 128, 128) in 0..1; ``forward`` (B, 1, 1, 1): 1 where flow and paint are known (not reversed pairs);
    ``before`` and ``after`` (B, 478, 2), pixels: the landmarks of source and target.
    """

    source: Tensor
    target: Tensor
    change: Tensor
    flow: Tensor
    fill: Tensor
    lids: Tensor
    paint: Tensor
    forward: Tensor
    before: Tensor
    after: Tensor


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
        index, chosen = self._choose(count, random)
        pictures, landmarks = self._jitter(chosen, self._landmarks[index], random)
        change = sample_changes(self._units[index], random)
        answer = self._teacher.edit(pictures, landmarks, change)
        maps = [pictures * 2 - 1, answer.picture * 2 - 1, answer.flow, answer.fill, answer.lids, answer.painted]
        mirrored = torch.rand(count, generator=random).to(self._device) < 0.5
        source, target, flow, fill, lids, paint = _mirror_half(maps, mirrored)
        before, after = (self._mirror_points(points, mirrored) for points in (landmarks, answer.landmarks))
        back = (torch.rand(count, 1, 1, 1, generator=random) < REVERSED).to(self._device)
        before, after = torch.where(back[:, 0], after, before), torch.where(back[:, 0], before, after)
        source, target = torch.where(back, target, source), torch.where(back, source, target)
        change = torch.where(back.view(-1, 1), self._teacher.undoing(change), change)
        return Pairs(source, target, change, flow, fill, lids, paint, (~back).float(), before, after)

    @torch.no_grad()
    def photographs(self, count: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return ``count`` jittered photographs (B, 3, 128, 128) in -1..1 and their landmarks (B, 478, 2), pixels.

        A third has lost resolution (to 40..100 px), a tenth its colour, and all are noisy: other people's pictures are.
        """
        index, chosen = self._choose(count, random)
        pictures, landmarks = self._jitter(chosen, self._landmarks[index], random)
        mirrored = torch.rand(count, generator=random).to(self._device) < 0.5
        pictures = torch.where(mirrored.view(-1, 1, 1, 1), pictures.flip(3), pictures)
        small = F.interpolate(pictures, int(torch.randint(40, 101, (), generator=random)), mode="area")
        kind = torch.rand(count, 1, 1, 1, generator=random).to(self._device)
        pictures = torch.where(kind < 1 / 3, F.interpolate(small, CROP_SIZE, mode="bilinear"), pictures)
        pictures = torch.where(kind > 0.9, pictures.mean(1, keepdim=True), pictures)
        noise = torch.randn(pictures.shape, generator=random).to(self._device)
        return (pictures + 0.02 * noise).clamp(0, 1) * 2 - 1, self._mirror_points(landmarks, mirrored)

    def shapes(self, count: int, random: torch.Generator) -> Tensor:
        """Return landmarks (B, 478, 2), pixels, as those of ``photographs`` are, without the pictures."""
        index = torch.randint(len(self._landmarks), (count,), generator=random).to(self._device)
        placement = self._placement(count, random)
        mirrored = torch.rand(count, generator=random).to(self._device) < 0.5
        return self._mirror_points(self._placed(self._landmarks[index], *placement), mirrored)

    def _choose(self, count: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        index = torch.randint(len(self._pictures), (count,), generator=random)
        chosen = self._pictures[index.to(self._pictures.device)].to(self._device).permute(0, 3, 1, 2).float() / 255
        return index.to(self._device), chosen

    def _jitter(self, pictures: Tensor, landmarks: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Place anew (``_placement``), and change colour and gamma; 160 px in, 128 out."""
        count, size = len(pictures), pictures.shape[-1]
        rotation, shift = self._placement(count, random)
        matrix = torch.cat([rotation * (CROP_SIZE / size), (shift * 2 / size)[:, :, None]], 2)
        grid = F.affine_grid(matrix, [count, 3, CROP_SIZE, CROP_SIZE], align_corners=False)
        pictures = F.grid_sample(pictures, grid, align_corners=False, padding_mode="reflection")

        def normal(channels: int) -> Tensor:
            return torch.randn(count, channels, 1, 1, generator=random).to(self._device)

        gamma = (1 + 0.15 * normal(1)).clamp(0.6, 1.5)
        tint = (1 + 0.08 * normal(3)) * (1 + 0.1 * normal(1))
        return (pictures.clamp(1e-3, 1) ** gamma * tint).clamp(0, 1), self._placed(landmarks, rotation, shift)

    def _placed(self, landmarks: Tensor, rotation: Tensor, shift: Tensor) -> Tensor:
        offsets = landmarks - self._pictures.shape[1] / 2 - shift[:, None]
        return torch.linalg.solve(rotation, offsets.transpose(1, 2)).transpose(1, 2) + CROP_SIZE / 2

    def _mirror_points(self, points: Tensor, chosen: Tensor) -> Tensor:
        flipped = points[:, self._teacher.mirror] * points.new_tensor([-1.0, 1.0]) + points.new_tensor([CROP_SIZE, 0.0])
        return torch.where(chosen.view(-1, 1, 1), flipped, points)

    def _placement(self, count: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Rotation (sd 3.5 degrees) with scale (4%), (B, 2, 2), and shift (2.2 px), (B, 2)."""
        angle = (torch.randn(count, generator=random) * 3.5).clamp(-9, 9) * math.pi / 180
        scale = (1 + torch.randn(count, generator=random) * 0.04).clamp(0.9, 1.12)
        cosine, sine = angle.cos() * scale, angle.sin() * scale
        rotation = torch.stack([torch.stack([cosine, -sine], 1), torch.stack([sine, cosine], 1)], 1)
        shift = (torch.randn(count, 2, generator=random) * 2.2).clamp(-6, 6)
        return rotation.to(self._device), shift.to(self._device)


def _mirror_half(maps: list[Tensor], chosen: Tensor) -> list[Tensor]:
    """Mirror the chosen pairs' maps; the third is the flow, whose x changes sign."""
    where = chosen.view(-1, 1, 1, 1)
    mirrored = [one.flip(3) for one in maps]
    mirrored[2] = mirrored[2] * torch.tensor([-1.0, 1.0], device=maps[2].device).view(1, 2, 1, 1)
    return [torch.where(where, flipped, one) for flipped, one in zip(mirrored, maps, strict=True)]
