"""Made pairs: one drawn attribute on two bare faces, so that putting on and taking off have exact answers."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from singanimation.pipeline.errors import TrainingError
from singanimation.pipeline.face import mesh
from singanimation.pipeline.face.framing import CROP_SIZE, MARGIN
from singanimation.stages.expansion.attributes.made.hairs import HairLayer, draw_beard, draw_fringe
from singanimation.stages.expansion.attributes.made.spectacles import draw_spectacles, draw_style, place_on
from singanimation.stages.expansion.attributes.registration import Registration
from singanimation.stages.expansion.training.loop import TrainingFaces

DRAWN_SIZE = 256
"""Hairs are drawn on the mean face at this size and carried from there."""

PLAIN = 0.15
"""Share of pairs whose donor wears nothing: what is bare has to be left alone."""

LANDMARK_ERROR = 0.9
"""Pixels (sd) by which a training's landmarks are moved as a whole: found ones are not labelled ones."""

_LIT = 0.55
"""Brightness (0..1) at which a layer has its own colour; darker and lighter skin darkens and lightens it."""

_LIGHT_CELL = 16
"""Pixels over which the light on a face is taken to be the same."""

FEWEST_BARE = 2


class MadePairs(NamedTuple):
    """B pairs at 128 x 128, pictures in -1..1, landmarks in pixels.

    ``plain`` and ``worn`` (B, 3, H, W): a face without and with the attribute, ``mask`` (B, 1, H, W) its opacity;
    ``donor`` another face with the same attribute, ``donor_plain`` the same without; ``which`` (B,) the attribute.
    """

    plain: Tensor
    worn: Tensor
    mask: Tensor
    landmarks: Tensor
    donor: Tensor
    donor_plain: Tensor
    donor_mask: Tensor
    donor_landmarks: Tensor
    which: Tensor

    def both_ways(self) -> "MadePairs":
        """Return twice as many pairs: each face is the other's donor."""
        return MadePairs(*(torch.cat(each) for each in zip(self, _turned(self), strict=True)))


class MadePairSampler:
    """Draws pairs from ``faces``; ``bare`` bool (N, A) says which faces are without each of ``attributes``."""

    def __init__(
        self, faces: TrainingFaces, bare: np.ndarray, attributes: Sequence[str], registration: Registration
    ) -> None:
        self._faces, self._attributes, self._registration = faces, tuple(attributes), registration
        self._bare = [np.flatnonzero(column) for column in bare.T]
        self._mean = registration.points.cpu().numpy()
        self._drawn_mean = registration.mean_pixels(DRAWN_SIZE).cpu().numpy()
        for name, found in zip(self._attributes, self._bare, strict=True):
            if len(found) < FEWEST_BARE:
                raise TrainingError(f"Only {len(found)} faces are without {name}; {FEWEST_BARE} or more are needed.")

    def draw(self, count: int, random: torch.Generator) -> MadePairs:
        """Return ``count`` pairs, drawn by ``random`` alone."""
        source = np.random.default_rng(int(torch.randint(2**62, (1,), generator=random)))
        which = source.integers(0, len(self._attributes), count)
        pairs = [source.choice(self._bare[each], 2, replace=False) for each in which]
        first, points = self._jittered([int(pair[0]) for pair in pairs], source)
        second, donor_points = self._jittered([int(pair[1]) for pair in pairs], source)
        layers = [
            self._layers(int(each), one, other, source)
            for each, one, other in zip(which, points, donor_points, strict=True)
        ]
        mine, theirs = (torch.stack(each) for each in zip(*layers, strict=True))
        empty = torch.from_numpy(source.random(count) < PLAIN).view(-1, 1, 1, 1)
        mine, theirs = mine.masked_fill(empty, 0), theirs.masked_fill(empty, 0)
        error = torch.from_numpy(source.normal(0, LANDMARK_ERROR, (2, count, 1, 2))).float()
        return MadePairs(
            first,
            _laid_over(first, mine),
            mine[:, 3:],
            points + error[0],
            _laid_over(second, theirs),
            second,
            theirs[:, 3:],
            donor_points + error[1],
            torch.from_numpy(which),
        )

    def _jittered(self, rows: list[int], source: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Faces cut a few pixels off, mirrored, darker or lighter: pictures in -1..1 and their landmarks."""
        pictures, points = [], []
        for row in rows:
            across, down = source.integers(-4, 5, 2)
            left, top = MARGIN + int(across), MARGIN + int(down)
            picture = self._faces.pictures[row][top : top + CROP_SIZE, left : left + CROP_SIZE].astype(np.float32) / 255
            landmarks = self._faces.landmarks[row] - np.array([left, top], np.float32)
            if source.random() < 0.5:
                picture = picture[:, ::-1]
                landmarks = landmarks[mesh.MIRROR] * np.array([-1, 1]) + np.array([CROP_SIZE, 0])
            lit = picture ** source.uniform(0.7, 1.9) * source.uniform(0.65, 1.1) * source.uniform(0.92, 1.08, 3)
            grey = lit.mean(2, keepdims=True)
            lit = grey + (lit - grey) * source.choice([0.0, source.uniform(0.5, 1.3)], p=[0.06, 0.94])
            pictures.append(torch.from_numpy(np.ascontiguousarray(lit, np.float32)).permute(2, 0, 1).clamp(0, 1))
            points.append(torch.from_numpy(np.ascontiguousarray(landmarks, np.float32)))
        return torch.stack(pictures) * 2 - 1, torch.stack(points)

    def _layers(self, which: int, first: Tensor, second: Tensor, source: np.random.Generator) -> tuple[Tensor, Tensor]:
        """The same attribute on two faces: two layers (4, 128, 128), colour times opacity and opacity."""
        name = self._attributes[which]
        if name == "spectacles":
            style = draw_style(source)
            drawn = [
                HairLayer(*draw_spectacles(style, place_on(points.numpy(), self._mean), CROP_SIZE))
                for points in (first, second)
            ]
            one, other = (_stacked(layer) for layer in drawn)
            return one, other
        draw = draw_beard if name == "beard" else draw_fringe
        layer = _stacked(draw(source, self._drawn_mean, DRAWN_SIZE))
        one, other = self._registration.carried(layer.expand(2, -1, -1, -1), torch.stack([first, second]))
        return one, other


def _turned(pairs: MadePairs) -> tuple[Tensor, ...]:
    """The same pairs with source and donor in each other's place, in ``MadePairs``' order."""
    donor = (pairs.donor_plain, pairs.donor, pairs.donor_mask, pairs.donor_landmarks)
    return (*donor, pairs.worn, pairs.plain, pairs.mask, pairs.landmarks, pairs.which)


def _stacked(layer: HairLayer) -> Tensor:
    both = np.concatenate([layer.colour * layer.opacity[..., None], layer.opacity[..., None]], 2)
    return torch.from_numpy(both.astype(np.float32)).permute(2, 0, 1)


def _laid_over(pictures: Tensor, layers: Tensor) -> Tensor:
    """Lay (B, 4, H, W) over pictures in -1..1, as bright as the skin around is lit."""
    coarse = F.avg_pool2d((pictures.mean(1, keepdim=True) + 1) / 2, _LIGHT_CELL)
    grey = F.interpolate(coarse, scale_factor=float(_LIGHT_CELL), mode="bilinear")
    light = (grey / _LIT).clamp(0.15, 1.35) ** 0.8
    return (pictures * (1 - layers[:, 3:]) + (2 * layers[:, :3] * light - layers[:, 3:])).clamp(-1, 1)
