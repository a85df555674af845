"""AU45: the upper lid slides over the eyeball, its landmarks with it, and looks as closed lids do."""

from typing import NamedTuple

import torch
from torch import Tensor

from singanimation.pipeline.expressions import AU_INDEX
from singanimation.pipeline.face import mesh
from singanimation.stages.expansion.geometry.movement.curves import Opening, lookup, opening
from singanimation.stages.expansion.geometry.movement.lids import eye_chains, ring_of
from singanimation.stages.expansion.geometry.painting.lid_relief import LidRelief, colours_around

CLOSING = 1.25
"""Lids meet at an AU45 change of 1 / CLOSING."""

EDGE, SLOPE, TALL = 1.12, 0.07, 0.12
"""Where a closed lid's edge lies: this share of the gap down (of ``TALL`` where the eye is narrower), and lower
towards the outer corner; face units."""

LASHES = 0.035
"""Band above the upper lid's edge, face units, that is lashes and not skin: it is not stretched."""

RELIEF, LASH_LINE = 0.85, 0.3
"""How strong the relief is, and the line of lashes over it: the median of many lids has blurred lashes."""

LID_PAINT = 0.95
"""How much of a closed lid is painted: the stretched skin holds the crease that the lid unfolds."""

COVERED = 0.6
"""From this amount of closing on, lashes cover what is below the lid's edge too: before, the eye looks out there."""


class LidMap(NamedTuple):
    """Both eyes' lids on B pictures: ``flow`` (B, 2, H, W) pixels of the sliding lids; ``shade`` (B, 1, H, W) log
    brightness of the lashes' line; ``colour`` (B, 3, H, W) lid to blend in by ``paint`` (B, 1, H, W) in 0..1;
    ``landmarks`` (B, 478, 2) pixels with the lids where they are now.
    """

    flow: Tensor
    shade: Tensor
    colour: Tensor
    paint: Tensor
    landmarks: Tensor


class ClosedLids:
    """Closes the eyes of B pictures by AU45; ``relief`` is how lids look, ``mirror`` (478,) the landmarks' partners."""

    def __init__(self, relief: LidRelief, mirror: Tensor) -> None:
        self._relief = relief
        self._mirror = mirror

    def close(self, pictures: Tensor, landmarks: Tensor, change: Tensor, unit: Tensor) -> LidMap:
        """Slide the upper lids down by AU45's change (B, 17); 0 or less leaves them still.

        ``pictures`` (B, 3, H, W) in 0..1, ``landmarks`` (B, 478, 2) pixels, ``unit`` (B,) pixels per face unit. The
        lids' colour is read from ``pictures`` around the eye.
        """
        amount = (CLOSING * change[:, AU_INDEX["AU45"]]).clamp(0, 1)
        batch, _, height, width = pictures.shape
        maps = [pictures.new_zeros(batch, channels, height, width) for channels in (2, 1, 3, 1)]
        points = landmarks.clone()
        closing = (amount > 0.01).nonzero()[:, 0]
        if len(closing) == 0:
            return LidMap(*maps, landmarks=points)
        pictures, landmarks = pictures[closing], landmarks[closing]
        for side, (upper, lower) in zip((None, self._mirror), eye_chains(self._mirror), strict=True):
            eye = _ClosingEye(opening(landmarks, upper, lower), amount[closing], unit[closing], side is None)
            for total, share in zip(maps, self._paint(eye, pictures, landmarks, side), strict=True):
                total[closing] += share
            for ring in (mesh.UPPER_LID_SKIN, mesh.UPPER_LID, mesh.LOWER_LID):
                index = ring_of(ring, side, points.device)
                points[closing[:, None], index] = eye.moved(landmarks[:, index], ring)
        return LidMap(*maps, landmarks=points)

    def _paint(
        self, eye: "_ClosingEye", pictures: Tensor, landmarks: Tensor, side: Tensor | None
    ) -> tuple[Tensor, ...]:
        """One eye's flow, shade, colour and paint."""
        u, v = place = eye.open.coordinates(*pictures.shape[-2:])
        edge = eye.edge(u)
        relief, down = self._relief.read(eye.open, landmarks, side, place, edge)
        colour = colours_around(pictures, landmarks, side, eye.open, place) * torch.exp(RELIEF * relief)[:, None]
        # it fades out into the brow, the cheek and beyond the corners
        paint = ((down + 1) / 0.15).clamp(0, 1) * ((0.5 - down) / 0.25).clamp(0, 1)
        paint = paint * ((u + 0.1) / 0.16).clamp(0, 1) * ((1.1 - u) / 0.16).clamp(0, 1)
        covered = ((eye.amount - COVERED) / (1 - COVERED)).clamp(min=0)
        paint = LID_PAINT * paint * torch.lerp(covered.expand_as(v), eye.amount, (edge - v + 0.5).clamp(0, 1))
        flow = eye.flow(u, v, edge)[:, None] * eye.open.across[:, :, None, None]
        return flow, eye.lashes(u, v - edge)[:, None], colour * (paint > 0)[:, None], paint[:, None]


class _ClosingEye:
    """B eyes on their way: ``open`` before, ``amount`` 0..1 and ``unit`` (pixels per face unit) (B, 1, 1)."""

    def __init__(self, eye: Opening, amount: Tensor, unit: Tensor, outer_first: bool) -> None:
        self.open, self.amount, self.unit = eye, amount[:, None, None], unit[:, None, None]
        self._outer_first = outer_first

    def edge(self, u: Tensor) -> Tensor:
        """The upper lid's edge at ``u`` (B, h, w) along the eye: pixels across."""
        top, gap = self._top_and_gap(u)
        fallen = torch.maximum(gap, TALL * self.unit * (4 * u * (1 - u)).clamp(min=0))
        return top + self.amount * (EDGE * fallen + SLOPE * self.unit * self._outward(u).clamp(0, 1.2) ** 2)

    def flow(self, u: Tensor, v: Tensor, edge: Tensor) -> Tensor:
        """How far across pixels come from (B, h, w): skin above the lashes stretches down, the lower lid rises."""
        top, gap = self._top_and_gap(u)
        skin_end = top - LASHES * self.unit * self.amount
        skin_start = skin_end - torch.maximum(0.55 * gap, 0.05 * self.unit)
        above = skin_start + (v - skin_start) * (skin_end - skin_start) / (edge - skin_start).clamp(min=0.1)
        move = torch.where((v > skin_start) & (v <= edge), above - v, torch.zeros_like(v))
        bottom, reach = top + gap, 0.7 * gap + 1.0
        raised = torch.maximum(bottom - 0.12 * self.amount * gap, edge)
        below = bottom + (v - raised) * reach / (bottom + reach - raised).clamp(min=0.1)
        move = torch.where((v > raised) & (v < bottom + reach), below - v, move)
        return move * ((u + 0.06) / 0.08).clamp(0, 1) * ((1.06 - u) / 0.08).clamp(0, 1)

    def lashes(self, u: Tensor, below: Tensor) -> Tensor:
        """Lashes along the edge, ``below`` pixels above them, thicker outwards: log brightness."""
        outward = self._outward(u)
        taper = ((outward + 0.05) / 0.15).clamp(0, 1) * ((1.16 - outward) / 0.15).clamp(0, 1)
        thick = (0.022 + 0.012 * outward.clamp(0, 1)) * self.unit
        line = torch.exp(-((below / thick) ** 2) / 2)
        # lashes point downwards
        line = line + 0.15 * torch.exp(-((below / (0.04 * self.unit)) ** 2) / 2) * (below > 0)
        return -LASH_LINE * taper * self.amount * line

    def moved(self, points: Tensor, ring: tuple[int, ...]) -> Tensor:
        """Return a ring's ``points`` (B, 7, 2), pixels, where they are now."""
        u, v = self.open.place(points)
        edge = self.edge(u[:, None])[:, 0]
        top, gap = (part[:, 0] for part in self._top_and_gap(u[:, None]))
        fallen = (edge - top).clamp(min=0)
        if ring == mesh.LOWER_LID:
            move = torch.maximum(top + (1 - 0.12 * self.amount[:, 0]) * gap, edge) - v
        else:
            move = fallen if ring == mesh.UPPER_LID else 0.5 * fallen
        return points + move[:, :, None] * self.open.across[:, None]

    def _top_and_gap(self, u: Tensor) -> tuple[Tensor, Tensor]:
        top = lookup(self.open.upper, u)
        return top, (lookup(self.open.lower, u) - top).clamp(min=0)

    def _outward(self, u: Tensor) -> Tensor:
        """From 0 at the eye's inner corner to 1 at the outer one."""
        return 1 - u if self._outer_first else u
