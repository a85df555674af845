"""How G2-GAN learns: pairs of one face before and after an expression, a cycle back, and a critic.

The paper's pairs are people filmed from rest to apex. Here they are made: the geometry moves a photograph, and of a
third of the pairs the photograph is the target (``geometry.training.pairs``). In a fourth of the steps the targets are
instead other people's landmarks, laid onto the face: donors, of which no picture is known; critic and cycle alone then
say what is asked. Only photographs are real to the critic. What departs besides: no identity network's term, a hinge in
place of the logarithm, the weights (40 for pixels, 1 for the cycle, 0.2 for the critic), and the pixels' term: squares
in place of absolute values, and what changes counts more, up to sevenfold. Most pixels of a face do not change, so that
giving the source back is what absolute values are content with: after 300 steps the error was 1.01 of the source's own,
by squares 0.76.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from singanimation.stages.expansion.checkpoints import load_generator
from singanimation.stages.expansion.composition import shrunk
from singanimation.stages.expansion.ganimation.networks import PAPER_WIDTH, initialise, scaled_width
from singanimation.stages.expansion.geometry import FaceGeometry
from singanimation.stages.expansion.geometry.training.pairs import Pairs, PairSampler
from singanimation.stages.expansion.landmarks.heat_maps import PARTS, heat_maps, laid_onto
from singanimation.stages.expansion.landmarks.networks import LandmarkGenerator
from singanimation.stages.expansion.training.critics import PatchCritic
from singanimation.stages.expansion.training.loop import TrainingFaces, initial_weights
from singanimation.stages.expansion.training.losses import region_weights
from singanimation.stages.expansion.training.settings import TrainSettings
from singanimation.stages.expansion.training.siblings import SiblingObjective, move

PIXELS, CYCLE, REALNESS = 40.0, 1.0, 0.2

DONATED = 0.25
"""Share of the steps whose targets are donors' landmarks."""


class HeatMapObjective(SiblingObjective):
    """Trains ``LandmarkGenerator``; its landmark network is the shipped generator's, and stays as it is."""

    generator: LandmarkGenerator

    def __init__(self, settings: TrainSettings, faces: TrainingFaces) -> None:
        super().__init__(settings)
        random = torch.Generator().manual_seed(settings.seed)
        width = scaled_width(settings.width)
        self.options = {"width": width, "size": settings.size}
        self._pairs = PairSampler(faces, FaceGeometry(device=settings.device), settings.device)
        self.generator = LandmarkGenerator(**self.options).eval()
        self._critic = PatchCritic(3 + len(PARTS), max(8, width // 2), False)
        initialise(self.generator, random)
        initialise(self._critic, random, width / PAPER_WIDTH)
        self.generator.finder.load_state_dict(load_generator().network.get_submodule("finder").state_dict())
        initial_weights(self.generator, settings.init)
        self._optimiser = self.add("generator", self.generator, (0.5, 0.999))
        self._critic_optimiser = self.add("critic", self._critic, (0.5, 0.999))

    def step(self, random: torch.Generator, learning_rate: float, done: float) -> dict[str, float]:
        """One step of the critic and one of the generator, on pairs or on donors."""
        self.at_rate(learning_rate)
        pairs = self._pairs.draw(self.settings.batch_size, random)
        donated = bool(torch.rand((), generator=random) < DONATED)
        after = laid_onto(pairs.before.roll(1, 0), pairs.before) if donated else pairs.after
        source = shrunk(pairs.source, self.settings.size).contiguous(memory_format=torch.channels_last)
        was, shall = (heat_maps(points, self.settings.size) for points in (pairs.before, after))
        with self.autocast():
            there = self.generator.painted(source, was, shall)
            back = self.generator.painted(there, shall, was)
        realness, told = self._judge(pairs, there.float(), shall)
        loss = CYCLE * (cycle := (back.float() - source).abs().mean()) - REALNESS * realness
        told["cycle"] = cycle.item()
        if not donated:
            target = shrunk(pairs.target, self.settings.size)
            nothing = torch.zeros_like(target[:, :1])
            weights = pairs.believed * region_weights(source, target, nothing, nothing)
            error = ((there.float() - target).square() * weights).mean()
            loss, told["pixels"] = loss + PIXELS * error, error.item()
        move(self._optimiser, loss)
        return told

    def _judge(self, pairs: Pairs, there: Tensor, maps: Tensor) -> tuple[Tensor, dict[str, float]]:
        """Train the critic on the pairs' photographs and on ``there``, then return how real it takes ``there``.

        ``maps`` are the heat maps of the landmarks that ``there`` shall have.
        """
        size, forward = self.settings.size, pairs.forward > 0
        photographs = shrunk(torch.where(forward, pairs.source, pairs.target), size)
        points = torch.where(forward[:, 0], pairs.before, pairs.after)
        real = self._critic(torch.cat([photographs, heat_maps(points, size)], 1))
        fake = self._critic(torch.cat([there.detach(), maps], 1))
        hinge = (F.relu(1 - real) + F.relu(1 + fake)).mean()
        move(self._critic_optimiser, hinge)
        return self._critic(torch.cat([there, maps], 1)).mean(), {"critic": hinge.item()}
