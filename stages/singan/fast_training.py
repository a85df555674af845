"""Training of the fast engine: one generator and one critic step an iteration, on random crops.

What makes it stable: the R1 penalty is small. At the weight of 1 that is usual for one score per picture, the
summed gradient of all patch scores keeps the critic at a constant 0, and the generator trains on nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F

from singanimation.stages.singan.fast_pyramid import FastPyramid, FastScale, per_channel
from singanimation.stages.singan.networks import (
    COLOURS,
    MARGIN,
    Critic,
    Generator,
    initialise,
    pad,
    repeat_state,
)
from singanimation.stages.singan.pyramid import resize
from singanimation.stages.singan.randomness import EditRandomness
from singanimation.stages.singan.start_noise import StartNoise


@dataclass(frozen=True)
class FastRecipe:
    """The fast engine's settings; losses in the words of SinGAN's equations 4-5."""

    iterations: int = 150
    warm_iterations: int = 25
    kernels: int = 16
    crop: int = 64
    ratio: float = 0.6
    learning_rate: float = 2e-3
    decay_from: float = 0.6
    decay_to: float = 0.1
    reconstruction: float = 10.0
    penalty: float = 0.03
    penalty_every: int = 8
    pool: int = 16
    fine_noise: float = 0.1
    least_noise: float = 0.02
    normalise: bool = False
    start_noise: StartNoise = field(default_factory=StartNoise)


@dataclass
class Pool:
    """What a scale trains on: ``previous`` (P, B*3, h+10, h+10) padded inputs drawn from the scales before,
    ``amplitude`` (P, B, 1, 1) of the noise that goes with each, and the padded inputs of the noise-free paths,
    each with its fixed noise or None."""

    previous: torch.Tensor
    amplitude: torch.Tensor
    paths: list[tuple[torch.Tensor, torch.Tensor | None]]


def train_pyramid(
    target: torch.Tensor,
    seeds: Sequence[int],
    recipe: FastRecipe,
    *,
    whole: bool,
    iterations: int,
    warm: FastPyramid | None = None,
) -> Iterator[FastPyramid]:
    """Train the SinGANs of ``target`` (1, B*3, H, H) in -1..1, scale by scale; yield after each scale.

    ``warm`` is the trained pyramid of one edit from whose weights all begin. Edit b uses ``seeds[b]`` alone.
    """
    pyramid = FastPyramid(target, ratio=recipe.ratio, whole=whole, start_noise=recipe.start_noise)
    for index in range(len(pyramid.sizes)):
        randomness = EditRandomness(seeds, f"fast-{whole}-{index}", target)
        if pyramid.from_noise(index):
            pyramid.optimal_noise = pyramid.noise(index, 1, pyramid.sizes[index], randomness)
        before = warm.scales[index] if warm else pyramid.scales[-1] if index else None
        networks = _networks(pyramid, recipe, before, randomness, repeat=warm is not None)
        pyramid.scales.append(_train_scale(pyramid, index, networks, recipe, iterations, randomness))
        yield pyramid


def _networks(
    pyramid: FastPyramid,
    recipe: FastRecipe,
    before: FastScale | None,
    randomness: EditRandomness,
    *,
    repeat: bool,
) -> tuple[Generator, Critic]:
    edits = pyramid.edits
    generator = Generator(edits, recipe.kernels, normalise=recipe.normalise)
    critic = Critic(edits, recipe.kernels, normalise=recipe.normalise)
    if before is None:
        initialise(generator, randomness.generators, None)
        initialise(critic, randomness.generators, None)
    else:
        for network, trained in ((generator, before.generator), (critic, before.critic)):
            state = trained.state_dict()
            network.load_state_dict(repeat_state(state, edits) if repeat else state)
    return generator.to(pyramid.target), critic.to(pyramid.target)


@torch.no_grad()
def _fill_pool(
    pyramid: FastPyramid, index: int, recipe: FastRecipe, randomness: EditRandomness
) -> tuple[Pool, torch.Tensor]:
    """Draw what scale ``index`` trains on, an equal share for each start; return it with the scale's noise."""
    entries = [entry for entry in pyramid.entries if entry <= index]
    share, size = -(-recipe.pool // len(entries)), pyramid.sizes[index]
    previous, amplitudes, clean = [], [], []
    for entry in entries:
        clean.append(pyramid.reconstruct(entry, index))
    error = torch.stack([(path - pyramid.pictures[index]).reshape(pyramid.edits, -1) for path in clean])
    fine = (recipe.fine_noise * error.square().mean((0, 2)).sqrt()).clamp(min=recipe.least_noise)
    for entry in entries:
        gain = randomness.uniform(share)
        previous.append(resize(pyramid.chain(entry, index, gain, randomness), size))
        own = pyramid.entry_amplitude(index, gain) if entry == index else fine.view(1, -1, 1, 1).expand_as(gain)
        amplitudes.append(own)
    fixed = [pyramid.optimal_noise if pyramid.from_noise(index) else None for _ in clean]
    paths = [(pad(path), noise if noise is None else pad(noise)) for path, noise in zip(clean, fixed, strict=True)]
    return Pool(pad(torch.cat(previous)), torch.cat(amplitudes), paths), fine


def _train_scale(
    pyramid: FastPyramid,
    index: int,
    networks: tuple[Generator, Critic],
    recipe: FastRecipe,
    iterations: int,
    randomness: EditRandomness,
) -> FastScale:
    pool, fine = _fill_pool(pyramid, index, recipe, randomness)
    generator, critic = networks
    optimisers = [
        torch.optim.Adam(network.parameters(), recipe.learning_rate, (0.5, 0.999), fused=True) for network in networks
    ]
    batches = _Batches(pyramid, index, pool, recipe.crop, randomness)
    for iteration in range(iterations):
        _set_learning_rate(optimisers, recipe, iteration / iterations)
        real, noisy, previous, path, path_noise = batches.draw(iteration)
        fake = generator(noisy, previous)
        loss = critic_loss(critic, real, fake.detach(), pyramid.edits)
        if iteration % recipe.penalty_every == 0:
            loss = loss + recipe.penalty * recipe.penalty_every * r1_penalty(critic, real, pyramid.edits)
        _descend(optimisers[1], loss)
        critic.requires_grad_(False)
        rebuilt = generator(path if path_noise is None else path + path_noise, path)
        loss = recipe.reconstruction * per_edit_mean((rebuilt - real).square(), pyramid.edits)
        _descend(optimisers[0], loss - per_edit_mean(critic(fake), pyramid.edits))
        critic.requires_grad_(True)
    for network in networks:
        network.eval().requires_grad_(False)
    return FastScale(pyramid.sizes[index], generator, critic, fine)


def per_edit_mean(values: torch.Tensor, edits: int) -> torch.Tensor:
    """Return the mean of (S, B*C, h, w) for each edit, summed over edits: each trains as if alone."""
    return values.reshape(values.shape[0], edits, -1).mean((0, 2)).sum()


def critic_loss(critic: Critic, real: torch.Tensor, fake: torch.Tensor, edits: int) -> torch.Tensor:
    """Return the hinge loss of the patch scores of ``real`` and ``fake`` (S, B*3, h, w)."""
    return per_edit_mean(F.relu(1 - critic(real)), edits) + per_edit_mean(F.relu(1 + critic(fake)), edits)


def r1_penalty(critic: Critic, real: torch.Tensor, edits: int) -> torch.Tensor:
    """Return R1 (Mescheder et al. 2018): the squared gradient of the summed patch scores, mean over pixels."""
    real = real.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(critic(real).sum(), real, create_graph=True)
    return COLOURS * per_edit_mean(gradient.square(), edits)


def _descend(optimiser: torch.optim.Optimizer, loss: torch.Tensor) -> None:
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()


def _set_learning_rate(optimisers: list[torch.optim.Adam], recipe: FastRecipe, progress: float) -> None:
    late = max(0.0, progress - recipe.decay_from) / (1 - recipe.decay_from)
    for optimiser in optimisers:
        optimiser.param_groups[0]["lr"] = recipe.learning_rate * recipe.decay_to**late


class _Batches:
    """Random crops of one scale: each edit its own place, its own pool picture and its own noise."""

    def __init__(self, pyramid: FastPyramid, index: int, pool: Pool, crop: int, randomness: EditRandomness) -> None:
        self._pyramid, self._index, self._pool, self._random = pyramid, index, pool, randomness
        self._size = pyramid.sizes[index]
        self._crop = min(crop, self._size)
        self._inside = pad(torch.ones_like(pyramid.pictures[index]))

    def draw(
        self, iteration: int
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """Return real, noisy input, previous, noise-free input, and that path's fixed noise."""
        crop, padded = self._crop, self._crop + 2 * MARGIN
        places = list(zip(*(self._random.integers(self._size - crop + 1) for _ in range(2)), strict=True))
        picks = self._random.integers(len(self._pool.previous))
        real = _cut(self._pyramid.pictures[self._index], places, crop)
        previous = _cut(self._pool.previous, places, padded, picks)
        amplitude = torch.stack([self._pool.amplitude[pick, edit] for edit, pick in enumerate(picks)])
        noise = self._pyramid.noise(self._index, 1, padded, self._random) * _cut(self._inside, places, padded)
        path, fixed = self._pool.paths[iteration % len(self._pool.paths)]
        return (
            real,
            previous + noise * per_channel(amplitude.reshape(-1)),
            previous,
            _cut(path, places, padded),
            None if fixed is None else _cut(fixed, places, padded),
        )


def _cut(
    pictures: torch.Tensor, places: list[tuple[int, int]], size: int, picks: list[int] | None = None
) -> torch.Tensor:
    """Cut one (1, 3, size, size) window per edit out of (P, B*3, h, w), from picture ``picks[b]`` (default 0)."""
    parts = []
    for edit, (top, left) in enumerate(places):
        pick = picks[edit] if picks else 0
        channels = slice(COLOURS * edit, COLOURS * edit + COLOURS)
        parts.append(pictures[pick : pick + 1, channels, top : top + size, left : left + size])
    return parts[0] if len(parts) == 1 else torch.cat(parts, 1)
