"""The inside of the mouth, which no flow can supply where the lips were closed: a row of teeth over a cavity.

The row's colours are the mean of real smiles, learnt once (``MouthInterior.learn``) and relative to the teeth's
own brightness, which in turn follows the skin's within bounds; single teeth are drawn on top, because an average
has none. A mouth that was open keeps its own teeth, unstretched, over the cavity.
"""

from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

from singanimation.pipeline.errors import TrainingError, WeightsError
from singanimation.pipeline.face import mesh
from singanimation.stages.expansion.geometry.movement.curves import Opening, lookup, opening
from singanimation.stages.expansion.geometry.movement.flow import sample_at

TEXTURE = (24, 64)
"""Rows and columns of the tooth row's texture."""

TOOTH_HEIGHT = 0.135
"""Of the upper incisors, face units (about 8 mm of 63 mm between the pupils)."""

SHOWN, LEAST_SHOWN = 0.11, 0.03
"""How much of them a lip shows where it was at rest; one that comes down hides so much more, down to the second."""

FEWEST_SMILES = 8

# where neighbouring upper teeth meet, face units from the midline (8.5, 6.5, 7 mm wide, the outer ones turned away)
_GAPS = (0.0, 0.132, 0.232, 0.322, 0.395)
_CAVITY = (0.20, 0.085, 0.08)
_TONGUE = (0.66, 0.33, 0.33)
_SHOWS_TEETH = 0.08
_DARKEST, _BRIGHTEST = 0.42, 0.86
# enamel is a little warm, and takes on some of the light's colour, which skin shows
_ENAMEL = (1.09, 1.06, 1.01)
_TINT = 0.10


class MouthInterior:
    """``texture`` (3, 24, 64), 1 = the row's mean brightness; ``brightness`` (2,): teeth = b0 + b1 * skin."""

    def __init__(self, texture: Tensor, brightness: Tensor) -> None:
        if texture.shape != (3, *TEXTURE) or brightness.shape != (2,):
            raise WeightsError(
                f"A mouth interior needs a texture of {(3, *TEXTURE)} and a brightness of (2,), not "
                f"{tuple(texture.shape)} and {tuple(brightness.shape)}; use one written by MouthInterior.state()."
            )
        self.texture = texture.float()
        self.brightness = brightness.float()

    @classmethod
    def learn(cls, pictures: Tensor, landmarks: Tensor, yaw: Tensor) -> Self:
        """Average the tooth rows of the open smiles among ``pictures``.

        ``pictures`` (N, 3, H, W) in 0..1, ``landmarks`` (N, 478, 2) pixels, ``yaw`` (N,) degrees. Raises
        TrainingError when there are fewer than 8 usable smiles (then use the packaged one).
        """
        mouth = opening(landmarks, mesh.INNER_UPPER, mesh.INNER_LOWER)
        share = mouth.gap / mouth.width
        smiling = ((share > 0.12) & (share < 0.24) & (mouth.gap > 5) & (yaw.abs() < 10)).nonzero()[:, 0]
        rows = _unrolled(pictures[smiling], Opening(*(part[smiling] for part in mouth)))
        skin = skin_colour(pictures[smiling], landmarks[smiling]).mean(1)
        middle = rows[:, :, 6:18, 16:48]
        bright = middle.mean((1, 2, 3))
        pale = (middle.amax(1) - middle.amin(1)).mean((1, 2)) < 0.2
        natural = (middle[:, 2] - middle[:, 0]).mean((1, 2)) < 0.02
        usable = pale & natural & (bright > 0.85 * skin) & (bright < 1.5 * skin.clamp(min=0.3))
        if int(usable.sum()) < FEWEST_SMILES:
            raise TrainingError(
                f"Only {int(usable.sum())} of {len(pictures)} pictures show an open, frontal smile; {FEWEST_SMILES} "
                "are needed to learn how teeth look, so leave this to the packaged mouth interior."
            )
        texture = (rows[usable] / bright[usable, None, None, None]).mean(0)
        centred = torch.stack([torch.ones_like(skin[usable]), skin[usable]], 1)
        line = torch.linalg.lstsq(centred, bright[usable, None]).solution[:, 0]
        return cls((texture + texture.flip(2)) / 2, line)

    def state(self) -> dict[str, Tensor]:
        """Tensors for a safetensors file; ``MouthInterior(**state)`` is this one again."""
        return {"texture": self.texture.cpu().contiguous(), "brightness": self.brightness.cpu().contiguous()}

    def to(self, device: torch.device | str) -> Self:
        """Return a copy on ``device``."""
        return type(self)(self.texture.to(device), self.brightness.to(device))

    def paint(
        self, edited: Tensor, pictures: Tensor, before: Tensor, after: Tensor, unit: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return ``edited`` (B, 3, H, W) with the newly opened mouths filled, and where (B, 1, H, W).

        ``pictures`` as they were; landmarks (B, 478, 2) ``before`` and ``after`` the change, pixels; ``unit`` (B,)
        pixels per face unit.
        """
        height, width = edited.shape[-2:]
        old, new = (opening(points, mesh.INNER_UPPER, mesh.INNER_LOWER) for points in (before, after))
        u, v = new.coordinates(height, width)
        top, bottom = lookup(new.upper, u), lookup(new.lower, u)
        gap = bottom - top
        inside = (v - top + 0.5).clamp(0, 1) * (bottom - v + 0.5).clamp(0, 1) * ((u > 0) & (u < 1))
        inside = inside * (gap / 1.2).clamp(0, 1)
        depth, scale = v - top, unit[:, None, None]
        cavity = self._cavity(pictures, before, u, depth / gap.clamp(min=0.5), gap / scale)
        lip = mesh.UPPER_LIP[3][4]
        raised = ((before[:, lip] - after[:, lip]) * new.across).sum(1) / unit
        shown = (SHOWN + raised).clamp(LEAST_SHOWN, TOOTH_HEIGHT)
        drawn = self._teeth(pictures, before, u, depth, gap, new, unit, shown, cavity)
        # lips that were all but closed show too little of their teeth to keep
        kept = ((old.gap / unit - _SHOWS_TEETH) / 0.045).clamp(0, 1)
        closed = ((new.gap - old.gap) / 1.5).clamp(0, 1) * (1 - kept)
        # where the lower lip hid the teeth's ends, drawn ones go on below them
        hidden = ((TOOTH_HEIGHT - old.gap / unit) / 0.03).clamp(0, 1)[:, None, None, None]
        own = _own_teeth(pictures, old, depth, scale, drawn * hidden + cavity * (1 - hidden))
        open_ = ((new.gap - old.gap - 1) / 2).clamp(0, 1) * kept
        first = _softened(inside[:, None] * closed[:, None, None, None], 0.6)
        second = _softened(inside[:, None] * open_[:, None, None, None], 1.0)
        seam, shut = _seam(pictures, old, new, u, v, scale)
        painted = edited * (1 - shut) + seam * shut
        painted = painted * (1 - first) + drawn * first
        painted = painted * (1 - second) + own * second
        return painted, torch.maximum(first, second)

    def _teeth(
        self,
        pictures: Tensor,
        landmarks: Tensor,
        u: Tensor,
        depth: Tensor,
        gap: Tensor,
        mouth: Opening,
        unit: Tensor,
        shown: Tensor,
        cavity: Tensor,
    ) -> Tensor:
        """The drawn upper teeth, ``shown`` (B,) face units of them, over ``cavity``: (B, 3, H, W)."""
        scale = unit[:, None, None]
        aside = (u - 0.5) * mouth.width[:, None, None] / scale
        tall = shown[:, None, None] * (1 - 0.9 * aside.abs() ** 1.5) * scale
        row = depth / torch.minimum(tall, gap.clamp(min=0.5))
        places = torch.stack([u * 2 - 1, (row * 0.9 + 0.02) * 2 - 1], 3).clamp(-1, 1)
        texture = self.texture[None].expand(len(u), -1, -1, -1)
        skin = skin_colour(pictures, landmarks)
        light = skin.mean(1, keepdim=True)
        bright = (self.brightness[0] + self.brightness[1] * light).clamp(_DARKEST, _BRIGHTEST)
        tone = bright * bright.new_tensor(_ENAMEL) * ((skin + 0.02) / (light + 0.02)) ** _TINT
        teeth = F.grid_sample(texture, places, align_corners=False) * tone[..., None, None]
        teeth = teeth * _tooth_relief(aside, (depth / tall).clamp(0, 1))[:, None]
        here = ((1.08 - row) / 0.16).clamp(0, 1)[:, None]
        shaded = teeth * here + cavity * (1 - here)
        lip = 0.60 + 0.40 * (depth / (0.05 * scale)).clamp(0, 1)
        floor = 0.80 + 0.20 * ((gap - depth) / (0.03 * scale)).clamp(0, 1)
        corners = 0.45 + 0.55 * ((0.5 - (u - 0.5).abs()) / 0.20).clamp(0, 1)
        return shaded * (lip * floor * corners)[:, None]

    @staticmethod
    def _cavity(pictures: Tensor, landmarks: Tensor, u: Tensor, share: Tensor, gap: Tensor) -> Tensor:
        """The dark of the mouth, and a tongue low in wide open ones: (B, 3, H, W)."""
        light = skin_colour(pictures, landmarks).mean(1).clamp(0.04, 0.8)[:, None, None, None]
        dark = light * light.new_tensor(_CAVITY)[None, :, None, None] + 0.01
        tongue = light * light.new_tensor(_TONGUE)[None, :, None, None]
        spread = torch.exp(-(((u - 0.5) / 0.23) ** 2) / 2)
        there = 0.8 * spread * ((share - 0.62) / 0.25).clamp(0, 1) * ((gap - 0.16) / 0.1).clamp(0, 1)
        return dark * (1 - there[:, None]) + tongue * there[:, None]


def skin_colour(pictures: Tensor, landmarks: Tensor) -> Tensor:
    """The mean colour of the cheeks, (B, 3)."""
    return sample_at(pictures, landmarks[:, None, list(mesh.CHEEKS)]).mean((2, 3))


def _unrolled(pictures: Tensor, mouth: Opening) -> Tensor:
    """The mouths' insides as rectangles (N, 3, 24, 64)."""
    u = torch.linspace(0, 1, TEXTURE[1], device=pictures.device).expand(len(pictures), *TEXTURE)
    share = torch.linspace(0.08, 0.92, TEXTURE[0], device=pictures.device)[None, :, None]
    v = lookup(mouth.upper, u) * (1 - share) + lookup(mouth.lower, u) * share
    return sample_at(pictures, mouth.pixels(u, v))


def _own_teeth(pictures: Tensor, old: Opening, depth: Tensor, scale: Tensor, cavity: Tensor) -> Tensor:
    """What the open mouth shows already, where it is (upper teeth do not move in the head), over ``cavity``.

    A raised lip uncovers more of the same teeth: their upper end is drawn out. ``depth`` is below the new upper lip.
    """
    u, v = old.coordinates(*pictures.shape[-2:])
    top = lookup(old.upper, u)
    shown = (lookup(old.lower, u) - top).clamp(min=0.1)
    below = v - top
    inset = 0.10 * shown + 0.5
    place = inset + torch.where(below < inset, 0.2 * (inset - below), below - inset)
    place = torch.minimum(place, torch.maximum(0.78 * shown, inset))
    own = sample_at(pictures, old.pixels(u.clamp(0.04, 0.96), top + place))
    lip = 0.65 + 0.35 * (depth / (0.06 * scale)).clamp(0, 1)
    beside = ((0.5 - (u - 0.5).abs()) * old.width[:, None, None] / 2 + 1).clamp(0, 1)
    here = (((0.80 * shown - below) / 1.5 + 0.5).clamp(0, 1) * beside)[:, None]
    return (own * here + cavity * (1 - here)) * lip[:, None]


def _seam(pictures: Tensor, old: Opening, new: Opening, u: Tensor, v: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    """Lips that have just met, and where: only lip on either side of a dark line, none of the teeth between."""
    top, bottom = lookup(new.upper, u), lookup(new.lower, u)
    middle, gap = (top + bottom) / 2, bottom - top
    old_gap = lookup(old.lower, u) - lookup(old.upper, u)
    aside = v - middle
    # the landmarks' line runs on the lip's inner edge, so start a little inside the lip
    margin = 0.02 * scale
    above = lookup(old.upper, u) + torch.minimum(aside, aside.new_zeros(())) - margin
    below = lookup(old.lower, u) + torch.maximum(aside, aside.new_zeros(())) + margin
    lips = sample_at(pictures, old.pixels(u.clamp(0, 1), torch.where(aside < 0, above, below)))
    line = torch.exp(-((aside / (0.016 * scale)) ** 2) / 2)[:, None]
    line = line * (torch.minimum(u, 1 - u) / 0.2).clamp(0, 1)[:, None]
    closed = ((old_gap - gap) / 1.5 - 0.3).clamp(0, 1) * ((2.5 - gap) / 1.5).clamp(0, 1)
    near = ((0.09 * scale - aside.abs()) / (0.04 * scale)).clamp(0, 1) * ((u > 0) & (u < 1))
    return lips * (1 - 0.4 * line), _softened((closed * near)[:, None], 1.0)


def _tooth_relief(aside: Tensor, depth: Tensor) -> Tensor:
    """Brightness of single teeth: lines where they meet, deeper towards the edge, a little light on each."""
    lines = torch.zeros_like(aside)
    for place in _GAPS:
        lines = torch.maximum(lines, torch.exp(-(((aside.abs() - place) / 0.014) ** 2) / 2))
    return 1.05 - (0.09 + 0.18 * depth) * lines - 0.06 * depth


def _softened(mask: Tensor, share: float) -> Tensor:
    return share * F.avg_pool2d(mask, 3, 1, 1) + (1 - share) * mask
