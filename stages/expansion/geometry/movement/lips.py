"""Rules for the lips that depend on the face at hand: parting (AU25), jaw drop (AU26), tightening (AU23).

All in face units. Lips that part keep their shape; lips that close stop where they meet.
"""

import torch
from torch import Tensor

from singanimation.pipeline.expressions import AU_INDEX
from singanimation.pipeline.face import mesh
from singanimation.stages.expansion.geometry.movement.displacements import corner_profile

PARTING = 0.30
"""Gap between the lips that AU25 at 1 opens."""

CLOSING = 0.375
"""Gap that AU25 at -1 closes."""

JAW_DROP = 0.43
"""How far AU26 at 1 lowers the lower lip and the jaw."""

JAW_EASE = 0.25
"""Share of the drop that goes with the square of AU26: a jaw that is far down drops on."""

SMILE_THINS = 0.22
"""A smile stretches the lips, which thins them as this share of AU23 does."""

UPPER_SHARE = 0.32
"""Part of the parting that the upper lip does."""

FALLS = 0.07
"""Nearly all that an upper lip comes down when a mouth closes."""

ROUND = 0.26
"""How far a dropped jaw draws the mouth's corners in, as a share of their distance from the midline: an O, where a wide
mouth with a row of teeth is read as laughter (recall of surprise by an outside judge .13 -> .40 to .60)."""

COVERS = 0.10
"""How far the upper lip comes down over its teeth in that O, face units."""

SOON = 1.4
"""The O is whole where AU26 is 1 / SOON."""

AT_REST, SMILED = 0.045, 0.175
"""Resting corners of a mouth are no further below its seam, face units (three in four of 40 neutral photographs), and
how far a smile that goes lets them down: what is beyond the first of the second is held back."""

LEVEL = 0.8
"""How far the seam of lips that stood far apart is brought into a line."""

_KEEPS_WIDE = ("AU09", "AU10", "AU12", "AU20")

# along the lip, from corner to corner
_OPENING_SHAPE = (0.35, 0.68, 0.88, 0.97, 1.0, 0.97, 0.88, 0.68, 0.35)
# how much of the inner line's way the rings of a lip go, outer edge first
_RING_SHARES = (0.8, 0.8, 1.0, 1.0)
# AU23: how far the rings of a lip, outer edge first, move towards its inner line
_TIGHTENING = (0.78, 0.69, 0.40)


class LipRules:
    """The masks of a mean face (478, 2), face units, that the rules spread over chin and jaw."""

    def __init__(self, points: Tensor) -> None:
        x, y = points[:, 0].abs(), points[:, 1]
        mouth = float(points[mesh.MOUTH_CORNERS[0], 1])
        front = torch.sigmoid((y - mouth - 0.02) / 0.05) * torch.sigmoid((0.78 - x) / 0.07)
        side = torch.sigmoid((y - mouth + 0.25) / 0.1) * torch.sigmoid((0.95 - x) / 0.05)
        side = 0.35 * side * torch.sigmoid((x - 0.42) / 0.06)
        skin = torch.ones_like(y)
        skin[list(mesh.LIPS)] = 0
        self.jaw = torch.maximum(front, side) * skin
        below = torch.sigmoid((y - mouth - 0.02) / 0.03) * torch.exp(-(((y - mouth) / 0.3) ** 2) / 2)
        self.under_lip = below * torch.sigmoid((0.45 - x) / 0.06) * skin
        self.profile = corner_profile(points)
        self.half_width = float(points[mesh.MOUTH_CORNERS[1], 0])
        corner = ((x - self.half_width) / 0.22).square() + ((y - mouth) / 0.20).square()
        self.beside = torch.where(skin == 0, torch.ones_like(x), 0.9 * torch.exp(-corner / 2))
        self.shape = points.new_tensor(_OPENING_SHAPE)

    def moves(self, points: Tensor, change: Tensor, moved: Tensor) -> Tensor:
        """Return what AU23, AU25 and AU26 add to the displacements ``moved`` (B, 478, 2) that the tables gave.

        ``points`` (B, 478, 2) face units, ``change`` (B, 17) in -1..1. The result is (B, 478, 2).
        """
        extra = torch.zeros_like(points)
        self._round(extra, points, change)
        self._hold_corners(extra, points, change[:, AU_INDEX["AU12"]])
        self._tighten(
            extra, points, change[:, AU_INDEX["AU23"], None] + SMILE_THINS * change[:, AU_INDEX["AU12"], None]
        )
        self._part(extra, points + moved, *(change[:, AU_INDEX[name]] for name in ("AU25", "AU26", "AU12")))
        self._keep_order(extra, points, moved)
        return extra

    def _tighten(self, extra: Tensor, points: Tensor, amount: Tensor) -> None:
        amount = (1.4 * amount).clamp(-0.6, 1)
        for lip in (mesh.UPPER_LIP, mesh.LOWER_LIP):
            inner = points[:, list(lip[3]), 1]
            for ring, share in zip(lip, _TIGHTENING, strict=False):
                extra[:, list(ring), 1] += amount * share * (inner - points[:, list(ring), 1])

    def _part(self, extra: Tensor, points: Tensor, parting: Tensor, jaw: Tensor, smile: Tensor) -> None:
        gap = (points[:, list(mesh.INNER_LOWER[1:-1]), 1] - points[:, list(mesh.INNER_UPPER[1:-1]), 1]).clamp(min=0)
        drop = JAW_DROP * jaw.clamp(min=0) * (1 - JAW_EASE + JAW_EASE * jaw.clamp(min=0))
        lift = JAW_DROP * (-jaw).clamp(min=0)
        # a dropped jaw parts the lips already, and a smile stretches them
        opened = PARTING * parting.clamp(min=0) * (1 - 0.45 * jaw.clamp(0, 1)) * (1 - 0.35 * smile.clamp(0, 1))
        wanted = CLOSING * (-parting).clamp(min=0) + lift
        closed = torch.minimum(wanted[:, None] * self.shape.clamp(min=0.6), gap)
        # a mouth that is far open closes by its jaw
        fallen = torch.minimum(0.35 * closed, FALLS + 0.05 * closed)
        up = -UPPER_SHARE * opened[:, None] * self.shape - 0.10 * drop[:, None] * self.shape + fallen
        down = ((1 - UPPER_SHARE) * opened + drop)[:, None] * self.shape - (closed - fallen)
        for ring, share in zip(mesh.UPPER_LIP, _RING_SHARES, strict=True):
            extra[:, list(ring), 1] += share * up
        for ring in mesh.LOWER_LIP:
            extra[:, list(ring), 1] += down
        middle = gap[:, gap.shape[1] // 2]
        chin = 0.92 * drop - torch.minimum(lift, 0.8 * middle)
        extra[..., 1] += chin[:, None] * self.jaw
        closing = torch.where(parting < 0, closed[:, gap.shape[1] // 2], torch.zeros_like(parting))
        extra[..., 1] += 0.45 * (opened - closing)[:, None] * self.under_lip
        corners = [*mesh.MOUTH_CORNERS, *mesh.INNER_CORNERS]
        extra[:, corners, 1] += 0.30 * drop[:, None]
        extra[:, corners, 0] -= 0.05 * drop[:, None] * torch.sign(points[:, corners, 0])
        shut = closed[:, gap.shape[1] // 2] / middle.clamp(min=1e-3)
        self._level(extra, points, shut * ((middle - 0.12) / 0.2).clamp(0, 1))

    def _round(self, extra: Tensor, points: Tensor, change: Tensor) -> None:
        """A jaw that drops while nothing raises or stretches the lips rounds them, and they cover their teeth."""
        jaw, *others = (change[:, AU_INDEX[name]].clamp(min=0) for name in ("AU26", *_KEEPS_WIDE))
        amount = (SOON * jaw - torch.stack(others).sum(0)).clamp(0, 1)[:, None]
        extra[..., 0] -= ROUND * amount * self.beside * points[..., 0].clamp(-self.half_width, self.half_width)
        extra[:, list(mesh.ALL_UPPER_LIP), 1] += COVERS * amount * (1 - self.profile[list(mesh.ALL_UPPER_LIP)])

    def _hold_corners(self, extra: Tensor, points: Tensor, smile: Tensor) -> None:
        """The corners of a smile that goes come to rest, and no lower: frowns are another unit's matter."""
        seam = points[:, [mesh.INNER_UPPER[4], mesh.INNER_LOWER[4]], 1].mean(1)
        corners = points[:, list(mesh.MOUTH_CORNERS), 1].mean(1)
        fallen = SMILED * (-smile).clamp(min=0)
        beyond = torch.minimum((corners + fallen - seam - AT_REST).clamp(min=0), fallen)
        extra[..., 1] -= beyond[:, None] * self.beside * self.profile

    @staticmethod
    def _level(extra: Tensor, points: Tensor, amount: Tensor) -> None:
        """Lips that meet after standing far apart meet in a line, not in an open mouth's arch; corners too."""
        upper, lower = (
            points[:, list(lip[3]), 1] + extra[:, list(lip[3]), 1] for lip in (mesh.UPPER_LIP, mesh.LOWER_LIP)
        )
        seam = (upper + lower) / 2
        middle = seam[:, seam.shape[1] // 2, None]
        lift = LEVEL * amount[:, None] * (middle - seam)
        for ring in mesh.UPPER_LIP + mesh.LOWER_LIP:
            extra[:, list(ring), 1] += lift
        corners = [*mesh.MOUTH_CORNERS, *mesh.INNER_CORNERS]
        extra[:, corners, 1] += LEVEL * amount[:, None] * (middle - points[:, corners, 1] - extra[:, corners, 1])

    @staticmethod
    def _keep_order(extra: Tensor, points: Tensor, moved: Tensor) -> None:
        """Lips never cross: where the inner lines would, both stop half way."""
        upper, lower = list(mesh.INNER_UPPER[1:-1]), list(mesh.INNER_LOWER[1:-1])
        total = points[..., 1] + moved[..., 1] + extra[..., 1]
        crossing = (total[:, upper] - total[:, lower]).clamp(min=0)
        # lips that the landmarks show crossed already stay as they are
        crossing = (crossing - (points[:, upper, 1] - points[:, lower, 1]).clamp(min=0)).clamp(min=0)
        for ring, share in zip(mesh.UPPER_LIP, _RING_SHARES, strict=True):
            extra[:, list(ring), 1] -= 0.5 * share * crossing
        for ring, share in zip(mesh.LOWER_LIP, _RING_SHARES, strict=True):
            extra[:, list(ring), 1] += 0.5 * share * crossing
