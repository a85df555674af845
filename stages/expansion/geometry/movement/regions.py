"""Which action units may change which part of the face, as smooth gates in face coordinates.

AUs of the eyes leave the mouth alone and AUs of the mouth leave the eyes alone; the rest (AU06, AU09) may
reach everywhere.
"""

import torch
from torch import Tensor

from singanimation.pipeline.expressions import AU_INDEX, AU_NAMES

EYE_UNITS = ("AU01", "AU02", "AU04", "AU05", "AU07", "AU45")
MOUTH_UNITS = ("AU10", "AU12", "AU14", "AU15", "AU17", "AU20", "AU23", "AU25", "AU26")
FREE_UNITS = tuple(name for name in AU_NAMES if name not in EYE_UNITS + MOUTH_UNITS)
GROUPS = (EYE_UNITS, MOUTH_UNITS, FREE_UNITS)

# face units below the eyes' line: the lower lids grown by a quarter end near 0.35, the lips' hull so grown
# begins near 0.72
_EYES_END = (0.42, 0.62)
_MOUTH_BEGINS = (0.30, 0.52)


def group_members(device: torch.device | str) -> Tensor:
    """Return (3, 17): 1 where an AU belongs to a group of ``GROUPS``."""
    members = torch.zeros(len(GROUPS), len(AU_NAMES), device=device)
    for group, names in enumerate(GROUPS):
        members[group, [AU_INDEX[name] for name in names]] = 1
    return members


def gates(y: Tensor) -> Tensor:
    """Return how much each group may change pixels at face coordinate ``y`` (B, h, w): (B, 3, h, w) in 0..1."""
    return torch.stack([1 - _rise(y, *_EYES_END), _rise(y, *_MOUTH_BEGINS), torch.ones_like(y)], 1)


def _rise(value: Tensor, start: float, end: float) -> Tensor:
    """Smoothstep from 0 at ``start`` to 1 at ``end``."""
    share = ((value - start) / (end - start)).clamp(0, 1)
    return share * share * (3 - 2 * share)
