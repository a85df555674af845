"""SinGAN's own training (Shaham et al., ICCV 2019, and its released code), for many pictures at once.

Where the released code cannot be followed: it reuses a stale fake in the later generator steps (an error with
today's PyTorch; recomputed here), steps the scheduler before the optimiser (after it here, so that the rate falls
at iteration 1600 of 2000 as intended), and resizes through 8-bit pictures at every draw (in float here).
"""

from collections.abc import Iterator, Sequence

import torch

from singanimation.stages.singan.reference.pyramid import ReferencePyramid, ReferenceRecipe
from singanimation.stages.singan.reference.scale import ScaleTraining


def train_reference(
    target: torch.Tensor,
    seeds: Sequence[int],
    recipe: ReferenceRecipe,
    first: int,
    begun: ReferencePyramid | None = None,
) -> Iterator[ReferencePyramid]:
    """Train the SinGANs of ``target`` (1, B*3, H, H) in -1..1 from scale ``first`` on; yield after each scale.

    ``begun`` is a pyramid of the same target, seeds and recipe that stopped after some of its scales: it is
    completed, to the same weights as without the stop, since every scale draws from a seed of its own.
    """
    pyramid = begun or ReferencePyramid(target, seeds, first)
    for scale in range(first + len(pyramid.scales), len(pyramid.pictures)):
        training = ScaleTraining(pyramid, scale, recipe)
        while not training.done:
            training.step()
        pyramid.scales[scale] = training.finish()
        yield pyramid
