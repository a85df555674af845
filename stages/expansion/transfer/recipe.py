"""How the auto-encoder learns: mean square error less mu times the classifier's cross-entropy, in three phases.

mu is 0, 1e-4 and 1e-2 (a third of the steps each); Adam's learning rate falls to a tenth with each phase (the schedule
``phases``). The classifier learns the labels from the code all along; what the encoder is asked for in the last two
phases is a code that it cannot tell them from, so that the decoder has to take them from the label map.

A departure: the encoder gains nothing where the classifier already does no better than chance on a face. Without that
bound the loss has no lower end: in the last phase the codes grew until the cross-entropy was in the thousands and the
mean square error twenty times what it had been (3,000 steps at 64 px).
"""

import math

import torch
import torch.nn.functional as F

from singanimation.stages.expansion.training.loop import TrainingFaces, initial_weights, phase_at
from singanimation.stages.expansion.training.settings import TrainSettings
from singanimation.stages.expansion.training.siblings import LabelledBatches, SiblingObjective, move
from singanimation.stages.expansion.transfer.networks import CodeClassifier, TransferGenerator

MU = (0.0, 1e-4, 1e-2)
"""Weight of the classifier's cross-entropy, phase by phase."""

PAPER_WIDTH = 8


def hidden_labels(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return how well codes hide their labels: the cross-entropy of each, at most chance's (log K), averaged.

    ``logits`` (N, K) as the classifier tells them, ``labels`` (N,) int64; in nats, 0 to log K.
    """
    return F.cross_entropy(logits, labels, reduction="none").clamp(max=math.log(logits.shape[1])).mean()


class TransferObjective(SiblingObjective):
    """Trains ``TransferGenerator`` on labelled faces."""

    generator: TransferGenerator

    def __init__(self, settings: TrainSettings, faces: TrainingFaces) -> None:
        super().__init__(settings)
        self._batches = LabelledBatches(faces, settings.size, settings.device)
        width = max(1, round(PAPER_WIDTH * settings.width))
        labels = self._batches.labels
        self.options = {"labels": list(labels), "width": width, "size": settings.size}
        with torch.random.fork_rng():
            torch.manual_seed(settings.seed)
            self.generator = TransferGenerator(labels, width, settings.size)
            self._classifier = CodeClassifier(settings.size, width, len(labels))
        initial_weights(self.generator, settings.init)
        self._optimiser = self.add("generator", self.generator, (0.9, 0.999))
        self._classifier_optimiser = self.add("classifier", self._classifier, (0.9, 0.999))

    def step(self, random: torch.Generator, learning_rate: float, done: float) -> dict[str, float]:
        """Train the classifier on the codes of a batch, then encoder and decoder on the same."""
        self.at_rate(learning_rate)
        faces = self._batches.draw(self.settings.batch_size, random)
        with self.autocast():
            code = self.generator.encoder(faces.pictures).float()
        told = F.cross_entropy(self._classifier(code.detach()), faces.labels)
        move(self._classifier_optimiser, told)
        with self.autocast():
            again = self.generator.decoder(code, faces.labels)
        error = F.mse_loss(again.float(), faces.pictures)
        mu = MU[phase_at(done, len(MU))]
        hidden = hidden_labels(self._classifier(code), faces.labels)
        move(self._optimiser, error - mu * hidden)
        return {"pixels": error.item(), "classifier": told.item()}
