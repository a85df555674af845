"""Eyelids: they never cross, they open no wider than eyes do, and brows stay above them."""

import itertools

import torch
from torch import Tensor

from singanimation.pipeline.expressions import AU_INDEX
from singanimation.pipeline.face import mesh
from singanimation.stages.expansion.geometry.movement.curves import lookup, opening

OPEN = 0.16
"""Gap between the lids of an open eye (the median of neutral faces), face units."""

RESTING = (0.05, 0.09, 0.13, 0.145, 0.13, 0.085, 0.035)
"""Gap that a squint relaxes to, along the lids' ring, face units: of 29 people photographed neutral and with a broad
smile the same eyes are 0.147 and 0.122 open in the middle."""

A_LITTLE = 0.015
"""By how much an eye that is open as a resting one, or further, still opens for want of a squint, face units."""

WIDEST = 0.28
"""Gap between the lids that nothing opens beyond, face units."""

SQUEEZED = 0.3
"""What lies above a lid (its skin, the socket, the brow) keeps at least this share of its height."""

ABOVE_EYES, LOWEST = 0.10, 0.05
"""What lies further above the eyes' line than the first falls no further below it than the second, face units."""


def keep_lids_apart(points: Tensor, moves: Tensor, change: Tensor, mirror: Tensor) -> Tensor:
    """Return the eye group's displacements, with lids that neither cross nor open beyond nature.

    ``points`` and ``moves`` (B, 478, 2) in face units. Where AU45 closes the eye (``closed_lids`` does that on
    pixels), the lids' own landmarks stay behind; where it opens, they part.
    """
    moves = moves.clone()
    blink = change[:, AU_INDEX["AU45"], None]
    closing, opening_ = blink.clamp(min=0), blink.clamp(max=0)
    for side in (None, mirror):
        rings = {name: ring_of(ring, side, points.device) for name, ring in mesh.LID_RINGS.items()}
        upper, lower = rings["upper_lid"], rings["lower_lid"]
        gap = (points[:, lower, 1] - points[:, upper, 1]).clamp(min=0)
        raised = 0.9 * opening_ * (OPEN - gap).clamp(min=0)
        up = moves[:, upper, 1] * (1 - 0.8 * closing) + raised
        down = moves[:, lower, 1] * (1 - 0.5 * closing)
        # narrow eyes open less far, and wide only when asked to: there is no iris in the picture for more
        widening = torch.minimum((WIDEST - gap).clamp(min=0), 0.01 + 0.75 * gap)
        resting = gap.new_tensor(RESTING) - gap
        # but closed ones that are asked to open do: their eyeballs are a guess, and no eyes would be worse
        widening = torch.maximum(widening, -opening_ * resting)
        relaxing = torch.minimum(resting.clamp(min=A_LITTLE), widening)
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
    would draw the eye into the brow, and skin between the brows that falls past the eyes draws the nose's tip down: on
    heads tilted back, whose brows are taken for raised.
    """
    moves = moves.clone()
    height = -points[..., 1]
    held = torch.minimum(moves[..., 1], height + LOWEST)
    moves[..., 1] = torch.where(height > ABOVE_EYES, held, moves[..., 1])
    for side in (None, mirror):
        rings = (mesh.UPPER_LID, mesh.UPPER_LID_SKIN, mesh.UPPER_SOCKET)
        chain = [ring_of(ring, side, points.device) for ring in rings]
        for below, above in itertools.pairwise(chain):
            moves[:, above, 1] = _above(points, moves, below, above)
        brow = ring_of(mesh.BROW, side, points.device)
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


Chain = tuple[int, ...]
"""Landmarks from one end to the other."""


def eye_chains(mirror: Tensor) -> tuple[tuple[Chain, Chain], tuple[Chain, Chain]]:
    """The lids' chains (upper, lower) of both eyes, from left to right in the picture."""
    outer, inner = mesh.EYE_CORNERS
    left = ((outer, *mesh.UPPER_LID, inner), (outer, *mesh.LOWER_LID, inner))
    upper, lower = (tuple(int(mirror[index]) for index in reversed(chain)) for chain in left)
    return left, (upper, lower)


def ring_of(ring: tuple[int, ...], mirror: Tensor | None, device: torch.device) -> Tensor:
    """Return a ring's landmarks: those named, of the eye at the left, or their ``mirror`` images."""
    indices = torch.tensor(ring, device=device)
    return indices if mirror is None else mirror[indices]
