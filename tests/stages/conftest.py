"""What tests of the geometry teacher share: a drawn face, a texture, the teacher."""

import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from singanimation.stages.expansion.geometry import FaceGeometry, load_mean_landmarks

sys.path.insert(0, str(Path(__file__).parent))
from drawn_face import SIZE, UNIT


@pytest.fixture(scope="module")
def points() -> Tensor:
    """The packaged mean face where a crop has it: eye centres at (42.2, 45.1) and (85.8, 45.1), mouth ajar."""
    return load_mean_landmarks()[None] * UNIT + torch.tensor([64.0, 45.1])


@pytest.fixture(scope="module")
def picture() -> Tensor:
    """Smooth texture all over, symmetric: every displacement changes it."""
    x = (torch.arange(SIZE) + 0.5 - SIZE / 2).abs()
    y = torch.arange(SIZE)[:, None] + 0.5
    channels = [0.5 + 0.4 * torch.sin(x / 3 + phase) * torch.cos(y / 3.5 + phase) for phase in (0.0, 1.0, 2.0)]
    return torch.stack(channels)[None]


@pytest.fixture(scope="module")
def teacher() -> FaceGeometry:
    return FaceGeometry()
