"""Eyeballs stay in place while lids move over them: no stretched iris, and white above it in wide eyes."""

from typing import NamedTuple

import torch
from torch import Tensor

from singanimation.pipeline.face.mesh import IRIS_LEFT, IRIS_RIGHT
from singanimation.stages.expansion.geometry.movement.curves import Opening, lookup, opening
from singanimation.stages.expansion.geometry.movement.flow import sample_at
from singanimation.stages.expansion.geometry.movement.lids import eye_chains
from singanimation.stages.expansion.geometry.painting.interior import skin_colour

LID_SHADOW = 0.038
"""Below the upper lid's edge this much (face units) is lashes and shadow, no eyeball."""

LID_SHADE, SHADE_DEPTH = 0.35, 0.03
"""How much the upper lid darkens the eyeball at its edge, and over which length (face units) that wears off."""

SLIT, SQUINT, OPEN = 0.065, 0.085, 0.125
"""Gaps of the lids, face units. From SQUINT to OPEN what shows of the white is more and more believed: that of a
squinting eye is lashes and lid, half as bright, against the cheeks, as in wide eyes. Up to SLIT nothing is made up."""

USUAL_WHITE = (0.76, 0.90, 1.02)
"""The white of the eye over the cheeks' colour, R G B: near the medians (0.77 0.90 1.01) of the 111 eyes
among 438 validation ones whose lids are 0.15 face units apart and more."""

USUAL_IRIS, USUAL_PUPIL = (0.42, 0.50, 0.54), (0.22, 0.29, 0.33)
"""Iris (at 0.8 of its radius) and pupil over the cheeks' colour: medians of the 1,626 eyes among the training faces
whose lids are 0.14 face units apart and more. What an eye that was shut is painted with."""

SHUT = 0.035
"""Gap of the lids, face units, below which nothing of the eyeball shows."""


class EyeballMap(NamedTuple):
    """What shows of the eyeballs on B pictures.

    ``still`` (B, 1, H, W) in 0..1: the picture's own pixels, in place; ``paint`` (B, 1, H, W) in 0..1: where a raised
    lid uncovers what no pixel shows, to be filled with ``colour`` (B, 3, H, W).
    """

    still: Tensor
    paint: Tensor
    colour: Tensor


def still_eyeballs(pictures: Tensor, before: Tensor, after: Tensor, unit: Tensor, mirror: Tensor) -> EyeballMap:
    """Find what of the eyeballs shows when the lids go from ``before`` to ``after`` (B, 478, 2), pixels.

    ``pictures`` (B, 3, H, W) as they were, ``unit`` (B,) pixels per face unit. Lids that do not move give zeros.
    """
    batch, _, height, width = pictures.shape
    both = EyeballMap(*(pictures.new_zeros(batch, channels, height, width) for channels in (1, 1, 3)))
    tones = pictures.new_tensor([USUAL_WHITE, USUAL_IRIS, USUAL_PUPIL])
    usual = (skin_colour(pictures, before)[:, None] * tones).clamp(max=1)
    for iris, (upper, lower) in zip((IRIS_LEFT, IRIS_RIGHT), eye_chains(mirror), strict=True):
        old, new = opening(before, upper, lower), opening(after, upper, lower)
        centre = before[:, iris]
        edge = before[:, iris + 1 : iris + 5]
        radius = (edge - centre[:, None]).norm(dim=2).mean(1)
        part = _eyeball(pictures, (old, new), centre, radius, unit, usual)
        for total, share in zip(both, part, strict=True):
            total += share
    return both


def _eyeball(
    pictures: Tensor, openings: tuple[Opening, Opening], centre: Tensor, radius: Tensor, unit: Tensor, usual: Tensor
) -> EyeballMap:
    old, new = openings
    size = pictures.shape[-2:]
    believed = ((old.gap / unit - SQUINT) / (OPEN - SQUINT)).clamp(0, 1)
    opened = ((new.gap / unit - SLIT) / (SQUINT - SLIT)).clamp(0, 1)
    u, v = new.coordinates(*size)
    ends = (torch.minimum(u, 1 - u) * new.width[:, None, None] / 2).clamp(0, 1)
    depth = v - lookup(new.upper, u)
    inside = depth.clamp(0, 1) * (lookup(new.lower, u) - v + 0.3).clamp(0, 1) * ends
    shade = 1 - LID_SHADE * torch.exp(-depth.clamp(min=0) / (SHADE_DEPTH * unit[:, None, None]))
    u, v = old.coordinates(*size)
    shadow = LID_SHADOW * unit
    below = v - lookup(old.upper, u) - shadow[:, None, None]
    above = lookup(old.lower, u) - v
    shown = (below + 0.5).clamp(0, 1) * (above + 0.3).clamp(0, 1)
    moved = (new.upper - old.upper).abs().amax(1) + (new.lower - old.lower).abs().amax(1)
    widened = (old.upper - new.upper + new.lower - old.lower).amax(1)
    still = inside * shown * (moved / 0.5).clamp(0, 1)[:, None, None]
    hidden = torch.maximum(0.5 - below, 0.2 - above).clamp(0, 1)
    hidden = torch.maximum(hidden, ((1 - believed) * opened)[:, None, None])
    uncovered = inside * hidden * ((widened - 0.3) / 0.7).clamp(0, 1)[:, None, None]
    white = torch.lerp(usual[:, 0], _white(pictures, old, centre, radius), believed[:, None])
    guess = usual.clone()
    guess[:, 0] = 0.95 * white
    ball = _round_eyeball(pictures, old, (u, v), centre, radius, shadow, guess, unit)
    colour = ball * (shade * (uncovered > 0))[:, None]
    return EyeballMap(still[:, None], uncovered[:, None], colour)


def _round_eyeball(
    pictures: Tensor,
    old: Opening,
    place: tuple[Tensor, Tensor],
    centre: Tensor,
    radius: Tensor,
    shadow: Tensor,
    guess: Tensor,
    unit: Tensor,
) -> Tensor:
    """An eyeball that is the same all around: pupil and iris as the middle row shows them, the white outside.

    (B, 3, H, W) at ``place``, the coordinates in ``old``. The darker side of the iris is taken, so that no light's
    reflection becomes a ring. ``guess`` (B, 3, 3): white, and for eyes that were shut, iris and pupil.
    """
    u, v = place
    middle, height = (part[:, None, None] for part in _within(old, centre))
    away = torch.sqrt(((u - middle) * old.width[:, None, None]) ** 2 + (v - height) ** 2)
    top, bottom = lookup(old.upper, middle) + shadow[:, None, None], lookup(old.lower, middle) - 1
    row = torch.maximum(torch.minimum(height, bottom), top)
    aside = (away**2 - (row - height) ** 2).clamp(min=0).sqrt() / old.width[:, None, None]
    row = row.expand_as(u)
    left, right = (sample_at(pictures, old.pixels(middle + sign * aside, row)) for sign in (-1, 1))
    outside = (away - radius[:, None, None] + 0.5).clamp(0, 1)[:, None]
    white, iris, pupil = guess[..., None, None].unbind(1)
    guessed = torch.lerp(pupil, iris, (away / radius[:, None, None] - 0.2).div(0.6).clamp(0, 1)[:, None])
    shut = ((SLIT - old.gap / unit) / (SLIT - SHUT)).clamp(0, 1)[:, None, None, None]
    return torch.lerp(torch.minimum(left, right), guessed, shut) * (1 - outside) + white * outside


def _within(old: Opening, centre: Tensor) -> tuple[Tensor, Tensor]:
    """Where in the opening the iris' ``centre`` (B, 2) is: along 0..1 and across in pixels, (B,) each."""
    offset = centre - old.corner
    return (offset * old.along).sum(1) / old.width, (offset * old.across).sum(1)


def _white(pictures: Tensor, old: Opening, centre: Tensor, radius: Tensor) -> Tensor:
    """The white of the eye, the brighter one beside the iris: (B, 3)."""
    middle, reach = _within(old, centre)[0], radius / old.width
    places = torch.stack([(middle - reach) / 2 + 0.05, (1 + middle + reach) / 2 - 0.05], 1)[:, None].clamp(0, 1)
    across = (lookup(old.upper, places) + lookup(old.lower, places)) / 2
    sides = sample_at(pictures, old.pixels(places, across))[:, :, 0]
    best = sides.mean(1).argmax(1)
    return sides.gather(2, best[:, None, None].expand(-1, 3, 1))[:, :, 0]
