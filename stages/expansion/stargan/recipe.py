"""How StarGAN learns: WGAN-GP, classification by the critic, and a cycle back to the source's own label.

The weights are the paper's: 1 for the classification, 10 for cycle and penalty; the generator moves at every fifth
batch (``--critic-steps``), Adam 1e-4 with betas (0.5, 0.999), batches of 16, the learning rate constant for half of the
training and then falling to 0. Several data sets take turns; the critic classifies a picture among the labels of its
own set alone. What departs: turns are by the generator's steps, all batches of one step of one set; labels are drawn
evenly; a narrow critic's first weights are larger (``initialise``).
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from singanimation.stages.expansion.ganimation.networks import (
    PAPER_WIDTH,
    PaperDiscriminator,
    critic_layers,
    initialise,
    scaled_width,
)
from singanimation.stages.expansion.stargan.networks import StarGenerator
from singanimation.stages.expansion.training.loop import TrainingFaces, initial_weights
from singanimation.stages.expansion.training.losses import gradient_penalty
from singanimation.stages.expansion.training.settings import TrainSettings
from singanimation.stages.expansion.training.siblings import LabelledBatch, LabelledBatches, SiblingObjective, move

CLASSIFICATION, CYCLE, PENALTY = 1.0, 10.0, 10.0


class StarObjective(SiblingObjective):
    """Trains ``StarGenerator`` on labelled faces of one or several sets."""

    generator: StarGenerator

    def __init__(self, settings: TrainSettings, faces: TrainingFaces) -> None:
        super().__init__(settings)
        random = torch.Generator().manual_seed(settings.seed)
        self._batches = LabelledBatches(faces, settings.size, settings.device)
        width, size = scaled_width(settings.width), settings.size
        labels, sets = self._batches.labels, self._batches.sets
        self.options = {
            "labels": list(labels),
            "of_sets": self._batches.first_sets(),
            "sets": sets,
            "width": width,
            "size": size,
        }
        self.generator = StarGenerator(**self.options)
        # its second head, GANimation's action units, are the logits of every set's labels here
        self._critic = PaperDiscriminator(width, critic_layers(size), len(labels) * sets, size)
        initialise(self.generator, random)
        initialise(self._critic, random, width / PAPER_WIDTH)
        initial_weights(self.generator, settings.init)
        self._optimiser = self.add("generator", self.generator, (0.5, 0.999))
        self._critic_optimiser = self.add("critic", self._critic, (0.5, 0.999))

    def step(self, random: torch.Generator, learning_rate: float, done: float) -> dict[str, float]:
        """Train the critic on some batches, and the generator on the last of them."""
        self.at_rate(learning_rate)
        chosen = round(done * self.settings.steps) % self._batches.sets
        told: dict[str, float] = {}
        for _ in range(self.settings.critic_steps):
            faces = self._batches.draw(self.settings.batch_size, random, chosen)
            target = self._batches.others(self.settings.batch_size, random, chosen)
            told |= self._critic_step(faces, target, random)
        return told | self._generator_step(faces, target)

    def _critic_step(self, faces: LabelledBatch, target: Tensor, random: torch.Generator) -> dict[str, float]:
        with torch.no_grad(), self.autocast():
            fake = self.generator.redrawn(faces.pictures, target, faces.sets).float()
        with self.autocast():
            real_map, logits = self._critic(faces.pictures)
            fake_map = self._critic(fake)[0]
        mix = torch.rand(len(fake), 1, 1, 1, generator=random).to(self.device)
        penalty = gradient_penalty(lambda between: self._critic(between)[0], faces.pictures, fake, mix)
        classified = self._classification(logits, faces.labels, faces.sets)
        wasserstein = real_map.float().mean() - fake_map.float().mean()
        move(self._critic_optimiser, CLASSIFICATION * classified + PENALTY * penalty - wasserstein)
        return {"wasserstein": wasserstein.item(), "critic_labels": classified.item(), "penalty": penalty.item()}

    def _generator_step(self, faces: LabelledBatch, target: Tensor) -> dict[str, float]:
        with self.autocast():
            there = self.generator.redrawn(faces.pictures, target, faces.sets)
            back = self.generator.redrawn(there, faces.labels, faces.sets)
            realness, logits = self._critic(there)
        classified = self._classification(logits, target, faces.sets)
        cycle = (back.float() - faces.pictures).abs().mean()
        move(self._optimiser, CLASSIFICATION * classified + CYCLE * cycle - realness.float().mean())
        return {"labels": classified.item(), "cycle": cycle.item()}

    def _classification(self, logits: Tensor, label: Tensor, of_set: Tensor) -> Tensor:
        """Cross-entropy among the labels of each picture's own set."""
        own = logits.float().view(len(logits), self._batches.sets, -1)
        return F.cross_entropy(own[torch.arange(len(own), device=own.device), of_set], label)
