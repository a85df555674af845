"""The paper's own recipe, as its authors' released code trains: WGAN-GP, AU regression, attention, variation, cycle.

The terms are in ``terms``. The critic takes two Adam steps a batch, one on its losses and one on the penalty; the
generator moves at every fifth batch. Faces come in shuffled epochs without the last, incomplete batch, mirrored half of
the time. Adam 1e-4 with betas (0.5, 0.999). What departs is an option (``PaperTerms``, ``TrainSettings``), but for two
things: an epsilon of 1e-12 under the root of the gradient's norm, without which a zero gradient gives NaN, and the
larger first weights of a critic narrower than the paper's (``initialise``). At 64 pixels (``size``) the critic has one
layer less, so that its map and its regression see what the paper's see.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from singanimation.stages.expansion.ganimation.networks import (
    PAPER_WIDTH,
    PaperDiscriminator,
    PaperGenerator,
    critic_layers,
    initialise,
    scaled_width,
)
from singanimation.stages.expansion.ganimation.terms import (
    critic_terms,
    generator_terms,
    penalty_term,
    targets,
    total,
)
from singanimation.stages.expansion.training.loop import TrainingFaces, initial_weights
from singanimation.stages.expansion.training.settings import TrainSettings
from singanimation.stages.expansion.training.siblings import at_size


class PaperObjective:
    """Trains the paper's generator on unpaired faces; the condition is the target AUs."""

    def __init__(self, settings: TrainSettings, faces: TrainingFaces) -> None:
        random = torch.Generator().manual_seed(settings.seed)
        width = scaled_width(settings.width)
        self.options: Mapping[str, Any] = {"width": width, "size": settings.size}
        self._device = settings.device
        self._batch = settings.batch_size
        self._mixed = settings.mixed_precision
        self._terms = settings.paper
        self._pictures = at_size(faces.pictures, settings.size)
        self._units = torch.from_numpy(faces.action_units)
        self.generator: nn.Module = PaperGenerator(width, size=settings.size)
        self._critic = PaperDiscriminator(width, critic_layers(settings.size), size=settings.size)
        initialise(self.generator, random)
        initialise(self._critic, random, width / PAPER_WIDTH)
        initial_weights(self.generator, settings.init)
        for network in (self.generator, self._critic):
            network.to(self._device).to(memory_format=torch.channels_last)
        self._order = torch.zeros(0, dtype=torch.long)
        self._generator_optimiser = torch.optim.Adam(self.generator.parameters(), betas=(0.5, 0.999))
        self._critic_optimiser = torch.optim.Adam(self._critic.parameters(), betas=(0.5, 0.999))

    def step(self, random: torch.Generator, learning_rate: float, done: float) -> dict[str, float]:
        """Train the critic on five batches, and the generator on the last of them."""
        for group in (*self._generator_optimiser.param_groups, *self._critic_optimiser.param_groups):
            group["lr"] = learning_rate
        losses: dict[str, float] = {}
        for _ in range(self._terms.critic_steps):
            picture, units, target = self._draw(random)
            losses |= self._critic_step(picture, units, target, random)
        return losses | self._generator_step(picture, units, target)

    def _draw(self, random: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        index = self._next(random)
        other = torch.randint(len(self._pictures), (self._batch,), generator=random)
        flip = torch.rand(self._batch, 1, 1, 1, generator=random) < 0.5
        picture = self._pictures[index].float() / 127.5 - 1
        picture = torch.where(flip, picture.flip(3), picture).to(self._device, memory_format=torch.channels_last)
        noise = torch.rand(self._batch, self._units.shape[1], generator=random) * 2 - 1
        target = targets(self._units[other], noise, self._terms)
        return picture, self._units[index].to(self._device), target.to(self._device)

    def _next(self, random: torch.Generator) -> Tensor:
        """Return the next faces of a shuffled epoch; drawn with replacement where one batch is more than there are."""
        if len(self._pictures) < self._batch:
            return torch.randint(len(self._pictures), (self._batch,), generator=random)
        if len(self._order) < self._batch:
            self._order = torch.randperm(len(self._pictures), generator=random)
        index, self._order = self._order[: self._batch], self._order[self._batch :]
        return index

    def _autocast(self) -> torch.autocast:
        return torch.autocast(torch.device(self._device).type, torch.bfloat16, enabled=self._mixed)

    def _critic_step(self, picture: Tensor, units: Tensor, target: Tensor, random: torch.Generator) -> dict[str, float]:
        with torch.no_grad(), self._autocast():
            fake = self.generator(picture, target).picture.float()
        with self._autocast():
            real, (fake_map, _) = self._critic(picture), self._critic(fake)
        losses = critic_terms(real, fake_map, units, self._terms)
        mix = torch.rand(len(picture), 1, 1, 1, generator=random).to(self._device)

        def penalty() -> dict[str, Tensor]:
            return penalty_term(lambda between: self._critic(between)[0], picture, fake, mix, self._terms)

        if self._terms.joint_critic:
            losses |= (found := penalty())
            self._move(self._critic_optimiser, losses)
        else:
            self._move(self._critic_optimiser, losses)
            self._move(self._critic_optimiser, found := penalty())
        told = {"wasserstein": -(losses["real"] + losses["fake"]), "critic_units": losses["units"], **found}
        return {name: value.item() for name, value in told.items()}

    @staticmethod
    def _move(optimiser: torch.optim.Optimizer, losses: dict[str, Tensor]) -> None:
        optimiser.zero_grad(set_to_none=True)
        total(losses).backward()
        optimiser.step()

    def _generator_step(self, picture: Tensor, units: Tensor, target: Tensor) -> dict[str, float]:
        with self._autocast():
            there = self.generator(picture, target)
            back = self.generator(there.picture, units)
            judged = self._critic(there.picture)
        passes = (there.attention, there.picture), (back.attention, back.picture)
        losses = generator_terms(picture, *passes, judged, target, self._terms)
        self._move(self._generator_optimiser, losses)
        told = {"units": losses["units"], "cycle": losses["cycle"], "attention": there.attention.mean()}
        return {name: value.item() for name, value in told.items()}

    def state_dict(self) -> dict[str, Any]:
        """Return networks and optimisers."""
        parts = (self.generator, self._critic, self._generator_optimiser, self._critic_optimiser)
        return {"order": self._order, **{name: part.state_dict() for name, part in zip(_PARTS, parts, strict=True)}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up networks and optimisers."""
        self._order = state["order"]
        parts = (self.generator, self._critic, self._generator_optimiser, self._critic_optimiser)
        for name, part in zip(_PARTS, parts, strict=True):
            part.load_state_dict(state[name])


_PARTS = ("generator", "critic", "generator_optimiser", "critic_optimiser")
