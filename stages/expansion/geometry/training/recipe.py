"""The recipe that trains the shipped generator: a geometry teacher gives every picture a target.

The paper's adversarial recipe needs some 200,000 pictures; with 2,000 there is too little to tell a smile from
a person. A teacher that moves labelled landmarks makes pairs instead, and the generator learns from them directly:
first where the landmarks are, then what the geometry at its own landmarks leaves wrong. Where something is painted, L1
averages the teacher's answers: a critic that sees source and edit side by side, as in pix2pix (Isola et al., 2017),
asks for one of them. It is off unless asked for (the model card has the figures).
"""

from collections.abc import Callable, Mapping
from functools import reduce
from operator import add
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from singanimation.stages.expansion.composition import GeneratorOutput, compose
from singanimation.stages.expansion.geometry import FaceGeometry
from singanimation.stages.expansion.geometry.generator import GeometryGenerator, PatchDiscriminator
from singanimation.stages.expansion.geometry.movement.flow import warp
from singanimation.stages.expansion.geometry.training.landmarks import LandmarkObjective
from singanimation.stages.expansion.geometry.training.pairs import Pairs, PairSampler
from singanimation.stages.expansion.training.loop import TrainingFaces, initial_weights
from singanimation.stages.expansion.training.losses import (
    attention_target_loss,
    laplacian_l1,
    r1_penalty,
    region_weights,
    total_variation,
)
from singanimation.stages.expansion.training.settings import TrainSettings

AUNetworkLike = Callable[[Tensor], tuple[Tensor, list[Tensor]]]
"""(B, 3, 128, 128) in -1..1 -> AUs (B, 17) in 0..1 and feature maps, differentiable; handed in by the caller."""

WEIGHTS = {
    "pixels": 4.0,
    "laplacian": 3.0,
    "flow": 0.4,
    "attention_target": 0.6,
    "colour": 2.5,
    "attention": 0.02,
    "variation": 0.03,
    "features": 0.25,
    "units": 4.0,
}
AU_NETWORK_EVERY = 2
"""The AU network's terms are computed at every second step, and count twice: a twentieth of the time saved."""

RISING = 0.1
"""The least change of a unit that counts as asking for more of it."""

WIDTHS = (64, 96, 128, 32, 32)
"""Channels at 64, 32 and 16 pixels, of the finish at 128, and of the landmark network."""

FINDING = 0.5
"""For this share of a training from scratch the landmark network learns alone."""

R1_EVERY, R1_WEIGHT = 8, 0.2
ADVERSARIAL_FROM = FINDING + 0.1
"""Share of a training from scratch after which the critic learns; one that starts from weights has it at once."""

HEAD_START = 0.1
"""For this share of the training the critic learns alone: an ignorant one only disturbs."""


class GeometryObjective:
    """Trains ``GeometryGenerator`` on the teacher's pairs."""

    def __init__(self, settings: TrainSettings, faces: TrainingFaces, au_network: AUNetworkLike) -> None:
        *widths, finish, finder = (8 * max(1, round(width * settings.width / 8)) for width in WIDTHS)
        self.options: Mapping[str, Any] = {"widths": widths, "finish": finish, "finder": finder}
        self._settings = settings
        self._device = settings.device
        teacher = FaceGeometry(device=settings.device)
        self._pairs = PairSampler(faces, teacher, settings.device)
        self._describe = au_network
        with torch.random.fork_rng():
            torch.manual_seed(settings.seed)
            self.generator: GeometryGenerator = GeometryGenerator(**self.options).eval()
            self._critic = PatchDiscriminator()
        for network in (self.generator, self._critic):
            network.to(self._device).to(memory_format=torch.channels_last)
        self._landmarks = LandmarkObjective(self.generator.finder, self._pairs, teacher.mirror)
        if settings.init is None:
            self._landmarks.learn_shapes(settings.seed)
        initial_weights(self.generator, settings.init)
        self._finding = 0.0 if settings.init else FINDING
        self._correct = cast(nn.Module, self.generator.correct)  # None only where it was asked for
        self._optimiser = torch.optim.Adam(self._correct.parameters(), betas=(0.9, 0.99))
        self._critic_optimiser = torch.optim.Adam(self._critic.parameters(), 1e-3, betas=(0.5, 0.99))
        self._weights = WEIGHTS | {"regression": settings.regression}
        self._steps = 0
        self._judged: dict[str, float] = {}

    def step(self, random: torch.Generator, learning_rate: float, done: float) -> dict[str, float]:
        """One step of the landmark network, then of the generator, and of the critic where that term is on."""
        if done < self._finding:
            return self._landmarks.step(self._settings, random, done / self._finding)
        for group in self._optimiser.param_groups:
            group["lr"] = learning_rate * min(1.0, (self._steps + 1) / 100)
        pairs = self._pairs.draw(self._settings.batch_size, random, self.generator.landmarks)
        with self._autocast():
            output = self.generator(pairs.source.contiguous(memory_format=torch.channels_last), pairs.change)
        pairs = _believed(pairs, output)
        terms = self._terms(pairs, output)
        loss = self._weighted(terms)
        if self._steps % AU_NETWORK_EVERY == 0:
            judged = self._au_terms(pairs, output)
            loss = loss + AU_NETWORK_EVERY * self._weighted(judged)
            self._judged = {name: float(term.detach()) for name, term in judged.items()}
        begin = 0.0 if self._settings.init else ADVERSARIAL_FROM
        critical = self._settings.adversarial > 0 and done >= begin
        if critical and done >= begin + HEAD_START:
            realness = _where_painted(self._realness(output.picture, pairs), pairs)
            loss = loss - self._settings.adversarial * realness
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self._correct.parameters(), 2.0)
        self._optimiser.step()
        self._steps += 1
        losses = {name: float(term.detach()) for name, term in terms.items()} | self._judged
        losses["attention"] = float(output.attention.detach().mean())
        return losses | (self._critic_step(pairs, output) if critical else {})

    def _weighted(self, terms: Mapping[str, Tensor]) -> Tensor:
        return reduce(add, (self._weights[name] * term for name, term in terms.items()))

    def _autocast(self) -> torch.autocast:
        kind = torch.device(self._device).type
        return torch.autocast(kind, torch.bfloat16, enabled=self._settings.mixed_precision)

    def _terms(self, pairs: Pairs, output: GeneratorOutput) -> dict[str, Tensor]:
        source, target, forward, own_flow = pairs.source, pairs.target, pairs.forward, _flow(output)
        weights = region_weights(source, target, pairs.fill, pairs.lids)
        # where the generator's own flow leaves an eyelid wrong, A has to open as well
        with torch.no_grad():
            missed = ((warp(source, own_flow) - target).abs().amax(1, keepdim=True) / 0.2).clamp(0, 1)
            paint = torch.maximum(pairs.paint, pairs.lids * missed)
        flow_error = (own_flow - pairs.flow).abs().mean(1, keepdim=True)
        moving = 1 + 3 * (pairs.flow.abs().amax(1, keepdim=True) / 1.5).clamp(0, 1)
        lid_error = (18 * flow_error + 4 * (own_flow - pairs.flow).pow(2).mean(1, keepdim=True)) * pairs.lids
        flow = ((flow_error * (1 - pairs.fill) * moving + lid_error) * forward).mean()
        colour = ((output.colour - target).abs() * (6 * pairs.fill + 3 * paint + 0.1) * forward).mean()
        return {
            "pixels": ((output.picture - target).abs() * weights).mean(),
            "laplacian": laplacian_l1(output.picture, target),
            "flow": flow,
            "attention_target": attention_target_loss(output.attention, paint, pairs.fill, forward),
            "colour": colour,
            "attention": (1 - output.attention).mean(),
            "variation": total_variation(output.attention),
        }

    def _au_terms(self, pairs: Pairs, output: GeneratorOutput) -> dict[str, Tensor]:
        with self._autocast():
            units, maps = self._describe(output.picture)
            with torch.no_grad():
                wanted_units, wanted_maps = self._describe(pairs.target)
        features = reduce(add, ((a.float() - b.float()).abs().mean() for a, b in zip(maps, wanted_maps, strict=True)))
        terms = {"features": features, "units": F.mse_loss(units.float(), wanted_units.float())}
        if self._settings.regression:
            terms["regression"] = self._asked_term(pairs, output, wanted_units)
        return terms

    def _asked_term(self, pairs: Pairs, output: GeneratorOutput, wanted_units: Tensor) -> Tensor:
        """The AU regression, by what moves alone: what is painted stays the teacher's matter.

        With paint in its reach the term draws brows over the nose and shadows at the mouth, which an AU network
        takes for a frown and a person for dirt.
        """
        attention, colour = output.attention.detach(), output.colour.detach()
        moved = compose(warp(pairs.source, _flow(output)), attention, colour)
        with self._autocast():
            units = self._describe(moved)[0]
            with torch.no_grad():
                start = self._describe(pairs.source)[0]
        return _asked_loss(units.float(), wanted_units.float(), start.float(), pairs)

    def _realness(self, picture: Tensor, pairs: Pairs) -> Tensor:
        with self._autocast():
            return self._critic(torch.cat([picture, pairs.source], 1)).float()

    def _critic_step(self, pairs: Pairs, output: GeneratorOutput) -> dict[str, float]:
        real, fake = self._realness(pairs.target, pairs), self._realness(output.picture.detach(), pairs)
        loss = _where_painted(F.relu(1 - real) + F.relu(1 + fake), pairs)
        hinge = float(loss.detach())
        if self._steps % R1_EVERY == 0:

            def each(some: Tensor) -> Tensor:
                return _where_painted(self._realness(some, pairs), pairs, (1, 2, 3))

            loss = loss + R1_EVERY * R1_WEIGHT / 2 * r1_penalty(each, pairs.target)
        self._critic_optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self._critic_optimiser.step()
        return {"critic": hinge}

    def state_dict(self) -> dict[str, Any]:
        """Return networks, optimisers, the step count and the AU network's last terms."""
        parts = {name: part.state_dict() for name, part in self._parts().items()}
        return parts | {"steps": self._steps, "judged": self._judged}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up networks, optimisers and the step count."""
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        self._steps, self._judged = int(state["steps"]), dict(state["judged"])

    def _parts(self) -> dict[str, Any]:
        return {
            "generator": self.generator,
            "critic": self._critic,
            "optimiser": self._optimiser,
            "landmark_optimiser": self._landmarks.optimiser,
            "critic_optimiser": self._critic_optimiser,
        }


def _flow(output: GeneratorOutput) -> Tensor:
    """The generator's flow; only the paper's has none, and is not trained here."""
    if output.flow is None:
        raise TypeError("a generator without a flow cannot be trained by the geometry's pairs.")
    return output.flow


def _believed(pairs: Pairs, output: GeneratorOutput) -> Pairs:
    """Pairs whose target is not to be believed ask for what there is: they teach by the AU regression alone."""
    target = torch.where(pairs.believed > 0, pairs.target, output.picture.detach())
    return pairs._replace(target=target, forward=pairs.forward * pairs.believed)


def _where_painted(values: Tensor, pairs: Pairs, over: tuple[int, ...] = (0, 1, 2, 3)) -> Tensor:
    """The mean, ``over`` these axes, of the critic's ``values`` (B, 1, 32, 32) where lids move or paint is needed."""
    where = F.avg_pool2d(torch.maximum(pairs.lids, pairs.paint), 4)
    return (values * where).sum(over) / where.sum(over).clamp(min=1)


def _asked_loss(units: Tensor, teachers: Tensor, start: Tensor, pairs: Pairs) -> Tensor:
    """The paper's AU regression, one-sided: units that were asked to rise should reach what was asked.

    ``units`` (B, 17) are what the AU network reads on the edit, ``teachers`` on the teacher's picture, ``start`` on
    the source. Where the teacher goes further than asked, its value counts.
    """
    asked = torch.maximum(teachers, (start + pairs.change).clamp(0, 1))
    rising = (pairs.change > RISING).float() * pairs.forward.flatten(1)
    return ((units - asked).pow(2) * rising).mean()
