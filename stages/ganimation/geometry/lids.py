"""Eyelids: they never cross, they open no wider than eyes do, and AU45 slides the upper lid over the eyeball."""

import itertools
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from singanimation.pipeline.expressions import AU_INDEX
from singanimation.stages.ganimation.geometry import landmarks as mesh
from singanimation.stages.ganimation.geometry.curves import Opening, lookup, opening
from singanimation.stages.ganimation.geometry.flow import sample_at

OPEN = 0.16
"""Gap between the lids of an open eye (the median of neutral faces), face units."""

RESTING = (0.05, 0.09, 0.13, 0.145, 0.13, 0.085, 0.035)
"""Gap that a squint relaxes to, along the lids' ring, face units: of 29 people photographed neutral and with a broad
smile the same eyes are 0.147 and 0.122 open in the middle."""

A_LITTLE = 0.015
"""By how much an eye that is open as a resting one, or further, still opens for want of a squint, face units."""

WIDEST = 0.28
"""Gap between the lids that nothing opens beyond, face units."""

CLOSING = 1.25
"""Lids meet at an AU45 change of 1 / CLOSING."""

EDGE, SLOPE, TALL = 1.12, 0.045, 0.12
"""Where a closed lid's edge lies: this share of the gap down (of ``TALL`` where the eye is narrower), and lower
towards the outer corner; face units."""

LASHES = 0.035
"""Band above the upper lid's edge, face units, that is lashes and not skin: it is not stretched."""

SMOOTH = 0.12
"""How far above the lashes, beyond 0.4 of the gap, a closed lid's smooth skin begins, face units."""

LID_PAINT = 0.92
"""How much of a closed lid is smooth skin colour: the stretched skin holds the crease that the lid unfolds."""


SQUEEZED = 0.3
"""What lies above a lid (its skin, the socket, the brow) keeps at least this share of its height."""


class LidMap(NamedTuple):
    """Both eyes' lids on B pictures: ``flow`` (B, 2, H, W) pixels of the sliding lids; ``shade`` (B, 1, H, W) log
    brightness of lashes and lid; ``colour`` (B, 3, H, W) skin to blend in by ``paint`` (B, 1, H, W) in 0..1.
    """

    flow: Tensor
    shade: Tensor
    colour: Tensor
    paint: Tensor


def keep_lids_apart(points: Tensor, moves: Tensor, change: Tensor, mirror: Tensor) -> Tensor:
    """Return the eye group's displacements, with lids that neither cross nor open beyond nature.

    ``points`` and ``moves`` (B, 478, 2) in face units. Where AU45 closes the eye (``close_lids`` does that on
    pixels), the lids' own landmarks stay behind; where it opens, they part.
    """
    moves = moves.clone()
    blink = change[:, AU_INDEX["AU45"], None]
    closing, opening_ = blink.clamp(min=0), blink.clamp(max=0)
    for side in (None, mirror):
        rings = {name: _indices(ring, side, points.device) for name, ring in mesh.LID_RINGS.items()}
        upper, lower = rings["upper_lid"], rings["lower_lid"]
        gap = (points[:, lower, 1] - points[:, upper, 1]).clamp(min=0)
        raised = 0.9 * opening_ * (OPEN - gap).clamp(min=0)
        up = moves[:, upper, 1] * (1 - 0.8 * closing) + raised
        down = moves[:, lower, 1] * (1 - 0.5 * closing)
        # narrow eyes open less far, and wide only when asked to: there is no iris in the picture for more
        widening = torch.minimum((WIDEST - gap).clamp(min=0), 0.01 + 0.75 * gap)
        relaxing = torch.minimum((gap.new_tensor(RESTING) - gap).clamp(min=A_LITTLE), widening)
        beyond = (down - up - torch.lerp(relaxing, widening, _wide(change))).clamp(min=0)
        up, down = up + 0.75 * beyond, down - 0.25 * beyond
        crossing = (up - down - 0.95 * gap).clamp(min=0)
        moves[:, upper, 1] = up - 0.6 * crossing
        moves[:, lower, 1] = down + 0.4 * crossing
        moves[:, rings["upper_skin"], 1] += 0.55 * raised
        moves[:, rings["upper_socket"], 1] += 0.2 * raised
    return moves


def keep_brows_above(points: Tensor, moves: Tensor, mirror: Tensor) -> Tensor:
    """Return the eye group's displacements with brows and sockets that never fall over the lids below them.

    ``points`` and ``moves`` (B, 478, 2) in face units. AUs that lower the brows add up (AU04, AU07, and AU01 or AU02
    that go); what lies above the lid keeps ``SQUEEZED`` of its height at least. Points that fold over others
    would draw the eye into the brow.
    """
    moves = moves.clone()
    for side in (None, mirror):
        rings = (mesh.UPPER_LID, mesh.UPPER_LID_SKIN, mesh.UPPER_SOCKET)
        chain = [_indices(ring, side, points.device) for ring in rings]
        for below, above in itertools.pairwise(chain):
            moves[:, above, 1] = _above(points, moves, below, above)
        brow = _indices(mesh.BROW, side, points.device)
        across = (points[:, brow, None, 0] - points[:, None, chain[-1], 0]).abs()
        nearest = chain[-1][across.argmin(2)]
        moves[:, brow, 1] = _above(points, moves, nearest, brow)
    return moves


def _above(points: Tensor, moves: Tensor, below: Tensor, above: Tensor) -> Tensor:
    """How far down (B, N) the points ``above`` go, at most as far as the points ``below`` them let them."""
    rows = torch.arange(len(points), device=points.device)[:, None]
    height = (points[rows, below, 1] - points[:, above, 1]).clamp(min=0)
    return torch.minimum(moves[:, above, 1], moves[rows, below, 1] + (1 - SQUEEZED) * height)


def _wide(change: Tensor) -> Tensor:
    """How far ``change`` (B, 17) asks for wide eyes rather than for relaxed ones: (B, 1) in 0..1."""
    raised = change.clamp(min=0)
    brows = torch.maximum(raised[:, AU_INDEX["AU01"]], raised[:, AU_INDEX["AU02"]])
    return (2 * raised[:, AU_INDEX["AU05"]] + 0.5 * brows).clamp(max=1)[:, None]


def close_lids(pictures: Tensor, landmarks: Tensor, change: Tensor, unit: Tensor, mirror: Tensor) -> LidMap:
    """Slide the upper lids down by AU45's change (B, 17); 0 or less leaves them still.

    ``pictures`` (B, 3, H, W), ``landmarks`` (B, 478, 2) pixels, ``unit`` (B,) pixels per face unit. The lids' colour
    is read from ``pictures`` around the eye.
    """
    amount = (CLOSING * change[:, AU_INDEX["AU45"]]).clamp(0, 1)
    batch, _, height, width = pictures.shape
    both = LidMap(*(pictures.new_zeros(batch, channels, height, width) for channels in (2, 1, 3, 1)))
    closing = (amount > 0.01).nonzero()[:, 0]
    if len(closing) == 0:
        return both
    for side, (upper, lower) in zip((None, mirror), eye_chains(mirror), strict=True):
        points = landmarks[closing]
        eye = opening(points, upper, lower)
        skin = _socket_colour(pictures[closing], points, side)
        part = _slide(eye, skin, amount[closing], unit[closing], (height, width), side is None)
        for total, share in zip(both, part, strict=True):
            total[closing] += share
    return both


def lid_mask(landmarks: Tensor, unit: Tensor, mirror: Tensor, height: int, width: int) -> Tensor:
    """The region of both eyes, lids included, soft at its border: (B, 1, H, W) in 0..1."""
    mask = landmarks.new_zeros(len(landmarks), height, width)
    for upper, lower in eye_chains(mirror):
        eye = opening(landmarks, upper, lower)
        u, v = eye.coordinates(height, width)
        margin = 0.10 * unit[:, None, None]
        soft = 0.04 * unit[:, None, None]
        inside = torch.minimum(v - lookup(eye.upper, u) + margin, lookup(eye.lower, u) + margin - v)
        ends = torch.minimum(u, 1 - u) * eye.width[:, None, None] + margin
        mask = torch.maximum(mask, (torch.minimum(inside, ends) / soft).clamp(0, 1))
    return mask[:, None]


def _slide(
    eye: Opening, skin: Tensor, amount: Tensor, unit: Tensor, size: tuple[int, int], outer_first: bool
) -> LidMap:
    """One eye: skin above the lashes stretches down to the new edge, the lower lid rises a little to meet it."""
    u, v = eye.coordinates(*size)
    unit, amount = unit[:, None, None], amount[:, None, None]
    top, bottom = lookup(eye.upper, u), lookup(eye.lower, u)
    gap = (bottom - top).clamp(min=0)
    ends = ((u + 0.06) / 0.08).clamp(0, 1) * ((1.06 - u) / 0.08).clamp(0, 1)
    skin_end = top - LASHES * unit * amount
    skin_start = skin_end - torch.maximum(0.55 * gap, 0.05 * unit)
    outward = 1 - u if outer_first else u
    fallen = torch.maximum(gap, TALL * unit * (4 * u * (1 - u)).clamp(min=0))
    edge = top + amount * (EDGE * fallen + SLOPE * unit * outward.clamp(0, 1.2) ** 2)
    above = skin_start + (v - skin_start) * (skin_end - skin_start) / (edge - skin_start).clamp(min=0.1)
    move = torch.where((v > skin_start) & (v <= edge), above - v, torch.zeros_like(v))
    # the rest below the edge: the lower lid, a little raised
    reach = 0.7 * gap + 1.0
    raised = torch.maximum(bottom - 0.12 * amount * gap, edge)
    below = bottom + (v - raised) * reach / (bottom + reach - raised).clamp(min=0.1)
    move = torch.where((v > raised) & (v < bottom + reach), below - v, move) * ends
    flow = move[:, None] * eye.across[:, :, None, None]
    # smooth skin over the eyeball, fading out into the socket above and at the corners
    # (from well above: what is left of the open eye's crease would read as an upper lid)
    lid = ((v - skin_end + SMOOTH * unit + 0.4 * gap) / (0.07 * unit)).clamp(0, 1) * (edge - v + 0.5).clamp(0, 1)
    lid = lid * ((u + 0.08) / 0.14).clamp(0, 1) * ((1.08 - u) / 0.14).clamp(0, 1)
    height = (v - top + 0.13 * unit) / (bottom - top + 0.23 * unit)
    across = torch.stack([u * 2 - 1, height * 2 - 1], 3).clamp(-1, 1)
    paint = (LID_PAINT * lid * amount * ends)[:, None]
    colour = F.grid_sample(skin, across, padding_mode="border", align_corners=True)
    return LidMap(flow, _lash_line(outward, v - edge, amount, unit)[:, None], colour * (paint > 0), paint)


def _socket_colour(pictures: Tensor, landmarks: Tensor, mirror: Tensor | None) -> Tensor:
    """Skin above and below the eye (two rows), smoothed along it, from left to right: (B, 3, 2, 7)."""
    rings = [_indices(ring, mirror, landmarks.device) for ring in (mesh.UPPER_SOCKET, mesh.LOWER_SOCKET)]
    colours = sample_at(pictures, torch.stack([landmarks[:, ring] for ring in rings], 1))
    colours = F.avg_pool2d(F.pad(colours, (1, 1, 0, 0), mode="replicate"), (1, 3), 1)
    return colours if mirror is None else colours.flip(3)


def _lash_line(outward: Tensor, below_edge: Tensor, amount: Tensor, unit: Tensor) -> Tensor:
    """Lashes along the closed lid's edge, thicker outwards, and the light on the lid's curve: log brightness.

    ``outward`` runs from 0 at the eye's inner corner to 1 at the outer one.
    """
    taper = ((outward + 0.05) / 0.15).clamp(0, 1) * ((1.16 - outward) / 0.15).clamp(0, 1)
    thick = (0.022 + 0.012 * outward.clamp(0, 1)) * unit
    line = -1.0 * torch.exp(-((below_edge / thick) ** 2) / 2)
    # lashes point downwards
    line = line - 0.15 * torch.exp(-((below_edge / (0.04 * unit)) ** 2) / 2) * (below_edge > 0)
    middle = torch.exp(-(((outward - 0.5) / 0.25) ** 2) / 2)
    curve = 0.05 * middle * torch.exp(-(((below_edge + 0.055 * unit) / (0.03 * unit)) ** 2) / 2)
    return taper * amount * (line + curve)


def eye_chains(mirror: Tensor) -> tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]:
    """The lids' chains (upper, lower) of both eyes, from left to right in the picture."""
    outer, inner = mesh.EYE_CORNERS
    left = tuple((outer, *ring, inner) for ring in (mesh.UPPER_LID, mesh.LOWER_LID))
    right = tuple(tuple(int(mirror[index]) for index in reversed(chain)) for chain in left)
    return left, right


def _indices(ring: tuple[int, ...], mirror: Tensor | None, device: torch.device) -> Tensor:
    indices = torch.tensor(ring, device=device)
    return indices if mirror is None else mirror[indices]
