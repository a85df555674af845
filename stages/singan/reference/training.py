"""SinGAN's own training (Shaham et al., ICCV 2019, and its released code), for many pictures at once.

Where the released code cannot be followed: it reuses a stale fake in the later generator steps (an error with
today's PyTorch; recomputed here), steps the scheduler before the optimiser (after it here, so that the rate falls
at iteration 1600 of 2000 as intended), and resizes through 8-bit pictures at every draw (in float here).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from singanimation.stages.singan.networks import COLOURS, Critic, Generator, initialise, pad
from singanimation.stages.singan.pyramid import pyramid_shapes, resize
from singanimation.stages.singan.randomness import EditRandomness


@dataclass(frozen=True)
class ReferenceRecipe:
    """The released code's defaults."""

    iterations: int = 2000
    generator_steps: int = 3
    critic_steps: int = 3
    learning_rate: float = 5e-4
    milestone: float = 0.8
    gamma: float = 0.1
    penalty: float = 0.1
    reconstruction: float = 10.0
    noise: float = 0.1
    kernels: int = 32
    most_kernels: int = 128
    deviation: float = 0.02

    def width(self, scale: int) -> int:
        """Return the kernels at ``scale``: 32, doubled every four scales, at most 128."""
        return min(self.kernels * 2 ** (scale // 4), self.most_kernels)


@dataclass
class ReferenceScale:
    """A trained scale; ``noise`` (B,) is sigma."""

    generator: Generator
    critic: Critic
    noise: torch.Tensor


class ReferencePyramid:
    """B SinGANs side by side, whose coarsest trained scale is ``first``.

    ``first=0`` is SinGAN as published. ``first=k`` is trained for the injection of the edit at scale k: its
    input is the edit at the size of scale k-1, up-sampled, as the released code feeds a draw of that scale.
    """

    def __init__(
        self,
        target: torch.Tensor,
        seeds: Sequence[int],
        first: int,
        shapes: Sequence[tuple[int, int]] | None = None,
    ) -> None:
        """Prepare for ``target`` (1, B*3, H, W) in -1..1; ``scales[first:]`` are filled by training.

        ``shapes`` (h, w), coarsest first, the last the target's own; None: SinGAN's, of any aspect.
        """
        self.edits, self.first, self.seeds = target.shape[1] // COLOURS, first, list(seeds)
        shapes = pyramid_shapes(*target.shape[-2:]) if shapes is None else shapes
        self.pictures = [resize(target, shape) for shape in shapes]
        self.scales: dict[int, ReferenceScale] = {}
        self.optimal_noise: torch.Tensor | None = None

    def entering(self) -> torch.Tensor:
        """Return what the first scale gets in place of a coarser draw: (1, B*3, h, h)."""
        if self.first == 0:
            return torch.zeros_like(self.pictures[0])
        return resize(self.pictures[self.first - 1], self.shape(self.first))

    def unit_noise(self, scale: int, randomness: EditRandomness) -> torch.Tensor:
        """Return noise (1, B*3, h, h); at the coarsest scale the same for all three colours."""
        height, width = self.shape(scale)
        if scale == 0:
            return randomness.normal(1, 1, height, width).repeat_interleave(COLOURS, 1)
        return randomness.normal(1, COLOURS, height, width)

    def shape(self, scale: int) -> tuple[int, int]:
        """Return the height and width of ``scale``."""
        height, width = self.pictures[scale].shape[-2:]
        return height, width

    @torch.no_grad()
    def chain(
        self, upto: int, randomness: EditRandomness | None, noisy_from: int = 0, gain: float = 1.0
    ) -> torch.Tensor:
        """Run the trained scales below ``upto``; return what scale ``upto`` receives (the picture if it is last).

        Scales from ``noisy_from`` on get noise of sigma times ``gain``; those before, and all without
        ``randomness``, the reconstruction's: z* at the coarsest, none elsewhere.
        """
        picture = self.entering()
        for scale in range(self.first, upto):
            picture = resize(picture, self.shape(scale))
            padded = pad(picture)
            if randomness is not None and scale >= noisy_from:
                sigma = _per_channel(self.scales[scale].noise) * (gain if scale else 1.0)
                noisy = padded + pad(self.unit_noise(scale, randomness)) * sigma
            else:
                noisy = padded if scale or self.optimal_noise is None else padded + pad(self.optimal_noise)
            picture = self.scales[scale].generator(noisy, padded)
        return resize(picture, self.shape(min(upto, len(self.pictures) - 1)))


def train_reference(
    target: torch.Tensor,
    seeds: Sequence[int],
    recipe: ReferenceRecipe,
    first: int,
    begun: ReferencePyramid | None = None,
) -> Iterator[ReferencePyramid]:
    """Train the SinGANs of ``target`` (1, B*3, H, H) in -1..1 from scale ``first`` on; yield after each scale.

    ``begun`` is a pyramid of the same target, seeds and recipe that stopped after some of its scales: it is
    completed, to the same weights as without the stop, since every scale draws from a seed of its own.
    """
    pyramid = begun or ReferencePyramid(target, seeds, first)
    for scale in range(first + len(pyramid.scales), len(pyramid.pictures)):
        randomness = EditRandomness(seeds, f"reference-{first}-{scale}", target)
        pyramid.scales[scale] = _train_scale(pyramid, scale, recipe, randomness)
        yield pyramid


def make_networks(
    pyramid: ReferencePyramid, scale: int, recipe: ReferenceRecipe, randomness: EditRandomness
) -> tuple[Generator, Critic]:
    """Make a scale's networks; weights are copied from the scale before where the widths agree."""
    width = recipe.width(scale)
    networks = (
        Generator(pyramid.edits, width, normalise=True).to(pyramid.pictures[0]),
        Critic(pyramid.edits, width, normalise=True).to(pyramid.pictures[0]),
    )
    before = pyramid.scales.get(scale - 1)
    for network, trained in zip(networks, (before.generator, before.critic) if before else (None, None), strict=True):
        if trained is not None and trained.kernels == width:
            network.load_state_dict(trained.state_dict())
        else:
            initialise(network, randomness.generators, recipe.deviation)
    return networks


def _train_scale(
    pyramid: ReferencePyramid, scale: int, recipe: ReferenceRecipe, randomness: EditRandomness
) -> ReferenceScale:
    generator, critic = make_networks(pyramid, scale, recipe, randomness)
    real, path = pyramid.pictures[scale], pad(pyramid.chain(scale, None))
    sigma = torch.ones(pyramid.edits).to(real)
    if scale > 0:
        error = (real - pyramid.chain(scale, None)).reshape(pyramid.edits, -1)
        sigma = recipe.noise * error.square().mean(1).sqrt()
    optimisers = [
        torch.optim.Adam(network.parameters(), recipe.learning_rate, (0.5, 0.999)) for network in (generator, critic)
    ]
    for iteration in range(recipe.iterations):
        if iteration == int(recipe.iterations * recipe.milestone):
            for optimiser in optimisers:
                optimiser.param_groups[0]["lr"] *= recipe.gamma
        clean = path
        if scale == 0:  # the released code draws z* anew each iteration and keeps the last
            fixed = pyramid.optimal_noise = pyramid.unit_noise(0, randomness)
            clean = path + pad(fixed)
        noise = pad(pyramid.unit_noise(scale, randomness)) * _per_channel(sigma)
        for _ in range(recipe.critic_steps):
            previous = pad(pyramid.chain(scale, randomness))
            with torch.no_grad():
                fake = generator(previous + noise, previous)
            _descend(optimisers[1], critic_loss(critic, real, fake, randomness, recipe.penalty, pyramid.edits))
        critic.requires_grad_(False)
        for _ in range(recipe.generator_steps):
            loss = -per_edit_mean(critic(generator(previous + noise, previous)), pyramid.edits)
            error = (generator(clean, path) - real).square()
            _descend(optimisers[0], loss + recipe.reconstruction * per_edit_mean(error, pyramid.edits))
        critic.requires_grad_(True)
    for network in (generator, critic):
        network.eval().requires_grad_(False)
    return ReferenceScale(generator, critic, sigma)


def critic_loss(
    critic: Critic, real: torch.Tensor, fake: torch.Tensor, randomness: EditRandomness, weight: float, edits: int
) -> torch.Tensor:
    """Return the WGAN-GP loss (Gulrajani et al. 2017) as the released code has it.

    The gradient's norm is taken over the colours at each pixel, and its distance from 1 averaged over pixels.
    """
    share = _per_channel(randomness.uniform(1))
    mixed = (share * real + (1 - share) * fake).requires_grad_(True)
    (gradient,) = torch.autograd.grad(critic(mixed).sum(), mixed, create_graph=True)
    norm = gradient.unflatten(1, (edits, COLOURS)).norm(2, dim=2)
    penalty = per_edit_mean((norm - 1).square(), edits)
    return per_edit_mean(critic(fake), edits) - per_edit_mean(critic(real), edits) + weight * penalty


def per_edit_mean(values: torch.Tensor, edits: int) -> torch.Tensor:
    """Return the mean of (S, B*C, h, w) for each edit, summed over edits: each trains as if alone."""
    return values.reshape(values.shape[0], edits, -1).mean((0, 2)).sum()


def _per_channel(values: torch.Tensor) -> torch.Tensor:
    return values.reshape(1, -1, 1, 1).repeat_interleave(COLOURS, 1)


def _descend(optimiser: torch.optim.Optimizer, loss: torch.Tensor) -> None:
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
