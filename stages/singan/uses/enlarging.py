"""Super-resolution by a model: its finest scale, over and over (SinGAN, section 4)."""

from collections.abc import Callable

import numpy as np
import torch

from singanimation.pipeline.errors import UsageError
from singanimation.stages.singan.networks import COLOURS
from singanimation.stages.singan.pyramid import resize
from singanimation.stages.singan.randomness import EditRandomness
from singanimation.stages.singan.tensors import to_pictures, to_tensor
from singanimation.stages.singan.uses.drawing import cascade, check_complete
from singanimation.stages.singan.uses.model import PictureModel


def enlarge(model: PictureModel, seed: int = 0, noise: float = 1.0) -> np.ndarray:
    """Return the model's picture, enlarged ``settings.enlarge`` times: uint8 (H * s, W * s, 3).

    A step up-samples by r^-1 = s^(1/k) and adds what the finest scale, trained at that ratio, adds; ``noise`` times
    sigma as in training. The structure of a picture repeats across its scales: that is all the method knows.
    Raises UsageError for a model that was not trained to enlarge.
    """
    check_complete(model)
    steps = model.settings.steps()
    if not steps:
        raise UsageError(
            "This model was not trained to enlarge: `augment singan train PICTURE --enlarge 4` trains one that was."
        )
    finest = model.scales - 1
    picture = to_tensor(model.picture[None], "cpu").to(model.like)
    for step, shape in enumerate(enlarged_shapes(model), 1):
        picture = cascade(model, picture, [finest], [shape], _noise(model, seed, step, noise))
    return to_pictures(picture)[0]


def _noise(
    model: PictureModel, seed: int, step: int, share: float
) -> Callable[[int, tuple[int, int]], torch.Tensor | None]:
    def draw(scale: int, size: tuple[int, int]) -> torch.Tensor | None:
        if not share:
            return None
        return EditRandomness([seed], f"uses:enlarge:{step}", model.like).normal(1, COLOURS, *size) * share

    return draw


def enlarged_shapes(model: PictureModel) -> list[tuple[int, int]]:
    """Return the sizes (h, w) of the steps; the last is exactly ``settings.enlarge`` times the picture's."""
    height, width = model.picture.shape[:2]
    steps = model.settings.steps()
    shares = [model.settings.enlarge ** (step / steps) for step in range(1, steps + 1)]
    return [(round(height * share), round(width * share)) for share in shares]


def bicubic(picture: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return uint8 (h, w, 3) resized to ``shape`` (H, W): what enlarging is measured against."""
    return to_pictures(resize(to_tensor(np.array(picture)[None], "cpu"), shape))[0]
