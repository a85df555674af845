"""Lips that meet after standing far apart: between them the flow runs column by column, so that nothing is left over.

A dense flow averages what neighbours do. Where the upper lip comes down and the lower one up over half a face unit,
its averages are torn lips and leftovers of tongue; along a column, lips and skin keep their order instead.
"""

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor

from singanimation.pipeline.face import mesh
from singanimation.stages.expansion.geometry.movement.curves import chain_across, lookup, opening

NARROW, WIDE = 0.22, 0.34
"""By how much lips come together, face units: up to NARROW the dense flow does it, from WIDE on the columns."""

ABOVE, BELOW, BESIDE = 0.32, 0.12, 0.12
"""Beyond the lips' edges (face units) and corners (widths of the mouth) the columns fade into the dense flow: above
far, where the lower lip's rise would draw the mouth's inside up."""

NEARBY = 2
"""So many samples of a curve (of 33 along the mouth) are nearby."""

_OUTER, _INNER = mesh.MOUTH_CORNERS, mesh.INNER_CORNERS
# from the upper lip's outer edge down to the lower one's
_CURVES = tuple(
    (left, *ring, right)
    for ring, (left, right) in zip(
        (*mesh.UPPER_LIP, *reversed(mesh.LOWER_LIP)),
        (_OUTER, _OUTER, _INNER, _INNER, _INNER, _INNER, _OUTER, _OUTER),
        strict=True,
    )
)


def close_columns(flow: Tensor, before: Tensor, after: Tensor, unit: Tensor) -> Tensor:
    """Return ``flow`` (B, 2, H, W), pixels, with the lips' own where they meet.

    Landmarks ``before`` and ``after`` the change (B, 478, 2) pixels; ``unit`` (B,) pixels per face unit.
    """
    upper, lower = mesh.UPPER_LIP[3][4], mesh.LOWER_LIP[3][4]
    gap, left = ((points[:, lower] - points[:, upper]).norm(dim=1) for points in (before, after))
    amount = (((gap - left) / unit - NARROW) / (WIDE - NARROW)).clamp(0, 1)
    closing = (amount > 0).nonzero()[:, 0]
    if len(closing) == 0:
        return flow
    before, after, unit = before[closing], after[closing], unit[closing, None, None]
    old, new = (opening(points, _CURVES[0], _CURVES[-1]) for points in (before, after))
    u, v = new.coordinates(*flow.shape[-2:])
    there = [lookup(chain_across(new, after[:, list(curve)]), u) for curve in _CURVES]
    from_ = [lookup(curve, u) for curve in _lips_alone([chain_across(old, before[:, list(one)]) for one in _CURVES])]
    moves = [source - place for source, place in zip(from_, there, strict=True)]
    above = ((there[0] - v) / (ABOVE * unit)).clamp(0, 1)
    move = moves[0] * (1 - above)
    for (top, bottom), (first, second) in zip(itertools.pairwise(there), itertools.pairwise(moves), strict=True):
        move = move + ((v - top) / (bottom - top).clamp(min=0.25)).clamp(0, 1) * (second - first)
    rows = torch.arange(flow.shape[-2], device=flow.device)[:, None].expand_as(u)
    columns = torch.arange(flow.shape[-1], device=flow.device).expand_as(u)
    own = old.pixels(u, v + move).permute(0, 3, 1, 2) - torch.stack([columns, rows], 1) - 0.5
    inside = torch.minimum(2 * (1 - above), (there[-1] - v) / (BELOW * unit) + 1)
    ends = torch.minimum(u, 1 - u) / BESIDE + 1
    weight = torch.minimum(inside, ends).clamp(0, 1) * amount[closing, None, None]
    flow = flow.clone()
    flow[closing] = torch.lerp(flow[closing], own, weight[:, None])
    return flow


def _lips_alone(curves: list[Tensor]) -> list[Tensor]:
    """The lips' curves (B, SAMPLES), upper ones no lower and lower ones no higher than the inner ones nearby.

    The sides of a wide open mouth are so steep that a step beside them is the mouth's inside.
    """
    half = len(curves) // 2
    top = -F.max_pool1d(-curves[half - 1][:, None], 2 * NEARBY + 1, 1, NEARBY)[:, 0]
    bottom = F.max_pool1d(curves[half][:, None], 2 * NEARBY + 1, 1, NEARBY)[:, 0]
    upper = [torch.minimum(curve, top) for curve in curves[:half]]
    return upper + [torch.maximum(curve, bottom) for curve in curves[half:]]
