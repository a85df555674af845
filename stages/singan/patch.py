"""The patch engine: no training and no GAN, patches of the edit put together anew, coarse to fine.

After GPNN (Granot et al., "Drop the GAN: in defense of patches nearest neighbors", CVPR 2022), with the search
kept near the same position, so that a face keeps its order. Every patch of a variant is one of the edit.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from singanimation.stages.singan.diversity import Calibrated, calibrate_gain, damage, diversity
from singanimation.stages.singan.engine import EngineOptions, check_edits
from singanimation.stages.singan.networks import COLOURS
from singanimation.stages.singan.pyramid import resize, start_size
from singanimation.stages.singan.randomness import EditRandomness
from singanimation.stages.singan.start_noise import StartNoise
from singanimation.stages.singan.tensors import to_pictures, to_tensor

PATCH = 7
RATIO = 0.6
REACH = (3, 1)
"""How far (pixels of the scale) a patch is looked for: at the first scale, at the finer ones."""

REACH_FROM_NOISE = 8
"""The same for the first scale of a start at N, where there is no order to keep. The finer scales still search
near the same position and pull even pure noise back to a face: this engine cannot show how N breaks one."""

ITERATIONS = (2, 1)
"""Searches at the first scale and at the finer ones."""

NOISE = StartNoise(shift=0.03, tint=0.0, grain=0.6, white=0.0)
DIVERSITY = 0.12
DAMAGE = 0.9
"""No place may differ more than this from the edit: above it an eye or a brow is gone (chosen by looking)."""

PROBES = 5
TOLERANCE = 0.05
"""The gain is found to this much: probes of another seed differ by more."""

FAR = 1e3


class PatchRegenerator:
    """Nothing is trained: ``fit`` keeps the edits. See ``engine.Regenerator``."""

    name = "patch"
    is_gan = False

    def __init__(self, options: EngineOptions | None = None) -> None:
        """``iterations`` are searches at the first scale; ``noise`` a fixed gain (1 = all of ``NOISE``).

        There is no coarser scale to reconstruct from, and nothing to start warm.
        """
        options = options or EngineOptions()
        self.iterations = options.iterations or ITERATIONS[0]
        self.noise, self.diversity = options.noise, DIVERSITY if options.diversity is None else options.diversity
        self._device = options.device

    def fit(
        self,
        edits: np.ndarray,
        seeds: Sequence[int],
        starts: Sequence[str],
        wanted: Sequence[int] | None = None,
    ) -> "FittedPatch":
        """Keep ``edits``; see ``engine.Regenerator.fit``."""
        check_edits(edits, seeds, starts)
        return FittedPatch(self, to_tensor(edits, self._device), seeds)


class FittedPatch(Calibrated):
    """Edits whose patches are put together anew."""

    def __init__(self, engine: PatchRegenerator, targets: torch.Tensor, seeds: Sequence[int]) -> None:
        super().__init__(engine.noise)
        self._engine, self._targets, self._seeds = engine, targets, list(seeds)

    def draw(self, index: int, start: str, seeds: Sequence[int]) -> np.ndarray:
        """Return one variant per seed; see ``engine.FittedRegenerator.draw``."""
        target = self._targets[index : index + 1]
        pyramid = patch_pyramid(target, start_size(start, target.shape[-1]))
        gain = self.gain(index, start)
        keys = [f"patch:{start}:{seed}" for seed in seeds]
        return to_pictures(torch.cat([self._one(pyramid, start, gain, key) for key in keys]))

    def _calibrated(self, index: int, start: str) -> float:
        """Find the gain of the wanted diversity, or less where a place would break."""
        if start == "N":
            return 1.0
        target = self._targets[index : index + 1]
        pyramid = patch_pyramid(target, start_size(start, target.shape[-1]))
        pyramid = [each for each in pyramid if each.shape[-1] <= 0.75 * target.shape[-1]] or pyramid
        keys = [f"patch-probe:{start}:{self._seeds[index]}:{probe}" for probe in range(PROBES)]

        def share_of_limit(gain: float) -> float:
            variants = torch.cat([self._one(pyramid, start, gain, key) for key in keys])
            return max(diversity(variants, target) / self._engine.diversity, damage(variants, target) / DAMAGE)

        return calibrate_gain(share_of_limit, 1.0, 1.0, TOLERANCE)

    def _one(self, pyramid: list[torch.Tensor], start: str, gain: float, key: str) -> torch.Tensor:
        randomness = EditRandomness([0], key, self._targets)
        coarsest = pyramid[0]
        if start == "N":
            noise = randomness.normal(1, COLOURS, *coarsest.shape[2:])
            entering = (coarsest.mean((2, 3), keepdim=True) + noise * coarsest.std()).clamp(-1, 1)
            return rebuild(entering, pyramid, REACH_FROM_NOISE, self._engine.iterations)
        amount = self._targets.new_full((1, 1, 1, 1), gain)
        entering = NOISE.perturb(coarsest, NOISE.draw(amount, randomness), amount, randomness)
        return rebuild(entering, pyramid, REACH[0], self._engine.iterations)


def patch_pyramid(target: torch.Tensor, coarsest: int) -> list[torch.Tensor]:
    """Return ``target`` (1, 3, H, H) at sizes from ``coarsest`` up to its own, in steps of about ``RATIO``."""
    size = target.shape[-1]
    steps = max(1, round(np.log(coarsest / size) / np.log(RATIO))) if size > coarsest else 0
    sizes = [coarsest, *(round(coarsest * (size / coarsest) ** (step / steps)) for step in range(1, steps + 1))]
    return [resize(target, each) for each in sizes]


def rebuild(entering: torch.Tensor, pyramid: list[torch.Tensor], reach: int, iterations: int) -> torch.Tensor:
    """Return (S, 3, h, h) at the pyramid's finest size: ``entering`` (S, 3, c, c) made of the edit's patches.

    At every scale the up-sampled result of the one before is compared with the equally blurred edit, and its
    patches replaced by those of the sharp one; further searches compare with the sharp one.
    """
    picture = entering
    for level, sharp in enumerate(pyramid):
        size = sharp.shape[-1]
        picture = resize(picture, size)
        key = resize(pyramid[level - 1], size) if level else sharp
        for search in range(iterations if level == 0 else ITERATIONS[1]):
            picture = replace_patches(picture, key if search == 0 else sharp, sharp, reach if level == 0 else REACH[1])
    return picture


def replace_patches(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, reach: int) -> torch.Tensor:
    """Replace each patch of ``query`` (S, 3, h, h) by the patch of ``value`` whose ``key`` is nearest.

    ``key`` and ``value`` (1, 3, h, h) lie over each other; only places within ``reach`` pixels of the same
    position are searched. Overlapping patches are averaged.
    """
    size, patch = query.shape[-1], min(PATCH, query.shape[-1])
    around = F.pad(key, (reach,) * 4, value=FAR)
    steps = [(down, right) for down in range(2 * reach + 1) for right in range(2 * reach + 1)]
    nearest = query.new_full((len(query), 1, size - patch + 1, size - patch + 1), float("inf"))
    chosen = torch.zeros_like(nearest)
    for number, (down, right) in enumerate(steps):
        moved = around[..., down : down + size, right : right + size]
        cost = _box((query - moved).square().sum(1, keepdim=True), patch)
        chosen = torch.where(cost < nearest, float(number), chosen)
        nearest = torch.minimum(nearest, cost)
    # A pixel's votes all lie one displacement away each, so counting the patches over it that chose each
    # displacement gives the same average as putting the patches down one by one.
    total = torch.zeros_like(query)
    shifted = F.pad(value, (reach,) * 4)
    for number, (down, right) in enumerate(steps):
        votes = _box(F.pad((chosen == number).to(query.dtype), (patch - 1,) * 4), patch)
        total += votes * shifted[..., down : down + size, right : right + size]
    count = _box(F.pad(torch.ones_like(chosen[:1]), (patch - 1,) * 4), patch)
    return total / count


def _box(values: torch.Tensor, side: int) -> torch.Tensor:
    """Return the means of (S, 1, h, w) over squares of ``side`` pixels: (S, 1, h-side+1, w-side+1).

    On a CPU by OpenCV, whose running sums take a seventh of the time of pooling.
    """
    if values.is_cuda:
        return F.avg_pool2d(F.avg_pool2d(values, (side, 1), 1), (1, side), 1)
    before, after = side // 2, side - 1 - side // 2
    height, width = values.shape[-2:]
    means = [cv2.blur(plane, (side, side)) for plane in values[:, 0].numpy()]
    return torch.from_numpy(np.stack(means))[:, None, before : height - after, before : width - after]
