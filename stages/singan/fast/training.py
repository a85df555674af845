"""Training of the fast engine: one generator and one critic step an iteration, on random crops.

Two things make it stable at 128 px. The R1 penalty is small: at the weight of 1 that is usual for one score per
picture, the summed gradient of all patch scores holds the critic at a constant 0, and the generator learns from
noise. And the generator is guided: what enters has been moved and tinted by known amounts, so the edit, moved and
tinted alike, is what its output should resemble (as DeepSIM trains on one warped picture, Vinker et al. 2021);
without it, skin comes out mottled.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F

from singanimation.stages.singan.fast.batches import Batches, fill_pool
from singanimation.stages.singan.fast.positions import CYCLES, code_channels
from singanimation.stages.singan.fast.pyramid import FastPyramid, FastScale
from singanimation.stages.singan.networks import (
    COLOURS,
    Critic,
    Generator,
    initialise,
    repeat_state,
)
from singanimation.stages.singan.randomness import EditRandomness
from singanimation.stages.singan.start_noise import StartNoise


@dataclass(frozen=True)
class FastRecipe:
    """The fast engine's settings.

    ``reconstruction`` weighs the squared error of the noise-free path (SinGAN's alpha), ``guidance`` that to the
    edit changed like what entered, ``adversarial`` the critic's scores, ``penalty`` R1 every ``penalty_every``.
    """

    iterations: int = 150
    warm_iterations: int = 25
    kernels: int = 16
    crop: int = 64
    ratio: float = 0.6
    learning_rate: float = 2e-3
    decay_from: float = 0.6
    decay_to: float = 0.1
    reconstruction: float = 10.0
    guidance: float = 3.0
    adversarial: float = 1.0
    penalty: float = 0.03
    penalty_every: int = 8
    pool: int = 16
    fine_noise: float = 0.1
    least_noise: float = 0.02
    normalise: bool = False
    cycles: tuple[int, ...] = CYCLES
    start_noise: StartNoise = field(default_factory=StartNoise)


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
    pyramid = FastPyramid(target, ratio=recipe.ratio, whole=whole, start_noise=recipe.start_noise, cycles=recipe.cycles)
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
    codes = code_channels(pyramid.cycles)
    generator = Generator(edits, recipe.kernels, normalise=recipe.normalise, codes=codes)
    critic = Critic(edits, recipe.kernels, normalise=recipe.normalise)
    if before is None:
        initialise(generator, randomness.generators, None)
        initialise(critic, randomness.generators, None)
    else:
        for network, trained in ((generator, before.generator), (critic, before.critic)):
            state = trained.state_dict()
            network.load_state_dict(repeat_state(state, edits) if repeat else state)
    return generator.to(pyramid.target), critic.to(pyramid.target)


def _train_scale(
    pyramid: FastPyramid,
    index: int,
    networks: tuple[Generator, Critic],
    recipe: FastRecipe,
    iterations: int,
    randomness: EditRandomness,
) -> FastScale:
    pool, fine = fill_pool(pyramid, index, recipe.pool, (recipe.fine_noise, recipe.least_noise), randomness)
    generator, critic = networks
    optimisers = [
        torch.optim.Adam(network.parameters(), recipe.learning_rate, (0.5, 0.999), fused=True) for network in networks
    ]
    batches = Batches(pyramid, index, pool, recipe.crop, randomness)
    for iteration in range(iterations):
        _set_learning_rate(optimisers, recipe, iteration / iterations)
        batch = batches.draw(iteration)
        fake = generator(pyramid.placed(index, batch.noisy, batch.code), batch.previous)
        loss = critic_loss(critic, batch.real, fake.detach(), pyramid.edits)
        if iteration % recipe.penalty_every == 0:
            loss = loss + recipe.penalty * recipe.penalty_every * r1_penalty(critic, batch.real, pyramid.edits)
        _descend(optimisers[1], loss)
        critic.requires_grad_(False)
        rebuilt = generator(pyramid.placed(index, batch.noisy_path, batch.code), batch.path)
        loss = recipe.reconstruction * per_edit_mean((rebuilt - batch.real).square(), pyramid.edits)
        error = per_edit_mean((fake - batch.guide).square() * batch.guided, pyramid.edits)
        loss = loss + recipe.guidance * error - recipe.adversarial * per_edit_mean(critic(fake), pyramid.edits)
        _descend(optimisers[0], loss)
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
