"""A picture that moves: a random walk of the noise at all scales (SinGAN, section 4)."""

import numpy as np
import torch

from singanimation.stages.singan.networks import COLOURS
from singanimation.stages.singan.randomness import EditRandomness
from singanimation.stages.singan.tensors import to_pictures
from singanimation.stages.singan.uses.drawing import cascade, check_draws
from singanimation.stages.singan.uses.model import PictureModel

_FIRST = 0.05
"""Share of fresh noise in the step before the first frame, as in the released code."""


def animate(
    model: PictureModel, frames: int, *, start: str = "N-2", alpha: float = 0.1, beta: float = 0.9, seed: int = 0
) -> np.ndarray:
    """Return the frames of a walk near the picture: uint8 (frames, H, W, 3).

    ``alpha`` holds the walk to the picture's own noise z*, ``beta`` to its direction; scales coarser than ``start``
    stand still. Raises UsageError for a start that the model does not have, and an unfinished model.
    """
    check_draws(model)
    first = model.start(start)
    walks = [walk(model, scale, frames, alpha, beta, seed) if scale >= first else None for scale in range(model.scales)]
    still = model.pyramid.optimal_noise
    drawn = []
    for frame in range(frames):

        def noise(scale: int, size: tuple[int, int], frame: int = frame) -> torch.Tensor | None:
            steps = walks[scale]
            if steps is not None:
                return steps[frame]
            return still if scale == 0 else None

        zeros = torch.zeros_like(model.pyramid.pictures[0])
        drawn.append(cascade(model, zeros, range(model.scales), model.shapes(), noise))
    return to_pictures(torch.cat(drawn))


def walk(model: PictureModel, scale: int, frames: int, alpha: float, beta: float, seed: int) -> list[torch.Tensor]:
    """Return the noise of a scale, a frame each, (1, 1 or 3, h, w): eq. 1 of the paper's supplement.

    z_t = alpha z* + (1 - alpha) (z_(t-1) + beta (z_(t-1) - z_(t-2)) + (1 - beta) u_t), u_t standard normal; z* is
    nothing but at the coarsest scale.
    """
    shape = model.pyramid.shape(scale)
    channels = COLOURS if scale else 1
    randomness = EditRandomness([seed], f"uses:animate:{scale}", model.like)
    home = torch.zeros(1, channels, *shape).to(model.like)
    if scale == 0 and model.pyramid.optimal_noise is not None:
        home = model.pyramid.optimal_noise[:, :1]
    before, now = home, (1 - _FIRST) * home + _FIRST * randomness.normal(1, channels, *shape)
    found = []
    for _ in range(frames):
        step = beta * (now - before) + (1 - beta) * randomness.normal(1, channels, *shape)
        before, now = now, alpha * home + (1 - alpha) * (now + step)
        found.append(now)
    return found
