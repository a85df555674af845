"""The fast engine's pyramid: its scales, what enters at a start scale, and the chain of generators."""

import math
from dataclasses import dataclass

import torch

from singanimation.stages.singan.fast.positions import position_code, with_code
from singanimation.stages.singan.networks import COLOURS, Critic, Generator, edit_state, pad
from singanimation.stages.singan.pyramid import pyramid_sizes, resize
from singanimation.stages.singan.randomness import EditRandomness
from singanimation.stages.singan.start_noise import StartNoise


@dataclass
class FastScale:
    """One trained scale for B edits; ``noise`` (B,) is the deviation of the noise that its generator is fed."""

    size: int
    generator: Generator
    critic: Critic
    noise: torch.Tensor


def fast_sizes(size: int, ratio: float, *, whole: bool) -> tuple[int, ...]:
    """Return the scales' sizes: N-1 and N-2 of the reference pyramid, then steps of about ``ratio``.

    128 px: 32 40 72 128. ``whole`` puts N in front (25). One pyramid so serves both starts.
    """
    coarsest, first, second = pyramid_sizes(size)[:3]
    steps = max(1, round(math.log(second / size) / math.log(ratio))) if size > second else 0
    finer = [round(second * (size / second) ** (step / steps)) for step in range(1, steps + 1)]
    return (*((coarsest,) if whole else ()), first, second, *finer)


def per_channel(amplitude: torch.Tensor) -> torch.Tensor:
    """Turn (S, B, 1, 1) or (B,) into (S, B*3, 1, 1)."""
    if amplitude.dim() == 1:
        amplitude = amplitude.view(1, -1, 1, 1)
    return amplitude.repeat_interleave(COLOURS, 1)


class FastPyramid:
    """B per-edit SinGANs side by side.

    ``whole=False``: the edit, down-sampled, enters at scale 0 (N-1) or 1 (N-2). ``whole=True``: scale 0 (N)
    draws from noise alone, and a later start takes the up-sampled reconstruction of the scales above it.
    """

    def __init__(
        self, target: torch.Tensor, *, ratio: float, whole: bool, start_noise: StartNoise, cycles: tuple[int, ...] = ()
    ) -> None:
        """Prepare for ``target`` (1, B*3, H, H) in -1..1; ``scales`` is filled by training.

        ``cycles`` are those of the generators' position code, none with ``whole``: from N, SinGAN as published.
        """
        self.target = target
        self.edits = target.shape[1] // COLOURS
        self.whole = whole
        self.start_noise = start_noise
        self.cycles = () if whole else cycles
        self.sizes = fast_sizes(target.shape[-1], ratio, whole=whole)
        self.pictures = [resize(target, size) for size in self.sizes]
        self.scales: list[FastScale] = []
        self.optimal_noise: torch.Tensor | None = None
        self._lost: dict[tuple[int, int], torch.Tensor] = {}

    @property
    def entries(self) -> range:
        """The scales at which a picture can enter (with ``whole``, noise enters at scale 0)."""
        return range(3) if self.whole else range(2)

    def entry(self, start_index: int) -> int:
        """Return the scale for N (0), N-1 (1) or N-2 (2)."""
        return start_index if self.whole else start_index - 1

    def from_noise(self, scale: int) -> bool:
        """Tell whether this scale draws from noise alone."""
        return self.whole and scale == 0

    def entering(self, scale: int) -> torch.Tensor:
        """Return the clean picture that enters at ``scale``: (1, B*3, h, h)."""
        if self.from_noise(scale):
            return torch.zeros_like(self.pictures[0])
        return self.reconstruct(0, scale) if self.whole else self.pictures[scale]

    def noise(self, scale: int, samples: int, size: int, randomness: EditRandomness) -> torch.Tensor:
        """Return unit noise (S, B*3, size, size); the same for all three colours where a scale has only noise."""
        if self.from_noise(scale):
            return randomness.normal(samples, 1, size, size).repeat_interleave(COLOURS, 1)
        return randomness.normal(samples, COLOURS, size, size)

    def entry_amplitude(self, scale: int, gain: torch.Tensor) -> torch.Tensor:
        """Return the amplitude of a generator's own noise where a picture enters, like ``gain``."""
        return torch.ones_like(gain) if self.from_noise(scale) else gain * self.start_noise.white

    def step(self, scale: int, previous: torch.Tensor, noise: torch.Tensor | None) -> torch.Tensor:
        """Run one generator on (S, B*3, h, h) and noise of that shape (None: no noise)."""
        padded = pad(previous)
        noisy = padded if noise is None else padded + pad(noise)
        return self.scales[scale].generator(self.placed(scale, noisy), padded)

    def placed(self, scale: int, noisy: torch.Tensor, code: torch.Tensor | None = None) -> torch.Tensor:
        """Join the input (S, B*3, h, w) of a generator with its position code, by default the whole picture's."""
        if not self.cycles:
            return noisy
        if code is None:
            code = self.code(scale).expand(self.edits, -1, -1, -1).flatten(0, 1)[None]
        return with_code(noisy, code)

    def code(self, scale: int) -> torch.Tensor:
        """Return the position code of a padded picture of ``scale``: (1, P, h+10, h+10)."""
        return position_code(self.sizes[scale], self.cycles, self.target.dtype, self.target.device)

    @torch.no_grad()
    def chain(
        self, entry: int, upto: int, gain: torch.Tensor, randomness: EditRandomness, net: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Draw S samples entering at scale ``entry``; return what scale ``upto - 1`` puts out.

        ``gain`` (S, B, 1, 1) is the start noise's, ``net`` its smooth changes (default: drawn). Where ``upto`` is
        the entry itself, what would enter.
        """
        picture = self.entering(entry).expand(gain.shape[0], -1, -1, -1)
        if not self.from_noise(entry):
            net = self.start_noise.draw(gain, randomness) if net is None else net
            picture = self.start_noise.perturb(picture[:1], net, gain, randomness)
        for scale in range(entry, upto):
            size, samples = self.sizes[scale], gain.shape[0]
            amplitude = self.entry_amplitude(scale, gain) if scale == entry else self.scales[scale].noise
            noise = self.noise(scale, samples, size, randomness) * per_channel(amplitude)
            picture = self.step(scale, resize(picture, size), noise)
        return picture

    @torch.no_grad()
    def draw(self, entry: int, upto: int, gain: torch.Tensor, randomness: EditRandomness) -> torch.Tensor:
        """Draw S variants as ``chain`` does, and give them back the detail that the generators cannot rebuild.

        That detail, what the edit is more than its noise-free path, is moved like the picture that entered: at no
        noise a variant is the edit itself, and at any noise it keeps what a small network learns last. Variants from
        noise alone have no such counterpart and stay as drawn, and so does what no generator has touched yet.
        """
        if self.from_noise(entry) or upto <= entry:
            return self.chain(entry, upto, gain, randomness)
        net = self.start_noise.draw(gain, randomness)
        drawn = self.chain(entry, upto, gain, randomness, net)
        shifts = torch.cat([net[:, :, :2], torch.zeros_like(net[:, :, 2:])], 2)
        return drawn + self.start_noise.apply(self._lost_detail(entry, upto), shifts)

    def _lost_detail(self, entry: int, upto: int) -> torch.Tensor:
        """Return what the noise-free path from ``entry`` lacks at scale ``upto - 1``: (1, B*3, h, h)."""
        if (entry, upto) not in self._lost:
            last = upto - 1
            rebuilt = self.step(last, self.reconstruct(entry, last), None)
            self._lost[entry, upto] = self.pictures[last] - rebuilt
        return self._lost[entry, upto]

    @torch.no_grad()
    def reconstruct(self, entry: int, scale: int) -> torch.Tensor:
        """Return the noise-free path from ``entry``, as ``scale`` receives it: (1, B*3, h, h)."""
        picture = self.entering(entry)
        for index in range(entry, scale):
            fixed = self.optimal_noise if self.from_noise(index) else None
            picture = self.step(index, resize(picture, self.sizes[index]), fixed)
        return resize(picture, self.sizes[scale])

    def alone(self, index: int) -> "FastPyramid":
        """Return the trained pyramid of edit ``index`` by itself."""
        own = slice(COLOURS * index, COLOURS * index + COLOURS)
        single = FastPyramid.__new__(FastPyramid)
        single.target, single.edits, single.whole = self.target[:, own], 1, self.whole
        single.start_noise, single.sizes, single.cycles = self.start_noise, self.sizes, self.cycles
        single.pictures = [picture[:, own] for picture in self.pictures]
        single.optimal_noise = None if self.optimal_noise is None else self.optimal_noise[:, own]
        single._lost = {}
        single.scales = [_alone(scale, index, self.edits) for scale in self.scales]
        return single


def _alone(scale: FastScale, index: int, edits: int) -> FastScale:
    generator = Generator(1, scale.generator.kernels, normalise=scale.generator.normalise, codes=scale.generator.codes)
    critic = Critic(1, scale.critic.kernels, normalise=scale.critic.normalise)
    for own, network in ((generator, scale.generator), (critic, scale.critic)):
        own.to(scale.noise).load_state_dict(edit_state(network, index, edits))
        own.eval().requires_grad_(False)
    return FastScale(scale.size, generator, critic, scale.noise[index : index + 1])
