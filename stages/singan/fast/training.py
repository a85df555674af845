"""Training of the fast engine, scale by scale: one generator and one critic step an iteration, on random crops."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import torch

from singanimation.stages.singan.fast.adam import Adam
from singanimation.stages.singan.fast.batches import Batches, fill_pool
from singanimation.stages.singan.fast.networks import NOISE, FoldedCritic, FoldedGenerator, layered
from singanimation.stages.singan.fast.objective import Weights, train_step
from singanimation.stages.singan.fast.pyramid import FastPyramid, FastScale, fold_of
from singanimation.stages.singan.fast.start import Start
from singanimation.stages.singan.networks import initialise, repeat_state
from singanimation.stages.singan.randomness import EditRandomness
from singanimation.stages.singan.start_noise import StartNoise


@dataclass(frozen=True)
class FastRecipe:
    """The fast engine's settings. ``iterations`` a scale from shipped weights, ``from_scratch`` from others;
    ``share`` of the detail that the generators cannot rebuild is given back to what they draw."""

    iterations: int = 8
    from_scratch: int = 150
    kernels: int = 16
    crop: int = 24
    learning_rate: float = 1e-3
    learning_rate_from_scratch: float = 2e-3
    decay_from: float = 0.5
    decay_to: float = 0.1
    penalty_every: int = 8
    pool: int = 8
    share: float = 0.6
    weights: Weights = field(default_factory=Weights)
    start_noise: StartNoise = field(default_factory=StartNoise)

    def fresh(self) -> "FastRecipe":
        """Return what a scale that begins from random weights is trained by."""
        return replace(self, iterations=self.from_scratch, learning_rate=self.learning_rate_from_scratch)


def train_pyramid(
    target: torch.Tensor,
    seeds: Sequence[int],
    recipe: FastRecipe,
    *,
    whole: bool,
    start: Start | None = None,
) -> Iterator[FastPyramid]:
    """Train the SinGANs of ``target`` (1, B*3, H, H) in -1..1, scale by scale; yield after each scale.

    A scale begins from the weights of ``start`` nearest its size; without, each from the scale before, the first from
    random ones. Edit b uses ``seeds[b]`` alone.
    """
    pyramid = FastPyramid(target, whole=whole, start_noise=recipe.start_noise)
    for index, size in enumerate(pyramid.sizes):
        randomness = EditRandomness(seeds, f"fast-{whole}-{index}", target)
        networks = make_networks(pyramid.edits, recipe, fold_of(size), pyramid.codes)
        begun = _begin(networks, pyramid, size, start, randomness)
        for network in networks:
            network.to(target)
        if pyramid.from_noise(index):
            pyramid.optimal_noise = layered(randomness.normal(1, NOISE, *[size // fold_of(size)] * 2))
        own = recipe if begun else recipe.fresh()
        pyramid.scales.append(_train_scale(pyramid, index, networks, own, randomness))
        yield pyramid


def make_networks(edits: int, recipe: FastRecipe, fold: int, codes: int) -> tuple[FoldedGenerator, FoldedCritic]:
    """Return a scale's networks, their weights not yet drawn."""
    return FoldedGenerator(edits, recipe.kernels, fold, codes), FoldedCritic(edits, recipe.kernels, fold, codes)


def initialise_networks(networks: tuple[FoldedGenerator, FoldedCritic], randomness: EditRandomness) -> None:
    """Draw fresh weights. A generator's last convolution is small: unfolded, random weights are a grid."""
    for network, last in zip(networks, (0.01, 0.1), strict=True):
        initialise(network, randomness.generators, None, last)


def _begin(
    networks: tuple[FoldedGenerator, FoldedCritic],
    pyramid: FastPyramid,
    size: int,
    start: Start | None,
    randomness: EditRandomness,
) -> bool:
    """Give ``networks`` their first weights; tell whether these were learnt over many faces."""
    before = pyramid.scales[-1] if pyramid.scales else None
    if start is not None and networks[0].fold == 2:
        nearest = min(start, key=lambda known: abs(known / size - 1))
        for network, state in zip(networks, start[nearest], strict=True):
            network.load_state_dict(repeat_state(state, pyramid.edits))
        return True
    if before is not None and before.generator.fold == networks[0].fold:
        networks[0].load_state_dict(before.generator.state_dict())
        networks[1].load_state_dict(before.critic.state_dict())
    else:
        initialise_networks(networks, randomness)
    return False


def _train_scale(
    pyramid: FastPyramid,
    index: int,
    networks: tuple[FoldedGenerator, FoldedCritic],
    recipe: FastRecipe,
    randomness: EditRandomness,
) -> FastScale:
    iterations = recipe.iterations
    pool = fill_pool(pyramid, index, recipe.pool, randomness)
    optimisers = make_optimisers(networks, recipe)
    batches = Batches(pyramid, index, pool, recipe.crop, iterations, randomness, recipe.share)
    for iteration in range(iterations):
        set_learning_rate(optimisers, recipe, iteration / iterations)
        penalty = 0.0 if iteration % recipe.penalty_every else recipe.weights.penalty * recipe.penalty_every
        train_step(networks, optimisers, batches.draw(iteration), recipe.weights, penalty)
    for network in networks:
        network.eval().requires_grad_(False)
    return FastScale(pyramid.sizes[index], *networks, pool[1])


def make_optimisers(networks: tuple[torch.nn.Module, torch.nn.Module], recipe: FastRecipe) -> tuple[Adam, Adam]:
    """Return the optimisers of a generator and a critic."""
    first, second = (Adam(network.parameters(), recipe.learning_rate, (0.5, 0.99)) for network in networks)
    return first, second


def set_learning_rate(optimisers: Sequence[Adam], recipe: FastRecipe, progress: float) -> None:
    """Let the learning rate fall over the last part of training, ``progress`` 0..1."""
    late = max(0.0, progress - recipe.decay_from) / (1 - recipe.decay_from)
    for optimiser in optimisers:
        optimiser.rate = recipe.learning_rate * recipe.decay_to**late
