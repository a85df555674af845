"""Drawing from a model: samples of any size, and pictures that are fed in at a scale (paintings, composites)."""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from singanimation.pipeline.errors import UsageError
from singanimation.stages.singan.networks import COLOURS, pad
from singanimation.stages.singan.pyramid import resize
from singanimation.stages.singan.randomness import EditRandomness
from singanimation.stages.singan.tensors import to_pictures, to_tensor
from singanimation.stages.singan.uses.model import MOST_SIDE, PictureModel

Shapes = Sequence[tuple[int, int]]
Noise = Callable[[int, tuple[int, int]], torch.Tensor | None]
"""A scale and its size (h, w) -> noise (S, 1 or 3, h, w) of unit deviation; None for none."""


@torch.no_grad()
def cascade(
    model: PictureModel, entering: torch.Tensor, scales: Sequence[int], shapes: Shapes, noise: Noise
) -> torch.Tensor:
    """Pass ``entering`` (S, 3, h, w) in -1..1 through ``scales``, each at its size of ``shapes``: (S, 3, H, W).

    A scale gets the picture up-sampled, and the noise times its sigma (SinGAN, eq. 1 to 3). The networks have seen
    one size only but are convolutions: any size will do.
    """
    picture = entering
    for scale, shape in zip(scales, shapes, strict=True):
        trained = model.pyramid.scales[scale]
        padded = pad(resize(picture, shape))
        drawn = noise(scale, shape)
        noisy = padded if drawn is None else padded + pad(drawn) * trained.noise
        picture = trained.generator(noisy, padded.expand(noisy.shape[0], -1, -1, -1))
    return picture


def unit_noise(model: PictureModel, seed: int, purpose: str) -> Noise:
    """Return noise that depends on the seed, the purpose, the scale and the size alone; one colour at the coarsest."""

    def draw(scale: int, shape: tuple[int, int]) -> torch.Tensor:
        randomness = EditRandomness([seed], f"uses:{purpose}:{scale}", model.like)
        return randomness.normal(1, COLOURS if scale else 1, *shape)

    return draw


def reconstruct(model: PictureModel, scale: int) -> torch.Tensor:
    """Return what the scales up to ``scale`` make of z* and no other noise: (1, 3, h, w), near the picture."""
    fixed, first = model.pyramid.optimal_noise, model.pyramid.first
    return cascade(
        model,
        model.pyramid.entering(),
        range(first, scale + 1),
        model.shapes()[first : scale + 1],
        lambda each, shape: fixed if each == 0 else None,
    )


def sample(
    model: PictureModel, seeds: Sequence[int], *, start: str = "N", shape: tuple[int, int] | None = None
) -> np.ndarray:
    """Draw a picture a seed: uint8 (K, H, W, 3) of ``shape`` (H, W), by default the picture's own.

    ``start``: scales coarser than it run on z* without noise, so that what is random begins there. Another size has
    no z*: it takes the start N. Raises UsageError for that, a size out of range, and an unfinished model.
    """
    check_draws(model)
    first = model.start(start)
    shapes = model.shapes() if shape is None else _scaled(model, shape)
    if first and tuple(shapes) != model.shapes():
        raise UsageError(f"--start-scale {start}: another size than the picture's own is drawn from N alone.")
    fixed, drawn = model.pyramid.optimal_noise, []
    for seed in seeds:
        random = unit_noise(model, seed, f"sample:{start}")

        def noise(scale: int, size: tuple[int, int], random: Noise = random) -> torch.Tensor | None:
            if scale >= first:
                return random(scale, size)
            return fixed if scale == 0 else None

        zeros = torch.zeros(1, COLOURS, *shapes[0]).to(model.like)
        drawn.append(cascade(model, zeros, range(model.scales), shapes, noise))
    return to_pictures(torch.cat(drawn))


def inject(model: PictureModel, picture: np.ndarray, start: str, seed: int = 0, noise: float = 1.0) -> np.ndarray:
    """Feed ``picture`` uint8 (h, w, 3) at scale ``start`` and have the finer scales redraw it: uint8 (H, W, 3).

    It is shrunk to the size before the start's and up-sampled, which is what that scale was trained on; so the start
    is N-1 or finer. ``noise`` times sigma is added from there on (1: as published, 0: the same picture each time).
    Raises UsageError for another aspect than the model's picture, and an unfinished model.
    """
    check_draws(model)
    first = model.start(start)
    if first == 0:
        raise UsageError("--start-scale N: the coarsest scale takes no picture in; use N-1 or finer.")
    check_aspect(model, picture)
    entering = resize(to_tensor(np.array(picture)[None], "cpu").to(model.like), model.shapes()[first - 1])
    random = unit_noise(model, seed, f"inject:{start}")

    def scaled(scale: int, size: tuple[int, int]) -> torch.Tensor | None:
        drawn = random(scale, size) if noise else None
        return None if drawn is None else drawn * noise

    return to_pictures(cascade(model, entering, range(first, model.scales), model.shapes()[first:], scaled))[0]


def check_complete(model: PictureModel) -> None:
    """Raise UsageError where scales are still untrained."""
    if not model.complete:
        raise UsageError(
            f"The model has {len(model.pyramid.scales)} of its {model.learnt} scales; the same `augment singan train` "
            "goes on with the rest."
        )


def check_draws(model: PictureModel) -> None:
    """Raise UsageError where scales are untrained, or the model was trained to enlarge and has the finest alone."""
    check_complete(model)
    if model.pyramid.first:
        raise UsageError("This model was trained to enlarge and does nothing else; train one without --enlarge.")


def check_aspect(model: PictureModel, picture: np.ndarray, what: str = "picture") -> None:
    """Raise UsageError where a picture, shrunk to the model's, would be stretched by more than a pixel and a half.

    ``what`` it is is said.
    """
    height, width = model.picture.shape[:2]
    share = min(height / picture.shape[0], width / picture.shape[1])
    if max(height - share * picture.shape[0], width - share * picture.shape[1]) > 1.5:
        raise UsageError(
            f"The {what} is {picture.shape[1]} x {picture.shape[0]} pixels and the model's {width} x {height}: "
            "crop it to the same aspect."
        )


def _scaled(model: PictureModel, shape: tuple[int, int]) -> Shapes:
    height, width = model.picture.shape[:2]
    if not all(16 <= side <= MOST_SIDE for side in shape):
        raise UsageError(f"--size: {shape[1]}x{shape[0]} is out of range; 16 to {MOST_SIDE} pixels a side.")
    coarsest = model.shapes()[0]
    scaled = [(max(round(h * shape[0] / height), 1), max(round(w * shape[1] / width), 1)) for h, w in model.shapes()]
    if min(scaled[0]) < min(coarsest) // 2:
        raise UsageError(f"--size: {shape[1]}x{shape[0]} is less than half of the picture's {width}x{height}.")
    return scaled
