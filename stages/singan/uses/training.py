"""Training a model of one picture, scale by scale; one that stopped goes on to the same weights."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from singanimation.stages.singan.pyramid import resize
from singanimation.stages.singan.reference.scale import ScaleTraining
from singanimation.stages.singan.tensors import to_pictures, to_tensor
from singanimation.stages.singan.uses.drawing import reconstruct
from singanimation.stages.singan.uses.model import ModelSettings, PictureModel


@dataclass(frozen=True)
class ScaleDone:
    """A scale that was just trained: its index (0 is the coarsest), size, and how near it comes to the picture.

    ``error``: the root mean square difference of the reconstruction, in levels of 255; ``before``: the same of the
    scale before, up-sampled, which is what this one began with (None at the coarsest).
    """

    model: PictureModel
    scale: int
    height: int
    width: int
    error: float
    before: float | None


def shrink(picture: np.ndarray, max_size: int) -> np.ndarray:
    """Return uint8 (H, W, 3) of the same aspect, the longer side at most ``max_size``, bicubic and anti-aliased."""
    height, width = picture.shape[:2]
    share = min(max_size / max(height, width), 1.0)
    shape = max(round(height * share), 1), max(round(width * share), 1)
    return to_pictures(resize(to_tensor(np.array(picture)[None], "cpu"), shape))[0]


def new_model(picture: np.ndarray, settings: ModelSettings, max_size: int, device: str = "cpu") -> PictureModel:
    """Return the untrained model of ``picture`` uint8 (H, W, 3), shrunk to ``max_size``. Raises UsageError."""
    return PictureModel(shrink(picture, max_size), settings, device)


def train(model: PictureModel) -> Iterator[ScaleDone | None]:
    """Train the scales that are left, coarsest first; yield None after each iteration, and a ScaleDone after a scale.

    A model that stopped anywhere and was stored goes on to the same weights as without the stop.
    """
    pyramid, recipe = model.pyramid, model.settings.recipe()
    while not model.complete:
        scale = pyramid.first + len(pyramid.scales)
        going = model.going = model.going or ScaleTraining(pyramid, scale, recipe)
        while not going.done:
            going.step()
            yield None
        pyramid.scales[scale], model.going = going.finish(), None
        real = pyramid.pictures[scale]
        before = _levels(pyramid.chain(scale, None), real) if scale else None
        yield ScaleDone(model, scale, *pyramid.shape(scale), _levels(reconstruct(model, scale), real), before)


def train_scales(model: PictureModel) -> Iterator[ScaleDone]:
    """Train like ``train``; yield after each scale alone."""
    return (done for done in train(model) if done is not None)


def _levels(made: torch.Tensor, real: torch.Tensor) -> float:
    """Return the root mean square difference of (1, 3, h, w) in -1..1, in levels of 255."""
    return float((made - real).square().mean().sqrt()) * 127.5
