"""The reference engine: SinGAN as published, the anchor that the other engines are measured against. Slow."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from singanimation.stages.singan.engine import EngineOptions, check_edits
from singanimation.stages.singan.pyramid import start_index
from singanimation.stages.singan.randomness import EditRandomness
from singanimation.stages.singan.reference.pyramid import ReferencePyramid, ReferenceRecipe
from singanimation.stages.singan.reference.training import train_reference
from singanimation.stages.singan.tensors import to_pictures, to_tensor


class ReferenceRegenerator:
    """Trains one published SinGAN per edit and start. See ``engine.Regenerator``."""

    name = "reference"
    is_gan = True

    def __init__(self, options: EngineOptions | None = None) -> None:
        """``noise`` is SinGAN's noise_amp (default 0.1), not calibrated; every edit is trained from scratch."""
        options, recipe = options or EngineOptions(), ReferenceRecipe()
        noise = recipe.noise if options.noise is None else options.noise
        self._recipe = replace(recipe, iterations=options.iterations or recipe.iterations, noise=noise)
        self._downsampling, self._device = options.downsampling, options.device

    def first_scale(self, start: str) -> int:
        """Return the coarsest scale that is trained for ``start``: with injection that scale itself, else N."""
        return start_index(start) if self._downsampling == "injection" else 0

    def fit(
        self,
        edits: np.ndarray,
        seeds: Sequence[int],
        starts: Sequence[str],
        wanted: Sequence[int] | None = None,
    ) -> "FittedReference":
        """Train a SinGAN per edit, and with injection per start; see ``engine.Regenerator.fit``."""
        check_edits(edits, seeds, starts)
        targets = to_tensor(edits, self._device)
        pyramids: dict[tuple[int, int], ReferencePyramid] = {}
        for first in sorted({self.first_scale(start) for start in starts}):
            for index in range(len(edits)) if wanted is None else sorted(set(wanted)):
                steps = train_reference(targets[index : index + 1], [seeds[index]], self._recipe, first)
                for pyramid in steps:
                    pyramids[index, first] = pyramid
        return FittedReference(self, pyramids, targets)


class FittedReference:
    """The trained SinGANs of some edits."""

    def __init__(
        self, engine: ReferenceRegenerator, pyramids: dict[tuple[int, int], ReferencePyramid], like: torch.Tensor
    ) -> None:
        self._engine, self._pyramids, self._like = engine, pyramids, like

    def draw(self, index: int, start: str, seeds: Sequence[int]) -> np.ndarray:
        """Return one variant per seed; see ``engine.FittedRegenerator.draw``."""
        pyramid = self._pyramids[index, self._engine.first_scale(start)]
        scales, noisy_from = len(pyramid.pictures), start_index(start)
        drawn = []
        for seed in seeds:
            randomness = EditRandomness([0], f"reference:{start}:{seed}", self._like)
            drawn.append(pyramid.chain(scales, randomness, noisy_from))
        return to_pictures(torch.cat(drawn))
