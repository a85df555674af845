"""How each action unit at full strength moves the landmarks: readable tables, and their sum on a mean face.

Lengths are face units (interocular distances), x away from the face's midline, y down; every entry acts on both
sides. The muscles behind each AU are those of Ekman & Friesen's FACS; the amounts were set by eye and by an
AU estimator's answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from singanimation.pipeline.expressions import AU_INDEX, AU_NAMES
from singanimation.stages.ganimation.geometry import landmarks as mesh


@dataclass(frozen=True)
class Push:
    """A Gaussian bump of skin: ``at`` is its centre (x from the midline, y from ``anchor``), ``radius`` its spread.

    ``anchor`` is ``brow``, ``eyes`` (y = 0), ``nose`` (its base), ``mouth`` or ``chin``; ``where`` a mask of
    ``_masks``.
    """

    unit: str
    anchor: str
    at: tuple[float, float]
    radius: tuple[float, float]
    move: tuple[float, float]
    where: str = "all"


@dataclass(frozen=True)
class CornerPull:
    """The mouth's corners move by ``move`` (outwards, down), the lips follow less and less to their middle.

    ``middle`` is how far the middle of the lips goes down; skin around the corner follows in a bump.
    """

    unit: str
    move: tuple[float, float]
    middle: float = 0.0
    skin: float = 1.0


@dataclass(frozen=True)
class LipShift:
    """One lip goes ``down``, most at ``at`` from the midline, spread ``radius``."""

    unit: str
    lip: str
    down: float
    at: float
    radius: float


@dataclass(frozen=True)
class LidShift:
    """A ring of ``LID_RINGS`` goes ``down``, its middle fully, its ends by ``ends``."""

    unit: str
    ring: str
    down: float
    ends: float = 1.0


PUSHES = (
    Push("AU01", "brow", (0.22, -0.01), (0.24, 0.21), (0, -0.34), "forehead"),
    Push("AU02", "brow", (0.72, -0.02), (0.29, 0.23), (0, -0.31), "forehead"),
    Push("AU04", "brow", (0.50, 0), (0.55, 0.19), (-0.04, 0.22), "brow_skin"),
    Push("AU04", "brow", (0.22, 0), (0.18, 0.16), (-0.07, 0.02), "forehead"),
    Push("AU04", "brow", (0.40, 0), (0.30, 0.18), (0, 0.11), "upper_lids"),
    Push("AU05", "brow", (0.45, 0), (0.40, 0.20), (0, -0.03), "forehead"),
    Push("AU06", "eyes", (0.58, 0.44), (0.24, 0.20), (0.02, -0.14), "not_eyes"),
    Push("AU07", "brow", (0.50, 0), (0.45, 0.20), (0, 0.07), "brow_skin"),
    Push("AU07", "eyes", (0.78, 0), (0.12, 0.10), (0.04, 0)),
    Push("AU09", "nose", (0.22, -0.12), (0.13, 0.18), (0, -0.115)),
    Push("AU09", "nose", (0.0, -0.50), (0.16, 0.16), (0, -0.05), "not_eyes"),
    Push("AU09", "brow", (0.20, 0), (0.16, 0.14), (-0.05, 0.10), "forehead"),
    Push("AU10", "nose", (0.22, -0.12), (0.13, 0.18), (0, -0.045), "not_upper_lip"),
    Push("AU10", "mouth", (0.18, -0.07), (0.17, 0.13), (0, -0.155), "above_mouth"),
    Push("AU10", "nose", (0.42, 0.02), (0.16, 0.16), (0.02, -0.05), "skin"),
    Push("AU12", "eyes", (0.55, 0.48), (0.22, 0.20), (0.044, -0.075), "skin"),
    Push("AU12", "nose", (0.25, -0.06), (0.09, 0.10), (0.036, 0)),
    Push("AU17", "chin", (0, -0.31), (0.24, 0.14), (0, -0.20), "not_lips"),
    Push("AU15", "chin", (0, -0.31), (0.24, 0.14), (0, -0.05), "not_lips"),
    Push("AU20", "nose", (0.25, -0.06), (0.09, 0.10), (0.05, 0)),
    Push("AU20", "eyes", (0.50, 0.50), (0.20, 0.20), (0.04, 0), "skin"),
)

# what two AUs do together beyond their sum, weighted by the product of both
JOINT_SHIFTS: tuple[tuple[tuple[str, str], Push | LidShift], ...] = (
    # grief: the inner brows rise and draw together, the frown does not lower them
    (("AU01", "AU04"), Push("AU01", "brow", (0.20, 0), (0.20, 0.20), (0, -0.14), "forehead")),
    (("AU15", "AU17"), Push("AU17", "mouth", (0, 0.05), (0.26, 0.30), (0, 0.10), "not_eyes")),
    # a brow that is up rises little more, and wide eyes use up the lid's skin
    (("AU01", "AU02"), Push("AU01", "brow", (0.46, -0.02), (0.34, 0.24), (0, 0.14), "forehead")),
    (("AU01", "AU02"), LidShift("AU01", "upper_socket", 0.110)),
    (("AU01", "AU02"), LidShift("AU01", "upper_skin", 0.050, 0.6)),
    (("AU01", "AU02"), LidShift("AU01", "upper_lid", 0.020, 0.45)),
    (("AU01", "AU05"), LidShift("AU05", "upper_skin", 0.030, 0.5)),
    (("AU02", "AU05"), LidShift("AU05", "upper_skin", 0.040, 0.5)),
)

CORNER_PULLS = (
    CornerPull("AU10", (0.030, -0.050), skin=0.6),
    CornerPull("AU12", (0.150, -0.175), middle=0.035),
    CornerPull("AU14", (0.115, -0.025)),
    CornerPull("AU15", (0.055, 0.185), middle=-0.075, skin=0.9),
    CornerPull("AU20", (0.240, 0.050), middle=0.045),
    CornerPull("AU23", (0.055, 0), middle=0.035, skin=0.6),
)

LIP_SHIFTS = (
    LipShift("AU09", "upper", -0.035, 0.18, 0.20),
    LipShift("AU09", "lower", -0.020, 0.10, 0.25),
    LipShift("AU15", "upper", -0.03, 0.0, 0.14),
    LipShift("AU17", "lower", -0.20, 0.0, 0.30),
    LipShift("AU17", "upper", -0.11, 0.0, 0.25),
    LipShift("AU20", "lower", 0.065, 0.12, 0.30),
)

LID_SHIFTS = (
    LidShift("AU01", "upper_lid", -0.020, 0.45),
    LidShift("AU01", "upper_skin", -0.040, 0.6),
    LidShift("AU01", "upper_socket", -0.090, 0.6),
    LidShift("AU02", "upper_lid", -0.020, 0.45),
    LidShift("AU02", "upper_skin", -0.060, 0.5),
    LidShift("AU02", "upper_socket", -0.150, 0.5),
    LidShift("AU04", "upper_skin", 0.020, 0.6),
    LidShift("AU04", "upper_socket", 0.040),
    LidShift("AU05", "upper_lid", -0.115, 0.5),
    LidShift("AU05", "upper_skin", -0.090, 0.5),
    LidShift("AU05", "upper_socket", -0.040),
    LidShift("AU05", "lower_lid", 0.045, 0.5),
    LidShift("AU05", "lower_skin", 0.025),
    LidShift("AU06", "lower_lid", -0.045),
    LidShift("AU06", "lower_skin", -0.070),
    LidShift("AU06", "lower_socket", -0.085),
    LidShift("AU07", "lower_lid", -0.086),
    LidShift("AU07", "lower_skin", -0.080),
    LidShift("AU07", "lower_socket", -0.063),
    LidShift("AU07", "upper_lid", 0.052),
    LidShift("AU07", "upper_skin", 0.062),
    LidShift("AU07", "upper_socket", 0.062),
    LidShift("AU09", "lower_lid", -0.025),
    LidShift("AU09", "lower_skin", -0.035),
    LidShift("AU09", "lower_socket", -0.035),
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
