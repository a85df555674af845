"""How large the drawn mean face of ``conftest.py`` is, and changes of action units by name."""

import torch
from torch import Tensor

from singanimation.pipeline.expressions import AU_INDEX, AU_NAMES

SIZE = 128
UNIT = 43.6


def change_of(**units: float) -> Tensor:
    change = torch.zeros(1, len(AU_NAMES))
    for name, value in units.items():
        change[0, AU_INDEX[name]] = value
    return change
