"""Brows: each moves as one piece, and what it leaves behind is skin, not a lid drawn out."""

import torch
from torch import Tensor

from singanimation.pipeline.face import mesh
from singanimation.stages.expansion.geometry.movement.curves import chain_across, lookup, opening
from singanimation.stages.expansion.geometry.movement.flow import sample_at
from singanimation.stages.expansion.geometry.movement.lids import eye_chains, ring_of

UPPER, LOWER = mesh.BROW[:5], mesh.BROW_BELOW

STRETCHED, TORN = 0.2, 0.6
"""Where a flow gives less than 1 - STRETCHED source rows a row, skin is drawn out; from TORN on it is painted most."""

MOST_PAINT = 0.75
"""How much of the skin below a raised brow is painted at most: the rest is its own light and grain."""

SOFT = 0.05
"""Over which length the paint fades out towards brow and lid, face units."""


def whole_brows(moves: Tensor, mirror: Tensor) -> Tensor:
    """Return ``moves`` (B, 478, 2), face units, in which a brow's two edges go the same way and keep its breadth."""
    moves = moves.clone()
    for side in (None, mirror):
        upper, lower = (ring_of(ring, side, moves.device) for ring in (UPPER, LOWER))
        # low points of the brow are paired with the high ones next to them, from the outer end to the inner one
        both = (moves[:, upper] + moves[:, lower]) / 2
        moves[:, upper], moves[:, lower] = both, both
    return moves


def skin_below(
    pictures: Tensor, flow: Tensor, before: Tensor, after: Tensor, unit: Tensor, mirror: Tensor
) -> tuple[Tensor, Tensor]:
    """Return skin (B, 3, H, W) for between raised brows and lids, and how much of it shows there (B, 1, H, W).

    It is the lightest of the brow's bone, blended down towards the lid's. ``flow`` (B, 2, H, W)
    pixels; landmarks ``before`` and ``after`` the change (B, 478, 2) pixels; ``unit`` (B,) pixels per face unit.
    """
    height, width = pictures.shape[-2:]
    down = flow[:, 1]
    thin = -(down[:, 2:] - down[:, :-2]) / 2
    thin = torch.cat([thin[:, :1], thin, thin[:, -1:]], 1)
    drawn_out = ((thin - STRETCHED) / (TORN - STRETCHED)).clamp(0, 1)
    colour, amount = pictures.new_zeros(pictures.shape), pictures.new_zeros(len(pictures), height, width)
    for side, (upper, lower) in zip((None, mirror), eye_chains(mirror), strict=True):
        brow, skin, socket = (
            ring_of(ring, side, flow.device) for ring in (LOWER, mesh.UPPER_LID_SKIN, mesh.UPPER_SOCKET)
        )
        if side is not None:
            brow, skin, socket = brow.flip(0), skin.flip(0), socket.flip(0)
        eye = opening(after, upper, lower)
        u, v = eye.coordinates(height, width)
        top, bottom = (lookup(chain_across(eye, after[:, ring]), u) for ring in (brow, skin))
        soft = (SOFT * unit)[:, None, None]
        inside = ((v - top - 0.5 * soft) / soft).clamp(0, 1) * ((bottom - v) / soft).clamp(0, 1)
        inside = inside * ((u + 0.2) / 0.15).clamp(0, 1) * ((1.2 - u) / 0.15).clamp(0, 1)
        place = ((v - top) / (bottom - top).clamp(min=1)).clamp(0, 1)
        bone, lid = (sample_at(pictures, before[:, None, ring])[:, :, 0] for ring in (socket, skin))
        lightest = bone.mean(1).topk(2, 1).indices[:, None].expand(-1, 3, -1)
        lit, low = bone.gather(2, lightest).mean(2)[..., None, None], lid.mean(2)[..., None, None]
        blend = torch.lerp(lit, torch.lerp(lit, low, 0.7), place[:, None])
        colour = torch.where(inside[:, None] > 0, blend, colour)
        amount = torch.maximum(amount, inside * drawn_out)
    return colour, MOST_PAINT * amount[:, None]
