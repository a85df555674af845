"""A training small enough for tests: three blurred-noise faces, a thin generator, a made-up AU network."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from singanimation.stages.expansion.geometry import load_mean_landmarks
from singanimation.stages.expansion.geometry.generator import GeometryGenerator
from singanimation.stages.expansion.geometry.training.recipe import GeometryObjective
from singanimation.stages.expansion.training.loop import TrainingFaces
from singanimation.stages.expansion.training.recipes import RECIPES
from singanimation.stages.expansion.training.settings import TrainSettings

SMALL = TrainSettings(steps=4, batch_size=2, width=0.13, learning_rate=1e-3, seed=5)


SMALL_OPTIONS = {"widths": [8, 8, 8], "blocks": 1, "fine_blocks": 1, "finish": 8, "finder": 8}


def small_generator(seed: int = 0) -> GeometryGenerator:
    """An untrained generator that finds the mean face near the middle of every crop."""
    torch.manual_seed(seed)
    generator = GeometryGenerator(**SMALL_OPTIONS).eval()
    middle = load_mean_landmarks() * 43.6 + torch.tensor([64.0, 45.1])
    generator.finder.learn_shapes(middle + torch.randn(20, 478, 2))
    return generator


def made_up_faces() -> TrainingFaces:
    """Three blurred-noise pictures whose landmarks are the mean face."""
    rng = np.random.default_rng(0)
    coarse = torch.from_numpy(rng.uniform(60, 200, (3, 3, 20, 20))).float()
    pictures = nn.functional.interpolate(coarse, 160, mode="bicubic").clamp(0, 255).byte()
    landmarks = load_mean_landmarks().numpy() * 43.6 + np.array([80.0, 61.1])
    units = rng.uniform(0, 0.4, (3, 17)).astype(np.float32)
    return TrainingFaces(
        pictures.permute(0, 2, 3, 1).contiguous().numpy(), np.repeat(landmarks[None], 3, 0).astype(np.float32), units
    )


def labelled_faces(each: int = 12) -> TrainingFaces:
    """Blurred noise with a label each: of happiness a bright lower half, of neutral a dark one; two data sets."""
    faces = made_up_faces()
    labels = np.repeat(np.array([3, 6]), each)
    pictures = faces.pictures[np.arange(2 * each) % 3].copy()
    pictures[labels == 3, 80:] = 230
    pictures[labels == 6, 80:] = 20
    rows = np.arange(2 * each) % 3
    return TrainingFaces(
        pictures, faces.landmarks[rows], faces.action_units[rows], labels, np.zeros(2 * each, np.int64)
    )


def losses_of(objective: Any, steps: int, learning_rate: float) -> list[dict[str, float]]:
    """Return each step's own losses, not the running means that a training tells."""
    random = torch.Generator().manual_seed(1)
    return [objective.step(random, learning_rate, step / steps) for step in range(steps)]


class _SmallDescription(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.layer = nn.Conv2d(3, 17, 5, 4).requires_grad_(False)

    def forward(self, pictures: Tensor) -> tuple[Tensor, list[Tensor]]:
        maps = self.layer(pictures)
        return maps.mean((2, 3)).sigmoid(), [maps]


def objective_of(settings: TrainSettings, faces: TrainingFaces) -> Any:
    if settings.recipe != "geometry":
        return RECIPES[settings.recipe]()(settings, faces)
    return GeometryObjective(settings, faces, _SmallDescription())
