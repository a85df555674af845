"""A drawn mean face where a crop has it, for tests of the geometry teacher."""

import torch
from torch import Tensor

from singanimation.pipeline.expressions import AU_INDEX, AU_NAMES
from singanimation.stages.ganimation.geometry import load_mean_landmarks

SIZE = 128
UNIT = 43.6


def mean_face() -> Tensor:
    """The packaged mean face where a crop has it: eye centres at (42.2, 45.1) and (85.8, 45.1), mouth ajar."""
    return load_mean_landmarks()[None] * UNIT + torch.tensor([64.0, 45.1])


def change_of(**units: float) -> Tensor:
    change = torch.zeros(1, len(AU_NAMES))
    for name, value in units.items():
        change[0, AU_INDEX[name]] = value
    return change
