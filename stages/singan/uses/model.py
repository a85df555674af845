"""A SinGAN of one whole picture: what it was told, the picture, and its scales."""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch

from singanimation.pipeline.errors import UsageError
from singanimation.stages.singan.pyramid import COARSEST, pyramid_shapes, start_index
from singanimation.stages.singan.reference.pyramid import ReferencePyramid, ReferenceRecipe
from singanimation.stages.singan.reference.scale import ScaleTraining
from singanimation.stages.singan.tensors import to_tensor

STEPS = 3
"""Steps in which a doubling is done: the released code takes a ratio of 2^(-1/3) for four times, thus six steps."""

ENLARGING_RECONSTRUCTION = 100.0
"""The reconstruction's weight where a model is to enlarge: ten times the usual (the paper, section 4)."""

MOST_ITERATIONS, MOST_KERNELS, MOST_SIDE, MOST_ENLARGING = 100_000, 512, 1024, 8


@dataclass(frozen=True)
class ModelSettings:
    """What decides a model's weights, beside the picture. Raises UsageError for what is out of its range.

    ``iterations`` a scale (0 leaves the networks as they were drawn), ``kernels`` at the coarsest scale, ``enlarge``
    how many times the picture is to be enlarged (1: any other use), ``seed``.
    """

    iterations: int = ReferenceRecipe.iterations
    kernels: int = ReferenceRecipe.kernels
    enlarge: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low, high in (
            ("iterations", 0, MOST_ITERATIONS),
            ("kernels", 1, MOST_KERNELS),
            ("enlarge", 1, MOST_ENLARGING),
            ("seed", 0, 2**63 - 1),
        ):
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise UsageError(f"--{name} {value}: a whole number from {low} to {high:,}, please.")

    def recipe(self) -> ReferenceRecipe:
        """Return the reference engine's recipe with these numbers."""
        recipe = replace(ReferenceRecipe(), iterations=self.iterations, kernels=self.kernels)
        recipe = replace(recipe, most_kernels=4 * self.kernels)
        return recipe if self.enlarge == 1 else replace(recipe, reconstruction=ENLARGING_RECONSTRUCTION)

    def steps(self) -> int:
        """Return in how many equal steps ``enlarge`` is reached: three a doubling, rounded up."""
        return 0 if self.enlarge == 1 else int(np.ceil(STEPS * np.log2(self.enlarge)))

    def ratio(self) -> float:
        """Return the ratio of neighbouring sizes of a model that enlarges: enlarge^(-1/steps)."""
        return float(self.enlarge ** (-1 / self.steps()))

    def shapes(self, height: int, width: int) -> tuple[tuple[int, int], ...]:
        """Return the sizes (h, w), coarsest first; to enlarge there are two: a step smaller, and the picture's own."""
        if self.enlarge == 1:
            return pyramid_shapes(height, width)
        return (int(np.ceil(height * self.ratio())), int(np.ceil(width * self.ratio()))), (height, width)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


class PictureModel:
    """A SinGAN of ``picture`` uint8 (H, W, 3), any aspect; ``pyramid`` holds the scales that are trained.

    ``going`` is the scale that is being trained, None between two.

    One that is to enlarge has a single scale, which learns to make the picture of the picture one step smaller. In the
    paper it gets what the coarser scales reconstruct; after some hundreds of iterations those reconstruct badly, the
    finest learns to mend that, and used over and over it drives colours apart.
    """

    def __init__(self, picture: np.ndarray, settings: ModelSettings, device: str = "cpu") -> None:
        """Prepare for a picture at the size that is learnt. Raises UsageError for one too small or too large."""
        check_picture(picture)
        self.picture, self.settings = picture, settings
        target, shapes = to_tensor(picture[None], device), settings.shapes(*picture.shape[:2])
        first = 0 if settings.enlarge == 1 else len(shapes) - 1
        self.pyramid = ReferencePyramid(target, [settings.seed], first, shapes)
        self.going: ScaleTraining | None = None

    @property
    def complete(self) -> bool:
        """Whether all scales are trained."""
        return len(self.pyramid.scales) == self.learnt

    @property
    def learnt(self) -> int:
        """How many scales are to be trained: all, or the finest alone."""
        return self.scales - self.pyramid.first

    @property
    def scales(self) -> int:
        """How many scales there are."""
        return len(self.pyramid.pictures)

    @property
    def like(self) -> torch.Tensor:
        """A tensor of the type and on the device of all others."""
        return self.pyramid.pictures[0]

    def shapes(self) -> tuple[tuple[int, int], ...]:
        """Return the sizes (h, w) of the scales, coarsest first."""
        return tuple(self.pyramid.shape(scale) for scale in range(self.scales))

    def start(self, name: str) -> int:
        """Return the index of a start scale ``N``, ``N-1``, ...: 0 is the coarsest. Raises UsageError."""
        index = start_index(name)
        if index >= self.scales:
            raise UsageError(f"--start-scale {name}: this model has {self.scales} scales, N to N-{self.scales - 1}.")
        return index


def check_picture(picture: np.ndarray) -> None:
    """Raise UsageError where a picture cannot be learnt: no uint8 RGB, or of a size that has no pyramid."""
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise UsageError(f"A SinGAN learns uint8 pictures (H, W, 3), got {picture.dtype} {picture.shape}.")
    height, width = picture.shape[:2]
    if min(height, width) <= COARSEST:
        raise UsageError(
            f"The picture is learnt at {width} x {height} pixels; its shorter side needs more than {COARSEST}: "
            "give a larger picture, or a larger --max-size."
        )
    if max(height, width) > MOST_SIDE:
        raise UsageError(f"The picture is learnt at {width} x {height} pixels; at most {MOST_SIDE} a side are taken.")
