"""The fast engine: still one GAN per edit, at a small part of a thousandth of the reference's cost.

Against the reference: two scales (128 px: 64 128) on folded pictures, 16 kernels, one generator and one critic step
sharing a generator pass, hinge loss with a seldom R1 penalty, random crops, a pool of the previous scale's outputs
instead of a fresh chain, generators that are told where they look (``positions``; not with starts at N) and asked to
draw differently from different noise (``objective``), and a start from weights learnt over many faces (``weights``).
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from singanimation.stages.singan.diversity import Calibrated, calibrate_gain, diversity
from singanimation.stages.singan.engine import EngineOptions, check_edits
from singanimation.stages.singan.fast.pyramid import FastPyramid
from singanimation.stages.singan.fast.start import load_start
from singanimation.stages.singan.fast.training import FastRecipe, Start, train_pyramid
from singanimation.stages.singan.pyramid import start_index
from singanimation.stages.singan.randomness import EditRandomness
from singanimation.stages.singan.tensors import to_pictures, to_tensor

DIVERSITY = 0.16
"""What draws are calibrated to by default; see ``diversity.diversity``. Chosen by looking."""

PROBES = 6

TOGETHER = 32
"""Edits of a gan_batch on a GPU."""


class FastRegenerator:
    """Trains one small GAN per edit. See ``engine.Regenerator``."""

    name = "fast"
    is_gan = True

    def __init__(
        self, options: EngineOptions | None = None, recipe: FastRecipe | None = None, start: Start | None = None
    ) -> None:
        """``options.noise`` is a fixed gain (1 = all of ``StartNoise``) in place of a calibrated one.

        Without ``options.warm_start`` training begins from random weights instead of the shipped ones, or ``start``.
        """
        options = options or EngineOptions()
        self._recipe = recipe or FastRecipe()
        if options.iterations is not None:
            self._recipe = replace(self._recipe, iterations=options.iterations, from_scratch=options.iterations)
        self._noise, self._diversity = options.noise, DIVERSITY if options.diversity is None else options.diversity
        self._downsampling, self._device = options.downsampling, options.device
        self._start = (start or load_start(options.device)) if options.warm_start else None

    def fit(
        self,
        edits: np.ndarray,
        seeds: Sequence[int],
        starts: Sequence[str],
        wanted: Sequence[int] | None = None,
    ) -> "FittedFast":
        """Train the GANs of ``edits``; see ``engine.Regenerator.fit``."""
        check_edits(edits, seeds, starts)
        chosen = list(range(len(edits))) if wanted is None else sorted(set(wanted))
        targets = to_tensor(edits, self._device)
        pyramids = {
            (index, whole): pyramid
            for whole in sorted({self.is_whole(start) for start in starts})
            for index, pyramid in self._train(targets, seeds, chosen, whole).items()
        }
        return FittedFast(self, pyramids, targets, seeds)

    def is_whole(self, start: str) -> bool:
        """Tell whether draws from ``start`` need a scale N that draws from noise alone."""
        return self._downsampling == "reconstruction" or start_index(start) == 0

    def _train(
        self, targets: torch.Tensor, seeds: Sequence[int], chosen: Sequence[int], whole: bool
    ) -> dict[int, FastPyramid]:
        """Train ``chosen``: one by one on a CPU, on a GPU in gan_batches of ``TOGETHER`` that follow each other.

        A batch with one that is chosen is trained whole: which others are in it depends on the plan, never on what is
        left to draw, and so do the bytes.
        """
        together = TOGETHER if targets.is_cuda else 1
        trained: dict[int, FastPyramid] = {}
        for first in dict.fromkeys(index - index % together for index in chosen):
            group = list(range(first, min(first + together, len(targets))))
            target = targets[group].reshape(1, -1, *targets.shape[2:])
            own = [seeds[index] for index in group]
            *_, pyramid = train_pyramid(target, own, self._recipe, whole=whole, start=None if whole else self._start)
            trained |= {index: pyramid.alone(place) for place, index in enumerate(group) if index in chosen}
        return trained


class FittedFast(Calibrated):
    """The trained GANs of some edits."""

    def __init__(
        self,
        engine: FastRegenerator,
        pyramids: dict[tuple[int, bool], FastPyramid],
        targets: torch.Tensor,
        seeds: Sequence[int],
    ) -> None:
        super().__init__(engine._noise)
        self._engine, self._pyramids, self._targets, self._seeds = engine, pyramids, targets, list(seeds)

    def draw(self, index: int, start: str, seeds: Sequence[int]) -> np.ndarray:
        """Return one variant per seed; see ``engine.FittedRegenerator.draw``."""
        pyramid, gain = self._pyramids[index, self._engine.is_whole(start)], self.gain(index, start)
        amount = self._targets.new_full((1, 1, 1, 1), gain)
        drawn = [
            pyramid.draw(
                start_index(start), amount, _randomness(amount, "draw", start, seed), self._engine._recipe.share
            )
            for seed in seeds
        ]
        return to_pictures(torch.cat(drawn))

    def _calibrated(self, index: int, start: str) -> float:
        """Find the gain on what enters: the generators change little of what diversity looks at."""
        if start_index(start) == 0:
            return 1.0
        pyramid, target = self._pyramids[index, self._engine.is_whole(start)], self._targets[index : index + 1]
        entering = pyramid.entering(start_index(start))

        def diversity_at(gain: float) -> float:
            amount = target.new_full((PROBES, 1, 1, 1), gain)
            randomness = _randomness(target, "probe", start, self._seeds[index])
            net = pyramid.start_noise.draw(amount, randomness)
            return diversity(pyramid.start_noise.perturb(entering, net, amount, randomness), target)

        return calibrate_gain(diversity_at, self._engine._diversity, 1.0)


def _randomness(like: torch.Tensor, *key: object) -> EditRandomness:
    return EditRandomness([0], ":".join(map(str, key)), like)
