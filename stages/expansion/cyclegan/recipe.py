"""How CycleGAN learns: least squares by two critics, a cycle both ways, and pictures that have the emotion kept.

The weights are the paper's: 10 for the cycle, 5 for what is kept; Adam 2e-4 with betas (0.5, 0.999), constant for half
of the training and then falling to 0. DIAT (Li et al., 2016) is the case of one way without the cycle: an attribute put
on, the face kept. What departs: the critics see the pictures of the step, not a store of fifty earlier ones; they halve
three times and see patches of 38 pixels (the paper's 70, of pictures twice or four times as large); batches of more
than one picture.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from singanimation.pipeline.errors import DatasetError
from singanimation.stages.expansion.cyclegan.networks import CycleGenerator
from singanimation.stages.expansion.ganimation.networks import initialise, scaled_width
from singanimation.stages.expansion.training.critics import PatchCritic
from singanimation.stages.expansion.training.loop import TrainingFaces, initial_weights
from singanimation.stages.expansion.training.settings import TrainSettings
from singanimation.stages.expansion.training.siblings import LabelledBatches, SiblingObjective, move

CYCLE, KEPT = 10.0, 5.0


class CycleObjective(SiblingObjective):
    """Trains ``CycleGenerator`` on faces of two emotions, whose number nothing else may have in the faces' labels."""

    generator: CycleGenerator

    def __init__(self, settings: TrainSettings, faces: TrainingFaces) -> None:
        super().__init__(settings)
        random = torch.Generator().manual_seed(settings.seed)
        self._batches = LabelledBatches(faces, settings.size, settings.device)
        labels, width = self._batches.labels, scaled_width(settings.width)
        if len(labels) > 2:
            raise DatasetError(f"A pair is learnt from two emotions, not from {', '.join(labels)}.")
        self.options = {"labels": list(labels), "width": width, "size": settings.size}
        self.generator = CycleGenerator(**self.options)
        self._critics = nn.ModuleList(PatchCritic(3, width, True) for _ in labels)
        initialise(self.generator, random)
        initialise(self._critics, random)
        initial_weights(self.generator, settings.init)
        self._optimiser = self.add("generator", self.generator, (0.5, 0.999))
        self._critic_optimiser = self.add("critics", self._critics, (0.5, 0.999))

    def step(self, random: torch.Generator, learning_rate: float, done: float) -> dict[str, float]:
        """Train both generators on a batch of each emotion, then both critics on what came out."""
        self.at_rate(learning_rate)
        faces = [self._batches.of_label(self.settings.batch_size, random, label) for label in (0, 1)]
        with self.autocast():
            made = [self.generator.way(label).painted(faces[1 - label]) for label in (0, 1)]
            back = [self.generator.way(label).painted(made[1 - label]) for label in (0, 1)]
            kept = [self.generator.way(label).painted(faces[label]) for label in (0, 1)]
            fooled = self._squared(made, 1.0)
        cycle = _apart(back, faces)
        move(self._optimiser, fooled + CYCLE * cycle + KEPT * _apart(kept, faces))
        with self.autocast():
            wrong = self._squared(faces, 1.0) + self._squared([each.detach() for each in made], 0.0)
        move(self._critic_optimiser, wrong / 2)
        return {"cycle": cycle.item(), "critics": wrong.item() / 4}

    def _squared(self, pictures: list[Tensor], wanted: float) -> Tensor:
        """Both critics' mean squared distance from ``wanted``, added."""
        first, second = (critic(some).float() for critic, some in zip(self._critics, pictures, strict=True))
        return (first - wanted).square().mean() + (second - wanted).square().mean()


def _apart(some: list[Tensor], others: list[Tensor]) -> Tensor:
    first, second = (F.l1_loss(one.float(), other) for one, other in zip(some, others, strict=True))
    return first + second
