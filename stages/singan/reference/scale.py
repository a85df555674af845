"""The training of one scale, iteration by iteration; its state can be kept and taken up again."""

from collections.abc import Mapping

import torch
from torch import nn

from singanimation.stages.singan.networks import COLOURS, Critic, Generator, initialise, pad
from singanimation.stages.singan.randomness import EditRandomness
from singanimation.stages.singan.reference.pyramid import (
    ReferencePyramid,
    ReferenceRecipe,
    ReferenceScale,
    per_channel,
)

_MOMENTS = ("exp_avg", "exp_avg_sq")


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


class ScaleTraining:
    """Trains one scale of ``pyramid``, whose coarser scales are done; ``step`` is one iteration of the recipe."""

    def __init__(self, pyramid: ReferencePyramid, scale: int, recipe: ReferenceRecipe) -> None:
        """Prepare: networks, sigma, and random numbers of this scale's own."""
        self.pyramid, self.scale, self.recipe, self.iteration = pyramid, scale, recipe, 0
        like = pyramid.pictures[-1]
        self.randomness = EditRandomness(pyramid.seeds, f"reference-{pyramid.first}-{scale}", like)
        self.generator, self.critic = make_networks(pyramid, scale, recipe, self.randomness)
        self._real, self._path = pyramid.pictures[scale], pad(pyramid.chain(scale, None))
        self.sigma = torch.ones(pyramid.edits).to(self._real)
        if scale > 0:
            error = (self._real - pyramid.chain(scale, None)).reshape(pyramid.edits, -1)
            self.sigma = recipe.noise * error.square().mean(1).sqrt()
        self._optimisers = [
            torch.optim.Adam(network.parameters(), recipe.learning_rate, (0.5, 0.999)) for network in self._networks()
        ]

    @property
    def done(self) -> bool:
        """Whether all iterations are."""
        return self.iteration >= self.recipe.iterations

    def step(self) -> None:
        """Do one iteration: the critic's steps, then the generator's."""
        recipe, pyramid, edits = self.recipe, self.pyramid, self.pyramid.edits
        fallen = self.iteration >= int(recipe.iterations * recipe.milestone)
        for optimiser in self._optimisers:
            optimiser.param_groups[0]["lr"] = recipe.learning_rate * (recipe.gamma if fallen else 1.0)
        clean = self._path
        if self.scale == 0:  # the released code draws z* anew each iteration and keeps the last
            fixed = pyramid.optimal_noise = pyramid.unit_noise(0, self.randomness)
            clean = self._path + pad(fixed)
        noise = pad(pyramid.unit_noise(self.scale, self.randomness)) * per_channel(self.sigma)
        previous = self._path
        for _ in range(recipe.critic_steps):
            previous = pad(pyramid.chain(self.scale, self.randomness))
            with torch.no_grad():
                fake = self.generator(previous + noise, previous)
            loss = critic_loss(self.critic, self._real, fake, self.randomness, recipe.penalty, edits)
            _descend(self._optimisers[1], loss)
        self.critic.requires_grad_(False)
        for _ in range(recipe.generator_steps):
            loss = -per_edit_mean(self.critic(self.generator(previous + noise, previous)), edits)
            error = (self.generator(clean, self._path) - self._real).square()
            _descend(self._optimisers[0], loss + recipe.reconstruction * per_edit_mean(error, edits))
        self.critic.requires_grad_(True)
        self.iteration += 1

    def finish(self) -> ReferenceScale:
        """Return the trained scale, its networks in eval mode and without gradients."""
        for network in self._networks():
            network.eval().requires_grad_(False)
        return ReferenceScale(self.generator, self.critic, self.sigma)

    def state(self) -> dict[str, torch.Tensor]:
        """Return what going on needs beside the pyramid: weights, Adam's moments, random numbers, the iteration."""
        found = {"iteration": torch.tensor([self.iteration]), "sigma": self.sigma}
        for index, generator in enumerate(self.randomness.generators):
            found[f"random.{index}"] = generator.get_state()
        for part, network, optimiser in zip(("generator", "critic"), self._networks(), self._optimisers, strict=True):
            found |= {f"{part}.{name}": value for name, value in network.state_dict().items()}
            for name, value in network.named_parameters():
                kept = optimiser.state.get(value, {})
                found |= {f"{part}.{moment}.{name}": kept.get(moment, torch.zeros_like(value)) for moment in _MOMENTS}
        return found

    def load_state(self, state: Mapping[str, torch.Tensor]) -> None:
        """Take up what ``state`` returned: names and shapes have to be those of this training's own."""
        self.iteration = int(state["iteration"])
        self.sigma = state["sigma"].to(self.sigma)
        for index, generator in enumerate(self.randomness.generators):
            generator.set_state(state[f"random.{index}"])
        steps = (self.recipe.generator_steps, self.recipe.critic_steps)
        for part, network, optimiser, each in zip(
            ("generator", "critic"), self._networks(), self._optimisers, steps, strict=True
        ):
            network.load_state_dict({name: state[f"{part}.{name}"] for name in network.state_dict()})
            if self.iteration:
                for name, value in network.named_parameters():
                    moments = {moment: state[f"{part}.{moment}.{name}"].to(value).clone() for moment in _MOMENTS}
                    optimiser.state[value] = {"step": torch.tensor(float(self.iteration * each))} | moments

    def _networks(self) -> tuple[nn.Module, nn.Module]:
        return self.generator, self.critic


def critic_loss(
    critic: Critic, real: torch.Tensor, fake: torch.Tensor, randomness: EditRandomness, weight: float, edits: int
) -> torch.Tensor:
    """Return the WGAN-GP loss (Gulrajani et al. 2017) as the released code has it.

    The gradient's norm is taken over the colours at each pixel, and its distance from 1 averaged over pixels.
    """
    share = per_channel(randomness.uniform(1))
    mixed = (share * real + (1 - share) * fake).requires_grad_(True)
    (gradient,) = torch.autograd.grad(critic(mixed).sum(), mixed, create_graph=True)
    norm = gradient.unflatten(1, (edits, COLOURS)).norm(2, dim=2)
    penalty = per_edit_mean((norm - 1).square(), edits)
    return per_edit_mean(critic(fake), edits) - per_edit_mean(critic(real), edits) + weight * penalty


def per_edit_mean(values: torch.Tensor, edits: int) -> torch.Tensor:
    """Return the mean of (S, B*C, h, w) for each edit, summed over edits: each trains as if alone."""
    return values.reshape(values.shape[0], edits, -1).mean((0, 2)).sum()


def _descend(optimiser: torch.optim.Optimizer, loss: torch.Tensor) -> None:
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
