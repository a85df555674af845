"""The fast engine's pyramid: its scales, what enters at a start scale, and the chain of generators."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from singanimation.stages.singan.fast.freedom import given_back
from singanimation.stages.singan.fast.networks import NOISE, FoldedCritic, FoldedGenerator, layered
from singanimation.stages.singan.fast.positions import CODES, position_code
from singanimation.stages.singan.networks import COLOURS, MARGIN, edit_state
from singanimation.stages.singan.pyramid import pyramid_sizes, resize
from singanimation.stages.singan.randomness import EditRandomness
from singanimation.stages.singan.start_noise import StartNoise

LOUDNESS = 2.0
"""What a generator's noise is multiplied by: its local amplitude is that of the detail, a tenth or so."""


@dataclass
class FastScale:
    """One scale for B edits: ``amplitude`` (1, B, h, h) is that of the noise at each place, folded."""

    size: int
    generator: FoldedGenerator
    critic: FoldedCritic
    amplitude: torch.Tensor


def fast_sizes(size: int) -> tuple[int, ...]:
    """Return the sizes that are redrawn, in steps of two, down to that of scale N-2: 128 px: 64 128.

    The picture enters at the size of its start scale (128 px: N-1 32, N-2 40) and the first of these redraws it.
    """
    sizes = [size]
    while sizes[0] // 2 >= pyramid_sizes(size)[2]:
        sizes.insert(0, sizes[0] // 2)
    return tuple(sizes)


def fold_of(size: int) -> int:
    """Return how many pixels a side make one of a generator's: 2, or 1 where the size is odd."""
    return 1 if size % 2 else 2


def pad(pictures: torch.Tensor, fold: int = 1) -> torch.Tensor:
    """Zero-pad (..., H, W) by the margin that a network takes away."""
    return F.pad(pictures, (MARGIN * fold,) * 4)


def extend(pictures: torch.Tensor, fold: int = 1) -> torch.Tensor:
    """Pad (S, C, H, W) by the same margin with what is at its border: zeros there are drawn as a dark frame."""
    return F.pad(pictures, (MARGIN * fold,) * 4, mode="replicate")


class FastPyramid:
    """B per-edit SinGANs side by side.

    The edit, down-sampled to the size of the start scale, is changed smoothly (``StartNoise``) and enters the first
    scale. With ``whole`` a coarsest scale (N) that draws from noise alone stands before, and a later start takes
    what that scale makes of its fixed noise in place of the down-sampled edit.
    """

    def __init__(self, target: torch.Tensor, *, whole: bool, start_noise: StartNoise) -> None:
        """Prepare for ``target`` (1, B*3, H, H) in -1..1; ``scales`` is filled by training."""
        self.target, self.whole, self.start_noise = target, whole, start_noise
        self.edits = target.shape[1] // COLOURS
        self.start_sizes = pyramid_sizes(target.shape[-1])[:3]
        self.sizes = (*(self.start_sizes[:1] if whole else ()), *fast_sizes(target.shape[-1]))
        self.pictures = [resize(target, size) for size in self.sizes]
        self.scales: list[FastScale] = []
        self.optimal_noise: torch.Tensor | None = None
        self._placed: dict[int, torch.Tensor | None] = {}
        self._lost: dict[int, torch.Tensor] = {}

    @property
    def starts(self) -> tuple[int, ...]:
        """The starts that this pyramid serves: N is 0."""
        return (0, 1, 2) if self.whole else (1, 2)

    @property
    def codes(self) -> int:
        """Channels of the generators' position code: none with ``whole``: from N, SinGAN as published."""
        return 0 if self.whole else CODES

    def from_noise(self, scale: int) -> bool:
        """Tell whether this scale draws from noise alone."""
        return self.whole and scale == 0

    def first_scale(self, start: int) -> int:
        """Return the first scale that draws of ``start`` go through."""
        return 1 if self.whole and start else 0

    def entering(self, start: int) -> torch.Tensor:
        """Return the clean picture that enters for ``start``: (1, B*3, e, e); nothing (0) for N."""
        if start == 0:
            return torch.zeros_like(self.pictures[0])
        if self.whole:
            return resize(self.step(0, torch.zeros_like(self.pictures[0]), self.optimal_noise), self.start_sizes[start])
        return resize(self.target, self.start_sizes[start])

    def noise(self, scale: int, samples: int, randomness: EditRandomness) -> torch.Tensor:
        """Return noise (S, B*NOISE, h, h) at the amplitude of each place."""
        side = self.sizes[scale] // fold_of(self.sizes[scale])
        unit = layered(randomness.normal(samples, NOISE, side, side))
        if self.from_noise(scale):
            return unit
        return unit * self.scales[scale].amplitude.repeat_interleave(NOISE, 1)

    def step(self, scale: int, previous: torch.Tensor, noise: torch.Tensor | None) -> torch.Tensor:
        """Run one generator on (S, B*3, H, H) and noise (S, B*NOISE, h, h) (None: no noise)."""
        fold = fold_of(self.sizes[scale])
        if noise is None:
            side = self.sizes[scale] // fold
            noise = previous.new_zeros((len(previous), NOISE * self.edits, side, side))
        generator = self.scales[scale].generator
        if scale not in self._placed:
            self._placed[scale] = generator.placed(self.code(scale))
        return generator(self.padded(previous, fold), pad(noise), self._placed[scale])

    def padded(self, pictures: torch.Tensor, fold: int) -> torch.Tensor:
        """Pad what enters a generator; with ``whole`` with zeros, as published: they tell it where the border is."""
        return pad(pictures, fold) if self.whole else extend(pictures, fold)

    def code(self, scale: int) -> torch.Tensor | None:
        """Return the position code of a padded picture of ``scale`` for all edits: (1, B*P, h+10, h+10)."""
        if not self.codes:
            return None
        side = self.sizes[scale] // fold_of(self.sizes[scale])
        return position_code(side, self.target.dtype, self.target.device).repeat(self.edits, 1, 1)[None]

    @torch.no_grad()
    def chain(
        self, start: int, upto: int, gain: torch.Tensor, randomness: EditRandomness, net: torch.Tensor
    ) -> torch.Tensor:
        """Draw S samples from ``start``; return what scale ``upto`` receives (the picture where it is past the last).

        ``gain`` (S, B, 1, 1) is the start noise's, ``net`` its smooth changes.
        """
        picture = self.entering(start)
        if start == 0:
            picture = picture.expand(len(gain), -1, -1, -1)
        else:
            picture = self.start_noise.perturb(picture, net, gain, randomness)
        for scale in range(self.first_scale(start), upto):
            noise = self.noise(scale, len(gain), randomness)
            picture = self.step(scale, resize(picture, self.sizes[scale]), noise)
        return resize(picture, self.sizes[min(upto, len(self.sizes) - 1)])

    @torch.no_grad()
    def draw(self, start: int, gain: torch.Tensor, randomness: EditRandomness, share: float) -> torch.Tensor:
        """Draw S variants as ``chain`` does, and give back detail that the generators cannot rebuild (``given_back``).

        That detail, what the edit is more than its noise-free path, is moved like the picture that entered. Variants
        from noise alone have no such counterpart and stay as drawn.
        """
        net = self.start_noise.draw(gain, randomness)
        drawn = self.chain(start, len(self.sizes), gain, randomness, net)
        if start == 0 or share == 0:
            return drawn
        back = given_back(drawn.shape[-1], share, drawn.dtype, drawn.device)
        return drawn + back * self.start_noise.move(self.lost_detail(start), net)

    def lost_detail(self, start: int) -> torch.Tensor:
        """Return what the noise-free path from ``start`` lacks at full size: (1, B*3, H, H)."""
        if start not in self._lost:
            self._lost[start] = self.target - self.reconstruct(start, len(self.sizes))
        return self._lost[start]

    @torch.no_grad()
    def reconstruct(self, start: int, upto: int) -> torch.Tensor:
        """Return the noise-free path from ``start``, as scale ``upto`` receives it (see ``chain``)."""
        picture = self.entering(start)
        for scale in range(self.first_scale(start), upto):
            fixed = self.optimal_noise if self.from_noise(scale) else None
            picture = self.step(scale, resize(picture, self.sizes[scale]), fixed)
        return resize(picture, self.sizes[min(upto, len(self.sizes) - 1)])

    def alone(self, index: int) -> "FastPyramid":
        """Return the trained pyramid of edit ``index`` by itself."""
        own = slice(COLOURS * index, COLOURS * index + COLOURS)
        single = FastPyramid(self.target[:, own], whole=self.whole, start_noise=self.start_noise)
        if self.optimal_noise is not None:
            single.optimal_noise = self.optimal_noise[:, NOISE * index : NOISE * (index + 1)]
        single.scales = [_alone(scale, index, self.edits) for scale in self.scales]
        return single


def _alone(scale: FastScale, index: int, edits: int) -> FastScale:
    many = scale.generator
    generator, critic = (
        FoldedGenerator(1, many.kernels, many.fold, many.codes),
        FoldedCritic(1, many.kernels, many.fold, many.codes),
    )
    for own, network in ((generator, scale.generator), (critic, scale.critic)):
        own.to(scale.amplitude).load_state_dict(edit_state(network, index, edits))
        own.eval().requires_grad_(False)
    return FastScale(scale.size, generator, critic, scale.amplitude[:, index : index + 1])
