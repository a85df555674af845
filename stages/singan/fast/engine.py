"""The fast engine: still one GAN per edit, at about a thousandth of the reference's cost.

Against the reference: fewer scales (128 px: 32 40 72 128), 16 kernels everywhere, one generator and one critic
step sharing a generator pass, hinge loss with a seldom R1 penalty, random crops, a pool of the previous
scale's outputs instead of a fresh chain, generators that are told where they look (``positions``; not with starts
at N), later edits of a source going on from the first one's weights, and the detail that the small generators cannot
rebuild given back to what they draw (``FastPyramid.draw``).
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from singanimation.stages.singan.diversity import calibrate_gain, diversity
from singanimation.stages.singan.engine import EngineOptions, check_edits
from singanimation.stages.singan.fast.pyramid import FastPyramid
from singanimation.stages.singan.fast.training import FastRecipe, train_pyramid
from singanimation.stages.singan.pyramid import start_index
from singanimation.stages.singan.randomness import EditRandomness
from singanimation.stages.singan.tensors import to_pictures, to_tensor

DIVERSITY = 0.16
"""What draws are calibrated to by default; see ``diversity.diversity``. Chosen by looking."""

PROBES = 6
PROBE_SHARE = 0.5
"""The gain is calibrated on the first scale of at least this share of the full size: the finer ones add grain."""


class FastRegenerator:
    """Trains one small GAN per edit. See ``engine.Regenerator``."""

    name = "fast"
    is_gan = True

    def __init__(self, options: EngineOptions | None = None, recipe: FastRecipe | None = None) -> None:
        """``options.noise`` is a fixed gain (1 = all of ``StartNoise``) in place of a calibrated one."""
        options = options or EngineOptions()
        self._recipe = recipe or FastRecipe()
        if options.iterations is not None:
            share = self._recipe.warm_iterations / self._recipe.iterations
            warm = max(1, round(options.iterations * share))
            self._recipe = replace(self._recipe, iterations=options.iterations, warm_iterations=warm)
        self._noise, self._diversity = options.noise, DIVERSITY if options.diversity is None else options.diversity
        self._downsampling, self._device, self._warm = options.downsampling, options.device, options.warm_start

    def fit(
        self,
        edits: np.ndarray,
        seeds: Sequence[int],
        starts: Sequence[str],
        wanted: Sequence[int] | None = None,
    ) -> "FittedFast":
        """Train the GANs of ``edits``; see ``engine.Regenerator.fit``."""
        check_edits(edits, seeds, starts)
        chosen = range(len(edits)) if wanted is None else sorted(set(wanted))
        targets = to_tensor(edits, self._device)
        kinds = {self._is_whole(start) for start in starts}
        pyramids = {
            (index, whole): pyramid
            for whole in sorted(kinds)
            for index, pyramid in self._train(targets, seeds, chosen, whole).items()
        }
        return FittedFast(self, pyramids, targets, seeds)

    def _is_whole(self, start: str) -> bool:
        return self._downsampling == "reconstruction" or start_index(start) == 0

    def _train(
        self, targets: torch.Tensor, seeds: Sequence[int], chosen: Sequence[int], whole: bool
    ) -> dict[int, FastPyramid]:
        if not self._warm:
            return self._train_group(targets, seeds, chosen, whole, None)
        trained = self._train_group(targets, seeds, [0], whole, None)
        others = [index for index in chosen if index != 0]
        return trained | self._train_group(targets, seeds, others, whole, trained[0])

    def _train_group(
        self,
        targets: torch.Tensor,
        seeds: Sequence[int],
        chosen: Sequence[int],
        whole: bool,
        warm: FastPyramid | None,
    ) -> dict[int, FastPyramid]:
        """Train ``chosen`` together where that is faster (CUDA), one by one on a CPU."""
        together = len(chosen) if targets.is_cuda else 1
        iterations = self._recipe.warm_iterations if warm else self._recipe.iterations
        trained: dict[int, FastPyramid] = {}
        for first in range(0, len(chosen), max(1, together)):
            group = list(chosen[first : first + together])
            target = targets[group].reshape(1, -1, *targets.shape[2:])
            own_seeds = [seeds[index] for index in group]
            for pyramid in train_pyramid(  # noqa: B007 the last one yielded is complete
                target, own_seeds, self._recipe, whole=whole, iterations=iterations, warm=warm
            ):
                pass
            trained |= {index: pyramid.alone(place) for place, index in enumerate(group)}
        return trained


class FittedFast:
    """The trained GANs of some edits."""

    def __init__(
        self,
        engine: FastRegenerator,
        pyramids: dict[tuple[int, bool], FastPyramid],
        targets: torch.Tensor,
        seeds: Sequence[int],
    ) -> None:
        self._engine, self._pyramids, self._targets, self._seeds = engine, pyramids, targets, list(seeds)
        self._gains: dict[tuple[int, str], float] = {}

    def draw(self, index: int, start: str, seeds: Sequence[int]) -> np.ndarray:
        """Return one variant per seed; see ``engine.FittedRegenerator.draw``."""
        pyramid = self._pyramids[index, self._engine._is_whole(start)]
        gain, entry = self.gain(index, start), pyramid.entry(start_index(start))
        drawn = [self._one(pyramid, entry, len(pyramid.scales), gain, ("draw", start, seed)) for seed in seeds]
        return to_pictures(torch.cat(drawn))

    def gain(self, index: int, start: str) -> float:
        """Return the noise gain of draws of edit ``index`` from ``start`` (calibrated once per start)."""
        if self._engine._noise is not None:
            return self._engine._noise
        if (index, start) not in self._gains:
            self._gains[index, start] = self._calibrated(index, start)
        return self._gains[index, start]

    def _calibrated(self, index: int, start: str) -> float:
        pyramid = self._pyramids[index, self._engine._is_whole(start)]
        entry, target = pyramid.entry(start_index(start)), self._targets[index : index + 1]
        if pyramid.from_noise(entry):
            return 1.0
        upto = 1 + next(k for k, size in enumerate(pyramid.sizes) if size >= PROBE_SHARE * target.shape[-1])

        def diversity_at(gain: float) -> float:
            keys = [("probe", start, self._seeds[index], probe) for probe in range(PROBES)]
            return diversity(torch.cat([self._one(pyramid, entry, upto, gain, key) for key in keys]), target)

        return calibrate_gain(diversity_at, self._engine._diversity, 1.0)

    def _one(self, pyramid: FastPyramid, entry: int, upto: int, gain: float, key: tuple[object, ...]) -> torch.Tensor:
        randomness = EditRandomness([0], ":".join(map(str, key)), self._targets)
        return pyramid.draw(entry, upto, self._targets.new_full((1, 1, 1, 1), gain), randomness)
