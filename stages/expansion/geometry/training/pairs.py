"""Training pairs for the geometry recipe: a jittered face, a change of AUs, and the teacher's answer."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from singanimation.pipeline.expressions import AU_INDEX
from singanimation.pipeline.face.framing import CROP_SIZE
from singanimation.stages.expansion.geometry import FaceGeometry
from singanimation.stages.expansion.geometry.movement.face_frame import face_frame, mirrored
from singanimation.stages.expansion.geometry.training.changes import sample_changes
from singanimation.stages.expansion.training.loop import TrainingFaces

REVERSED = 0.35
"""Share of pairs with the teacher's picture in and the photograph as target: real pixels to aim at."""

LOST = 0.3
"""A mouth or an eye that is asked to close or to open by more: what the teacher makes of a photograph then is torn
lips or a guessed eye, and no target."""

RARE = 10
"""Faces as rare as wide open mouths and shut eyes are drawn so many times as often, to learn where their lips and lids
are: drawn evenly, the widest 20 mouths were found half as far open as they are, and shut eyes open."""

DEVICE_BYTES = 4 * 1024**3
"""Pictures that take less are kept on the training device."""


Finder = Callable[[Tensor], Tensor]
"""Pictures (B, 3, 128, 128) in -1..1 -> landmarks (B, 478, 2), pixels."""


class Pairs(NamedTuple):
    """B training pairs at 128 x 128, on the training device.

    ``source`` and ``target`` (B, 3, 128, 128) in -1..1; ``change`` (B, 17) in -1..1; ``flow`` (B, 2, 128, 128)
    in pixels; ``fill`` what is painted whole, ``lids`` the eyelids and ``paint`` what a flow cannot supply, all
    (B, 1, 128, 128) in 0..1; ``forward`` (B, 1, 1, 1): 1 where flow and paint are known (not reversed pairs);
    ``believed`` (B, 1, 1, 1): 0 where the teacher had to make up too much for its picture to be a target;
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
    believed: Tensor
    before: Tensor
    after: Tensor


class PairSampler:
    """Draws pairs from aligned faces; every draw comes from the generator handed in."""

    def __init__(self, faces: TrainingFaces, teacher: FaceGeometry, device: str) -> None:
        # small sets live on the device; large ones stay where they are, mapped from disk perhaps
        pictures = torch.from_numpy(faces.pictures)
        self._pictures = pictures.to(device) if faces.pictures.nbytes < DEVICE_BYTES else pictures
        self._landmarks = torch.from_numpy(faces.landmarks).float().to(device)
        self._rarity = _rarity(self._landmarks).cpu()
        self._units = torch.from_numpy(faces.action_units).float().to(device)
        self._teacher = teacher
        self._device = device

    @torch.no_grad()
    def draw(self, count: int, random: torch.Generator, finder: Finder | None = None) -> Pairs:
        """Return ``count`` pairs; the teacher edits at the labelled landmarks, or at those that ``finder`` finds."""
        index, chosen = self._choose(count, random)
        pictures, landmarks = self._jitter(chosen, self._landmarks[index], random)
        landmarks = finder(pictures * 2 - 1) if finder else landmarks
        change = sample_changes(self._units[index], random)
        answer = self._teacher.edit(pictures, landmarks, change)
        back = (torch.rand(count, 1, 1, 1, generator=random) < REVERSED).to(self._device)
        lost = _lost(change).view(-1, 1, 1, 1) & ~back
        before, after = landmarks, answer.landmarks
        before, after = torch.where(back[:, 0], after, before), torch.where(back[:, 0], before, after)
        source, target = pictures * 2 - 1, answer.picture * 2 - 1
        source, target = torch.where(back, target, source), torch.where(back, source, target)
        change = torch.where(back.view(-1, 1), self._teacher.undoing(change), change)
        maps = answer.flow, answer.fill, answer.lids, answer.painted
        return Pairs(source, target, change, *maps, (~back).float(), (~lost).float(), before, after)

    @torch.no_grad()
    def photographs(self, count: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return ``count`` jittered photographs (B, 3, 128, 128) in -1..1 and their landmarks (B, 478, 2), pixels.

        A third has lost resolution (to 40..100 px), a tenth its colour, and all are noisy: other people's pictures are.
        Wide open mouths and shut eyes are drawn up to ``RARE`` times as often as other faces.
        """
        index, chosen = self._choose(count, random, self._rarity)
        pictures, landmarks = self._jitter(chosen, self._landmarks[index], random)
        small = F.interpolate(pictures, int(torch.randint(40, 101, (), generator=random)), mode="area")
        kind = torch.rand(count, 1, 1, 1, generator=random).to(self._device)
        pictures = torch.where(kind < 1 / 3, F.interpolate(small, CROP_SIZE, mode="bilinear"), pictures)
        pictures = torch.where(kind > 0.9, pictures.mean(1, keepdim=True), pictures)
        noise = torch.randn(pictures.shape, generator=random).to(self._device)
        return (pictures + 0.02 * noise).clamp(0, 1) * 2 - 1, landmarks

    def shapes(self, count: int, random: torch.Generator) -> Tensor:
        """Return landmarks (B, 478, 2), pixels, as those of ``photographs`` are, without the pictures."""
        index = torch.randint(len(self._landmarks), (count,), generator=random).to(self._device)
        placement = self._placement(count, random)
        mirrored = torch.rand(count, generator=random).to(self._device) < 0.5
        return self._mirror_points(self._placed(self._landmarks[index], *placement), mirrored)

    def _choose(self, count: int, random: torch.Generator, rarity: Tensor | None = None) -> tuple[Tensor, Tensor]:
        if rarity is None:
            index = torch.randint(len(self._pictures), (count,), generator=random)
        else:
            index = torch.multinomial(rarity, count, replacement=True, generator=random)
        chosen = self._pictures[index.to(self._pictures.device)].to(self._device).permute(0, 3, 1, 2).float() / 255
        return index.to(self._device), chosen

    def _jitter(self, pictures: Tensor, landmarks: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Place anew (``_placement``), mirror half, and change colour and gamma; 160 px in, 128 out."""
        count, size = len(pictures), pictures.shape[-1]
        rotation, shift = self._placement(count, random)
        matrix = torch.cat([rotation * (CROP_SIZE / size), (shift * 2 / size)[:, :, None]], 2)
        grid = F.affine_grid(matrix, [count, 3, CROP_SIZE, CROP_SIZE], align_corners=False)
        pictures = F.grid_sample(pictures, grid, align_corners=False, padding_mode="reflection")

        def normal(channels: int) -> Tensor:
            return torch.randn(count, channels, 1, 1, generator=random).to(self._device)

        gamma = (1 + 0.15 * normal(1)).clamp(0.6, 1.5)
        tint = (1 + 0.08 * normal(3)) * (1 + 0.1 * normal(1))
        pictures = (pictures.clamp(1e-3, 1) ** gamma * tint).clamp(0, 1)
        mirrored = torch.rand(count, generator=random).to(self._device) < 0.5
        pictures = torch.where(mirrored.view(-1, 1, 1, 1), pictures.flip(3), pictures)
        return pictures, self._mirror_points(self._placed(landmarks, rotation, shift), mirrored)

    def _placed(self, landmarks: Tensor, rotation: Tensor, shift: Tensor) -> Tensor:
        offsets = landmarks - self._pictures.shape[1] / 2 - shift[:, None]
        return torch.linalg.solve(rotation, offsets.transpose(1, 2)).transpose(1, 2) + CROP_SIZE / 2

    def _mirror_points(self, points: Tensor, chosen: Tensor) -> Tensor:
        return torch.where(chosen.view(-1, 1, 1), mirrored(points, self._teacher.mirror, CROP_SIZE), points)

    def _placement(self, count: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Rotation (sd 3.5 degrees) with scale (4%), (B, 2, 2), and shift (2.2 px), (B, 2)."""
        angle = (torch.randn(count, generator=random) * 3.5).clamp(-9, 9) * math.pi / 180
        scale = (1 + torch.randn(count, generator=random) * 0.04).clamp(0.9, 1.12)
        cosine, sine = angle.cos() * scale, angle.sin() * scale
        rotation = torch.stack([torch.stack([cosine, -sine], 1), torch.stack([sine, cosine], 1)], 1)
        shift = (torch.randn(count, 2, generator=random) * 2.2).clamp(-6, 6)
        return rotation.to(self._device), shift.to(self._device)


def _lost(change: Tensor) -> Tensor:
    """Return which pairs (B,) ask for what the picture holds no trace of: lips behind an open mouth, shut eyes."""
    names = ("AU25", "AU26", "AU45")
    return (change[:, [AU_INDEX[name] for name in names]] < -LOST).any(1)


def _rarity(landmarks: Tensor) -> Tensor:
    """How often to draw each face, from 1: more where lips are 0.12 face units apart and more, lids 0.09 and less."""
    unit = face_frame(landmarks).unit
    upper, lower = landmarks[:, [13, 159, 386], 1], landmarks[:, [14, 145, 374], 1]
    mouth, *lids = ((lower - upper).clamp(min=0) / unit[:, None]).unbind(1)
    wide = ((mouth - 0.12) / 0.2).clamp(0, 1)
    shut = ((0.09 - (lids[0] + lids[1]) / 2) / 0.05).clamp(0, 1)
    return 1 + (RARE - 1) * (wide + shut)
