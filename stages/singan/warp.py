"""The warp engine: the edit moved smoothly and tinted at full size. No network, no GAN: nothing is drawn.

What the GAN engines are measured against: it has every pixel of the edit and no new detail. Useful by itself where
cheap, safe variants are wanted, as other augmentations are.
"""

from collections.abc import Sequence

import numpy as np
import torch

from singanimation.stages.singan.diversity import Calibrated, calibrate_gain, diversity
from singanimation.stages.singan.engine import EngineOptions, check_edits
from singanimation.stages.singan.pyramid import start_index
from singanimation.stages.singan.randomness import EditRandomness
from singanimation.stages.singan.start_noise import StartNoise
from singanimation.stages.singan.tensors import to_pictures, to_tensor

NOISE = StartNoise(grain=0.0)
DIVERSITY = 0.16
PROBES = 6


class WarpRegenerator:
    """Nothing is trained: ``fit`` keeps the edits. See ``engine.Regenerator``."""

    name = "warp"
    is_gan = False

    def __init__(self, options: EngineOptions | None = None) -> None:
        """``options.noise`` is a fixed gain (1 = all of ``NOISE``); iterations, down-sampling and warm start mean

        nothing here. All starts are alike but for their seeds; N takes all of ``NOISE``.
        """
        options = options or EngineOptions()
        self.noise, self._device = options.noise, options.device
        self.diversity = DIVERSITY if options.diversity is None else options.diversity

    def fit(
        self,
        edits: np.ndarray,
        seeds: Sequence[int],
        starts: Sequence[str],
        wanted: Sequence[int] | None = None,
    ) -> "FittedWarp":
        """Keep ``edits``; see ``engine.Regenerator.fit``."""
        check_edits(edits, seeds, starts)
        return FittedWarp(self, to_tensor(edits, self._device), seeds)


class FittedWarp(Calibrated):
    """Edits that are moved and tinted."""

    def __init__(self, engine: WarpRegenerator, targets: torch.Tensor, seeds: Sequence[int]) -> None:
        super().__init__(engine.noise)
        self._engine, self._targets, self._seeds = engine, targets, list(seeds)

    def draw(self, index: int, start: str, seeds: Sequence[int]) -> np.ndarray:
        """Return one variant per seed; see ``engine.FittedRegenerator.draw``."""
        gain = self.gain(index, start)
        return to_pictures(torch.cat([self._one(index, gain, f"warp:{start}:{seed}") for seed in seeds]))

    def _calibrated(self, index: int, start: str) -> float:
        """Find the gain of the wanted diversity."""
        if start_index(start) == 0:
            return 1.0
        keys = [f"warp-probe:{start}:{self._seeds[index]}:{probe}" for probe in range(PROBES)]

        def diversity_at(gain: float) -> float:
            drawn = torch.cat([self._one(index, gain, key) for key in keys])
            return diversity(drawn, self._targets[index : index + 1])

        return calibrate_gain(diversity_at, self._engine.diversity, 1.0)

    def _one(self, index: int, gain: float, key: str) -> torch.Tensor:
        target = self._targets[index : index + 1]
        amount = target.new_full((1, 1, 1, 1), gain)
        return NOISE.apply(target, NOISE.draw(amount, EditRandomness([0], key, target)))
