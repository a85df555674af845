"""How the generator's landmark network learns: from jittered photographs and from the teacher's pairs."""

import torch

from singanimation.stages.expansion.geometry.landmark_network import LandmarkNetwork, landmark_loss
from singanimation.stages.expansion.geometry.training.pairs import PairSampler
from singanimation.stages.expansion.training.loop import half_cosine
from singanimation.stages.expansion.training.settings import TrainSettings

RATE = 2e-3
"""AdamW's learning rate at the start; it falls to 0 by half a cosine."""

PHOTOGRAPHS = 5
"""How many photographs the network sees for each of the teacher's pairs."""

SHAPES = 1024
"""Faces from which it takes the landmarks' principal components."""


class LandmarkObjective:
    """Trains ``network`` in place; it is in eval mode between the steps."""

    def __init__(self, network: LandmarkNetwork, pairs: PairSampler, mirror: torch.Tensor) -> None:
        self._network, self._pairs, self._mirror = network, pairs, mirror
        self.optimiser = torch.optim.AdamW(network.parameters(), weight_decay=0.02)

    def learn_shapes(self, seed: int) -> None:
        """Give the network its mean shape and components."""
        self._network.learn_shapes(self._pairs.shapes(SHAPES, torch.Generator().manual_seed(seed)))

    def step(self, settings: TrainSettings, random: torch.Generator, done: float) -> dict[str, float]:
        """One step; ``done`` is the share of this training behind us, 0..1. Returns the loss, pixels."""
        for group in self.optimiser.param_groups:
            group["lr"] = RATE * half_cosine(done)
        pairs = self._pairs.draw(settings.batch_size, random)
        photographs, landmarks = self._pairs.photographs(PHOTOGRAPHS * settings.batch_size, random)
        pictures = torch.cat([photographs, pairs.source, pairs.target])
        wanted = torch.cat([landmarks, pairs.before, pairs.after])
        self._network.train()
        with torch.autocast(pictures.device.type, torch.bfloat16, enabled=settings.mixed_precision):
            found = self._network(pictures.contiguous(memory_format=torch.channels_last))
        loss = landmark_loss(found, wanted, self._mirror)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        self._network.eval()
        return {"landmarks": float(loss.detach())}
