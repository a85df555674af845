"""What a smile leaves behind when it goes: folds beside the nose and the cheeks' apples, which no flow takes away.

Where they lie, what is broader than the skin's grain and narrower than the light on the face is taken out: a band of
the picture's frequencies, measured on skin alone.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from singanimation.pipeline.expressions import AU_INDEX
from singanimation.pipeline.face import mesh
from singanimation.stages.expansion.geometry.movement.curves import chain_across, lookup, opening
from singanimation.stages.expansion.geometry.painting.interior import skin_colour

GRAIN, LIGHT = 0.035, 0.26
"""The band's ends: spreads of the two Gaussians, face units."""

GONE = 0.8
"""How much of the band goes at most."""

FROM, TO = 0.1, 0.55
"""By how much AU12 (or half as much AU06 besides) has to fall for the folds to begin to go, and to be gone."""

LIKE_SKIN = 0.22
"""How far (0..1, all channels) a pixel may be from the cheeks' colour to count as skin: beards do not."""

BEARDED = 0.45
"""Where less than this share around the mouth's corners is like skin, their shadows are a beard."""

Bands = tuple[tuple[tuple[int, int], float], ...]

# (from, to, spread in face units) on the half at the picture's left: the fold, and on from it beside the mouth; the
# cheek's apple; below the eye
_BANDS = (((203, 206), 0.085), ((206, 216), 0.085), ((216, 57), 0.075), ((205, 50), 0.13), ((229, 31), 0.05))
# the corners' own shadows, which are darker than skin and stay behind as hooks
_HOOKS = (((57, 61), 0.05), ((57, 43), 0.06), ((216, 57), 0.05))


def without_folds(edited: Tensor, landmarks: Tensor, change: Tensor, unit: Tensor, mirror: Tensor) -> Tensor:
    """Return ``edited`` (B, 3, H, W) in 0..1 without the folds of smiles that go.

    ``landmarks`` (B, 478, 2) pixels where they are now, ``change`` (B, 17), ``unit`` (B,) pixels per face unit.
    """
    fallen = -change[:, AU_INDEX["AU12"]] - 0.5 * change[:, AU_INDEX["AU06"]].clamp(max=0)
    fallen = torch.where(change[:, AU_INDEX["AU12"]] < 0, fallen, torch.zeros_like(fallen))
    amount = GONE * ((fallen - FROM) / (TO - FROM)).clamp(0, 1)
    some = (amount > 0).nonzero()[:, 0]
    if len(some) == 0:
        return edited
    result = edited.clone()
    for face in some.tolist():  # one by one: each has kernels of its own size
        one = slice(face, face + 1)
        result[one] = _flattened(edited[one], landmarks[one], amount[face], float(unit[face]), mirror)
    return result


def _flattened(picture: Tensor, landmarks: Tensor, amount: Tensor, unit: float, mirror: Tensor) -> Tensor:
    height, width = picture.shape[-2:]
    lips = _lips(landmarks, height, width, unit)
    distance = (picture - skin_colour(picture, landmarks)[:, :, None, None]).square().mean(1, keepdim=True)
    skin = torch.exp(-distance / (2 * LIKE_SKIN**2)) * (1 - lips)
    fine, broad = (_blurred(picture, skin, spread * unit) for spread in (GRAIN, LIGHT))
    bands = _bands(_BANDS, landmarks, mirror, height, width, unit)
    flat = picture - amount * bands * skin * (fine - broad)
    hooks = _bands(_HOOKS, landmarks, mirror, height, width, unit)
    bare = (((hooks * skin).sum() / hooks.sum().clamp(min=1e-3) - BEARDED) / (1 - BEARDED)).clamp(0, 1)
    deep = (broad - flat).mean(1, keepdim=True).clamp(min=0)
    return (flat + amount * bare * hooks * (1 - lips) * deep).clamp(0, 1)


def _bands(bands: Bands, landmarks: Tensor, mirror: Tensor, height: int, width: int, unit: float) -> Tensor:
    """Where folds and apples lie on both sides: (1, 1, H, W) in 0..1."""
    device = landmarks.device
    x = torch.arange(width, device=device) + 0.5
    y = torch.arange(height, device=device)[:, None] + 0.5
    ends = [each for (a, b), _ in bands for each in ((a, b), (int(mirror[a]), int(mirror[b])))]
    first, second = landmarks[0, torch.tensor(ends, device=device)].unbind(1)
    start, span = (each[..., None, None] for each in (first, second - first))
    along = (x - start[:, 0]) * span[:, 0] + (y - start[:, 1]) * span[:, 1]
    along = (along / span.square().sum(1).clamp(min=1e-3)).clamp(0, 1)
    away = (x - start[:, 0] - along * span[:, 0]) ** 2 + (y - start[:, 1] - along * span[:, 1]) ** 2
    broad = landmarks.new_tensor([2 * (spread * unit) ** 2 for _, spread in bands for _ in range(2)])
    return torch.exp(-away / broad[:, None, None]).amax(0)[None, None]


def _lips(landmarks: Tensor, height: int, width: int, unit: float) -> Tensor:
    """The mouth, soft at its border: (1, 1, H, W) in 0..1."""
    left, right = mesh.MOUTH_CORNERS
    upper, lower = ((left, *ring[0], right) for ring in (mesh.UPPER_LIP, mesh.LOWER_LIP))
    mouth = opening(landmarks, upper, lower)
    u, v = mouth.coordinates(height, width)
    top, bottom = (lookup(chain_across(mouth, landmarks[:, list(chain)]), u) for chain in (upper, lower))
    soft = 0.03 * unit
    inside = torch.minimum(v - top, bottom - v) / soft + 1
    ends = torch.minimum(u, 1 - u) * mouth.width[:, None, None] / soft + 1
    return torch.minimum(inside, ends).clamp(0, 1)[:, None]


def _blurred(picture: Tensor, weight: Tensor, spread: float) -> Tensor:
    """The mean of ``picture`` around each pixel, by a Gaussian and by ``weight`` (1, 1, H, W)."""
    both = torch.cat([picture * weight, weight], 1)
    size = both.shape[-2:]
    step = 1 if spread < 4 else 2
    small = F.avg_pool2d(both, step) if step > 1 else both
    reach = max(1, round(2.5 * spread / step))
    line = torch.exp(-((torch.arange(-reach, reach + 1, device=picture.device) * step / spread) ** 2) / 2)
    line = (line / line.sum()).expand(both.shape[1], 1, -1)
    small = F.conv2d(F.pad(small, (reach, reach, 0, 0), mode="replicate"), line[:, :, None], groups=both.shape[1])
    small = F.conv2d(F.pad(small, (0, 0, reach, reach), mode="replicate"), line[..., None], groups=both.shape[1])
    whole = F.interpolate(small, size=size, mode="bilinear") if step > 1 else small
    return whole[:, :-1] / whole[:, -1:].clamp(min=1e-3)
