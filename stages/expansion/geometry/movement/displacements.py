"""The displacements of ``unit_tables``, summed on a mean face: how far each AU moves each landmark."""

from collections.abc import Sequence

import torch
from torch import Tensor

from singanimation.pipeline.expressions import AU_INDEX, AU_NAMES
from singanimation.pipeline.face import mesh
from singanimation.stages.expansion.geometry.movement.unit_tables import (
    CORNER_PULLS,
    JOINT_SHIFTS,
    LID_SHIFTS,
    LIP_SHIFTS,
    PUSHES,
    CornerPull,
    LidShift,
    Push,
)


def corner_profile(points: Tensor) -> Tensor:
    """How much each landmark (478, 2), face units, follows the mouth's corners: 0 at the midline, 1 there (478,)."""
    half_width = points[mesh.MOUTH_CORNERS[1], 0]
    return (points[:, 0].abs() / half_width).clamp(max=1) ** 1.6


def unit_displacements(points: Tensor, mirror: Tensor) -> Tensor:
    """Return the displacement of every landmark by every AU at 1, face units (17, 478, 2), AU order of the project.

    ``points`` (478, 2) is a symmetric mean face in face units, ``mirror`` (478,) its mirror images.
    """
    total = points.new_zeros(len(AU_NAMES), mesh.POINTS, 2)
    side = torch.sign(points[:, 0])
    masks = _masks(points, mirror)
    for push in PUSHES:
        total[AU_INDEX[push.unit]] += _pushed(points, push, masks, side)
    for pull in CORNER_PULLS:
        _add_corner_pull(total, pull, points, masks["lips"])
    for shift in LIP_SHIFTS:
        weight = torch.exp(-(((points[:, 0].abs() - shift.at) / shift.radius) ** 2) / 2) * masks[f"{shift.lip}_lip"]
        _add(total, shift.unit, side, weight, (0, shift.down))
    for lid in LID_SHIFTS:
        _shift_lid(total[AU_INDEX[lid.unit]], lid, mirror)
    total[:, list(mesh.IRISES)] = 0
    return total


def joint_displacements(points: Tensor, mirror: Tensor) -> tuple[list[list[int]], Tensor]:
    """Return pairs of AU indices, and what each pair at 1 adds to its sum: face units (pairs, 478, 2)."""
    side = torch.sign(points[:, 0])
    masks = _masks(points, mirror)
    pairs = [[AU_INDEX[name] for name in names] for names, _ in JOINT_SHIFTS]
    moves = points.new_zeros(len(pairs), mesh.POINTS, 2)
    for move, (_, shift) in zip(moves, JOINT_SHIFTS, strict=True):
        if isinstance(shift, Push):
            move += _pushed(points, shift, masks, side)
        else:
            _shift_lid(move, shift, mirror)
    moves[:, list(mesh.IRISES)] = 0
    return pairs, moves


def _pushed(points: Tensor, push: Push, masks: dict[str, Tensor], side: Tensor) -> Tensor:
    weight = _bump(points, push.at[0], _anchor(points, push.anchor) + push.at[1], push.radius) * masks[push.where]
    return torch.stack([weight * side * push.move[0], weight * push.move[1]], 1)


def _add(total: Tensor, unit: str, side: Tensor, weight: Tensor, move: Sequence[float]) -> None:
    total[AU_INDEX[unit], :, 0] += weight * side * move[0]
    total[AU_INDEX[unit], :, 1] += weight * move[1]


def _add_corner_pull(total: Tensor, pull: CornerPull, points: Tensor, lips: Tensor) -> None:
    corner = points[mesh.MOUTH_CORNERS[1]]
    skin = _bump(points, float(corner[0]), float(corner[1]), (0.20, 0.17)) * (1 - lips) * pull.skin
    profile = corner_profile(points)
    index, side = AU_INDEX[pull.unit], torch.sign(points[:, 0])
    total[index, :, 0] += side * (profile * lips + skin) * pull.move[0]
    total[index, :, 1] += (profile**1.3 * lips + skin) * pull.move[1] + (1 - profile) * lips * pull.middle


def _shift_lid(moves: Tensor, lid: LidShift, mirror: Tensor) -> None:
    taper = lid.ends + (1 - lid.ends) * moves.new_tensor([0, 0.65, 1, 1, 1, 0.65, 0])
    ring = torch.tensor(mesh.LID_RINGS[lid.ring], device=moves.device)
    for indices in (ring, mirror[ring]):
        moves[indices, 1] += lid.down * taper


def _bump(points: Tensor, x: float, y: float, radius: tuple[float, float]) -> Tensor:
    """Bumps at (x, y) and (-x, y), joined without exceeding 1."""
    vertical = torch.exp(-(((points[:, 1] - y) / radius[1]) ** 2) / 2)
    sides = (torch.exp(-(((points[:, 0] - centre) / radius[0]) ** 2) / 2) for centre in ({x, -x} if x else {0.0}))
    return sum(sides, torch.zeros_like(vertical)).clamp(max=1) * vertical


def _anchor(points: Tensor, name: str) -> float:
    heights = {
        "brow": points[list(mesh.BROW), 1].mean(),
        "eyes": torch.zeros(()),
        "nose": points[mesh.NOSE_BASE, 1],
        "mouth": points[mesh.MOUTH_CORNERS[0], 1],
        "chin": points[mesh.CHIN, 1],
    }
    return float(heights[name])


def _masks(points: Tensor, mirror: Tensor) -> dict[str, Tensor]:
    """Soft sets of landmarks (478,) by name; a Push acts only within its own."""
    y = points[:, 1]
    both = [list(mesh.EYE_CORNERS)] + [
        list(mesh.LID_RINGS[name]) for name in ("upper_lid", "lower_lid", "upper_skin", "lower_skin")
    ]
    lids = _members(points, torch.tensor(sum(both, [])), mirror)
    lids[list(mesh.IRISES)] = 1
    socket = _members(points, torch.tensor(mesh.UPPER_SOCKET), mirror)
    upper_lip, lower_lip, lips = (
        _members(points, torch.tensor(group)) for group in (mesh.ALL_UPPER_LIP, mesh.ALL_LOWER_LIP, mesh.LIPS)
    )
    above_mouth = torch.sigmoid((_anchor(points, "mouth") - 0.01 - y) / 0.015) * (1 - lower_lip)
    return {
        "all": torch.ones_like(y),
        "not_eyes": 1 - lids,
        "forehead": torch.sigmoid((-0.13 - y) / 0.035) * (1 - lids) * (1 - 0.75 * socket),
        "brow_skin": torch.sigmoid((-0.10 - y) / 0.03) * (1 - lids),
        "upper_lids": lids * (y < 0),
        "lips": lips,
        "upper_lip": upper_lip,
        "lower_lip": lower_lip,
        "not_upper_lip": 1 - upper_lip,
        "not_lips": 1 - lips,
        "skin": (1 - lids) * (1 - lips),
        "above_mouth": torch.maximum(above_mouth, upper_lip),
    }


def _members(points: Tensor, indices: Tensor, mirror: Tensor | None = None) -> Tensor:
    members = points.new_zeros(mesh.POINTS)
    members[indices] = 1
    if mirror is not None:
        members[mirror[indices]] = 1
    return members
