"""How closed lids look: their light, crease and lashes, learnt from photographs of closed eyes."""

from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

from singanimation.pipeline.errors import TrainingError, WeightsError
from singanimation.pipeline.expressions import AU_INDEX
from singanimation.pipeline.face import mesh
from singanimation.stages.expansion.geometry.movement.curves import Opening, chain_across, lookup, opening
from singanimation.stages.expansion.geometry.movement.face_frame import face_frame
from singanimation.stages.expansion.geometry.movement.flow import sample_at
from singanimation.stages.expansion.geometry.movement.lids import eye_chains, ring_of

SIZE = (48, 64)
"""Rows and columns of the relief."""

BESIDE = 0.2
"""How far the relief reaches beyond the eye's corners, in widths of the eye."""

BELOW = 0.6
"""How far it reaches below the lid's edge, of the way to the lower socket; above the edge it reaches to the brow."""

CLOSED, SHUT = 0.45, 0.075
"""Photographs with closed eyes: AU45 as labelled at least, gap between the lids at most (face units)."""

FEWEST_EYES = 16


class LidRelief:
    """``table`` (48, 64): log brightness of a closed lid over ``colours_around``; rows from the brow down."""

    def __init__(self, table: Tensor) -> None:
        if table.shape != SIZE:
            raise WeightsError(
                f"A lid relief needs a table of {SIZE}, not {tuple(table.shape)}; use one that LidRelief.learn made."
            )
        self.table = table.float()

    @classmethod
    def learn(cls, pictures: Tensor, landmarks: Tensor, action_units: Tensor, mirror: Tensor) -> Self:
        """Take the median of the closed eyes, left and right, among ``pictures``.

        ``pictures`` (N, 3, H, W) in 0..1, ``landmarks`` (N, 478, 2) pixels, ``action_units`` (N, 17) in 0..1,
        ``mirror`` (478,). Raises TrainingError when there are fewer than 16 closed eyes (then use the packaged one).
        """
        closed = action_units[:, AU_INDEX["AU45"]] >= CLOSED
        pictures, landmarks = pictures[closed], landmarks[closed]
        unit = face_frame(landmarks).unit
        seen = []
        for side, (upper, lower) in zip((None, mirror), eye_chains(mirror), strict=True):
            eye = opening(landmarks, upper, lower)
            place = _grid(len(landmarks), side)
            edge = 0.4 * lookup(eye.upper, place[0]) + 0.6 * lookup(eye.lower, place[0])
            across = _across(eye, landmarks, side, place, edge)
            around = colours_around(pictures, landmarks, side, eye, (place[0], across))
            lids = sample_at(pictures, eye.pixels(place[0], across))
            seen.append((lids.clamp(min=0.02).log() - around.clamp(min=0.02).log()).mean(1)[eye.gap < SHUT * unit])
        eyes = torch.cat(seen)
        if len(eyes) < FEWEST_EYES:
            raise TrainingError(
                f"Only {len(eyes)} eyes in the pictures are closed; {FEWEST_EYES} are needed to learn how lids look, "
                "so leave this to the packaged relief."
            )
        smooth = F.pad(eyes.median(0).values[None], (2, 2, 1, 1), mode="replicate")
        return cls(F.avg_pool2d(smooth, (3, 5), 1)[0])

    def to(self, device: torch.device | str) -> Self:
        """Return a copy on ``device``."""
        return type(self)(self.table.to(device))

    def read(
        self, eye: Opening, landmarks: Tensor, side: Tensor | None, place: tuple[Tensor, Tensor], edge: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the relief at ``place``, and how far down from the edge that is: two (B, h, w).

        ``place`` (u, v) are coordinates in ``eye``, ``edge`` (B, h, w) the lid's edge at u, pixels down; ``side`` is
        None for the eye at the left, or ``mirror``. The second is -1 at the brow, 0 at the edge, 1 at the lower socket.
        """
        u, v = place
        above, below = _reach(eye, landmarks, side, u, edge)
        down = (v - edge) / torch.where(v < edge, above, below)
        x = (u if side is None else 1 - u) + BESIDE
        grid = torch.stack([2 * x / (1 + 2 * BESIDE) - 1, 2 * (down + 1) / (1 + BELOW) - 1], 3).clamp(-1, 1)
        table = self.table.expand(len(u), 1, -1, -1)
        return F.grid_sample(table, grid, align_corners=True)[:, 0], down


def colours_around(
    pictures: Tensor,
    landmarks: Tensor,
    side: Tensor | None,
    eye: Opening,
    place: tuple[Tensor, Tensor],
) -> Tensor:
    """Skin from above and below the eye, smoothed along it and blended between: (B, 3, h, w) at ``place``."""
    rings = [ring_of(ring, side, landmarks.device) for ring in (mesh.UPPER_SOCKET, mesh.LOWER_SOCKET)]
    colours = sample_at(pictures, torch.stack([landmarks[:, ring] for ring in rings], 1))
    colours = F.avg_pool2d(F.pad(colours, (1, 1, 0, 0), mode="replicate"), (1, 3), 1)
    colours = colours if side is None else colours.flip(3)
    u, v = place
    top, bottom = lookup(eye.upper, u), lookup(eye.lower, u)
    unit = face_frame(landmarks).unit[:, None, None]
    height = (v - top + 0.13 * unit) / (bottom - top + 0.23 * unit)
    across = torch.stack([u * 2 - 1, height * 2 - 1], 3).clamp(-1, 1)
    return F.grid_sample(colours, across, padding_mode="border", align_corners=True)


def _grid(count: int, side: Tensor | None) -> tuple[Tensor, Tensor]:
    """The table's own places: along the eye and down from the lid's edge, two (count, 48, 64)."""
    u = torch.linspace(-BESIDE, 1 + BESIDE, SIZE[1]).expand(count, *SIZE)
    down = torch.linspace(-1, BELOW, SIZE[0])[:, None].expand(count, *SIZE)
    return (u if side is None else 1 - u), down


def _across(eye: Opening, landmarks: Tensor, side: Tensor | None, place: tuple[Tensor, Tensor], edge: Tensor) -> Tensor:
    """Pixels across the eye (B, h, w) of ``place``, which is (along, down from the edge)."""
    u, down = place
    above, below = _reach(eye, landmarks, side, u, edge)
    return edge + down * torch.where(down < 0, above, below)


def _reach(eye: Opening, landmarks: Tensor, side: Tensor | None, u: Tensor, edge: Tensor) -> tuple[Tensor, Tensor]:
    """From the edge up to the brow and down to the lower socket: two (B, h, w), pixels."""
    brow, socket = (ring_of(ring, side, landmarks.device) for ring in (mesh.BROW_BELOW, mesh.LOWER_SOCKET))
    if side is not None:
        brow, socket = brow.flip(0), socket.flip(0)
    above = edge - lookup(chain_across(eye, landmarks[:, brow]), u)
    below = lookup(chain_across(eye, landmarks[:, socket]), u) - edge
    return above.clamp(min=1), below.clamp(min=1)
