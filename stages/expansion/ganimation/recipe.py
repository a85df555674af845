"""The paper's own recipe: WGAN-GP, AU regression, attention, total variation, cycle.

Weights of the terms as in the released code: 10 / 160 (4000 divided by its batch of 25) / 0.1 / 1e-4 / 10;
Adam 1e-4 with betas (0.5, 0.999); the generator moves at every fifth critic step.
"""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from singanimation.stages.expansion.ganimation.networks import PaperDiscriminator, PaperGenerator, initialise
from singanimation.stages.expansion.training.loop import TrainingFaces, initial_weights
from singanimation.stages.expansion.training.losses import gradient_penalty, total_variation
from singanimation.stages.expansion.training.settings import TrainSettings

CRITIC_STEPS = 5
WEIGHTS = {"penalty": 10.0, "units": 160.0, "attention": 0.1, "variation": 1e-4, "cycle": 10.0}
TARGET_NOISE = 0.1


class PaperObjective:
    """Trains the paper's generator on unpaired faces; the condition is the target AUs."""

    def __init__(self, settings: TrainSettings, faces: TrainingFaces) -> None:
        random = torch.Generator().manual_seed(settings.seed)
        width = max(8, round(64 * settings.width))
        self.options: Mapping[str, Any] = {"width": width}
        self._device = settings.device
        self._batch = settings.batch_size
        self._mixed = settings.mixed_precision
        middle = faces.pictures[:, 16:144, 16:144]
        self._pictures = torch.from_numpy(middle.copy()).permute(0, 3, 1, 2)
        self._units = torch.from_numpy(faces.action_units)
        self.generator: nn.Module = PaperGenerator(width)
        self._critic = PaperDiscriminator(width)
        initialise(self.generator, random)
        initialise(self._critic, random)
        initial_weights(self.generator, settings.init)
        for network in (self.generator, self._critic):
            network.to(self._device).to(memory_format=torch.channels_last)
        self._generator_optimiser = torch.optim.Adam(self.generator.parameters(), betas=(0.5, 0.999))
        self._critic_optimiser = torch.optim.Adam(self._critic.parameters(), betas=(0.5, 0.999))

    def step(self, random: torch.Generator, learning_rate: float, done: float) -> dict[str, float]:
        """Five critic steps and one generator step."""
        for group in (*self._generator_optimiser.param_groups, *self._critic_optimiser.param_groups):
            group["lr"] = learning_rate
        losses: dict[str, float] = {}
        for _ in range(CRITIC_STEPS):
            picture, units, target = self._draw(random)
            losses |= self._critic_step(picture, units, target, random)
        return losses | self._generator_step(picture, units, target)

    def _draw(self, random: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        count = len(self._pictures)
        index = torch.randint(count, (self._batch,), generator=random)
        other = torch.randint(count, (self._batch,), generator=random)
        flip = torch.rand(self._batch, 1, 1, 1, generator=random) < 0.5
        picture = self._pictures[index].float() / 127.5 - 1
        picture = torch.where(flip, picture.flip(3), picture).to(self._device, memory_format=torch.channels_last)
        noise = torch.rand(self._batch, self._units.shape[1], generator=random) * 2 - 1
        target = (self._units[other] + TARGET_NOISE * noise).clamp(0, 1)
        return picture, self._units[index].to(self._device), target.to(self._device)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(torch.device(self._device).type, torch.bfloat16, enabled=self._mixed)

    def _critic_step(self, picture: Tensor, units: Tensor, target: Tensor, random: torch.Generator) -> dict[str, float]:
        with torch.no_grad(), self._autocast():
            fake = self.generator(picture, target).picture.float()
        with self._autocast():
            real_map, estimated = self._critic(picture)
            fake_map, _ = self._critic(fake)
        mix = torch.rand(len(picture), 1, 1, 1, generator=random).to(self._device)
        penalty = gradient_penalty(lambda between: self._critic(between)[0], picture, fake, mix)
        wasserstein = real_map.float().mean() - fake_map.float().mean()
        regression = F.mse_loss(estimated.float(), units)
        loss = -wasserstein + WEIGHTS["penalty"] * penalty + WEIGHTS["units"] * regression
        self._critic_optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self._critic_optimiser.step()
        return {"wasserstein": wasserstein.item(), "penalty": penalty.item(), "critic_units": regression.item()}

    def _generator_step(self, picture: Tensor, units: Tensor, target: Tensor) -> dict[str, float]:
        with self._autocast():
            there = self.generator(picture, target)
            back = self.generator(there.picture, units)
            realness, estimated = self._critic(there.picture)
        attention = (1 - there.attention).mean() + (1 - back.attention).mean()
        variation = total_variation(there.attention) + total_variation(back.attention)
        regression = F.mse_loss(estimated.float(), target)
        cycle = (back.picture.float() - picture).abs().mean()
        loss = -realness.float().mean() + WEIGHTS["units"] * regression + WEIGHTS["cycle"] * cycle
        loss = loss + WEIGHTS["attention"] * attention + WEIGHTS["variation"] * variation
        self._generator_optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self._generator_optimiser.step()
        return {"units": regression.item(), "cycle": cycle.item(), "attention": there.attention.mean().item()}

    def state_dict(self) -> dict[str, Any]:
        """Return networks and optimisers."""
        parts = (self.generator, self._critic, self._generator_optimiser, self._critic_optimiser)
        return {name: part.state_dict() for name, part in zip(_PARTS, parts, strict=True)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up networks and optimisers."""
        parts = (self.generator, self._critic, self._generator_optimiser, self._critic_optimiser)
        for name, part in zip(_PARTS, parts, strict=True):
            part.load_state_dict(state[name])


_PARTS = ("generator", "critic", "generator_optimiser", "critic_optimiser")
