"""What the trainings of the smaller siblings share: networks with optimisers, batches of faces, their classes."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from singanimation.pipeline.errors import DatasetError
from singanimation.pipeline.expressions import EMOTIONS
from singanimation.pipeline.face.framing import CROP_SIZE, MARGIN
from singanimation.stages.expansion.composition import shrunk
from singanimation.stages.expansion.labelled import places_of
from singanimation.stages.expansion.training.loop import TrainingFaces
from singanimation.stages.expansion.training.settings import TrainSettings

FEWEST_OF_A_LABEL = 12
"""Classes with fewer pictures are not learnt."""


class SiblingObjective:
    """Networks and their optimisers by name: the part of an ``Objective`` that is the same for all siblings.

    A subclass makes ``generator`` and ``options``, adds its networks by ``add``, and says what ``step`` does.
    """

    generator: nn.Module
    options: Mapping[str, Any]

    def __init__(self, settings: TrainSettings) -> None:
        self.settings = settings
        self.device = settings.device
        self._parts: dict[str, Any] = {}

    def add(self, name: str, network: nn.Module, betas: tuple[float, float]) -> torch.optim.Adam:
        """Put ``network`` on the device and return its Adam; both are kept in checkpoints under ``name``."""
        network.to(self.device).to(memory_format=torch.channels_last)
        optimiser = torch.optim.Adam(network.parameters(), betas=betas)
        self._parts |= {name: network, f"{name}_optimiser": optimiser}
        return optimiser

    def at_rate(self, learning_rate: float) -> None:
        """Give every optimiser this learning rate."""
        for part in self._parts.values():
            if isinstance(part, torch.optim.Optimizer):
                for group in part.param_groups:
                    group["lr"] = learning_rate

    def autocast(self) -> torch.autocast:
        """Compute in bfloat16 where the settings say so."""
        return torch.autocast(torch.device(self.device).type, torch.bfloat16, enabled=self.settings.mixed_precision)

    def state_dict(self) -> dict[str, Any]:
        """Return networks and optimisers."""
        return {name: part.state_dict() for name, part in self._parts.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up networks and optimisers."""
        for name, part in self._parts.items():
            part.load_state_dict(state[name])


def move(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    """Take one step down ``loss``."""
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    optimiser.step()


class LabelledBatch(NamedTuple):
    """B faces: ``pictures`` (B, 3, S, S) in -1..1, ``labels`` (B,) places among those learnt, ``sets`` (B,)."""

    pictures: Tensor
    labels: Tensor
    sets: Tensor


class LabelledBatches:
    """Draws batches of labelled faces, every label of a set as often as any other, mirrored half of the time.

    ``labels`` are the emotions that some set has at least ``FEWEST_OF_A_LABEL`` pictures of. Pictures without a label,
    or with a rarer one, are left out. Raises DatasetError where fewer than two labels are left, or none of a set.
    """

    def __init__(self, faces: TrainingFaces, size: int, device: str) -> None:
        if faces.labels is None:
            raise ValueError("these faces have no labels")
        found = torch.from_numpy(faces.labels)
        sets = torch.zeros(len(found), dtype=torch.long) if faces.sets is None else torch.from_numpy(faces.sets)
        self.sets = int(sets.max()) + 1
        self.counts = [torch.bincount(found[(sets == each) & (found >= 0)], minlength=7) for each in range(self.sets)]
        enough = torch.stack(self.counts) >= FEWEST_OF_A_LABEL
        self.labels = tuple(name for name, any_set in zip(EMOTIONS, enough.any(0).tolist(), strict=True) if any_set)
        if len(self.labels) < 2:
            found_of_each = counted(torch.stack(self.counts).sum(0))
            raise DatasetError(f"Fewer than two emotions have {FEWEST_OF_A_LABEL} pictures: {found_of_each}.")
        for place, (own, count) in enumerate(zip(enough, self.counts, strict=True)):
            if not own.any():
                which = "The second set of faces" if place else "The first set of faces"
                raise DatasetError(f"{which} has {FEWEST_OF_A_LABEL} pictures of no emotion: {counted(count)}.")
        kept = (found >= 0) & enough[sets, found.clamp(min=0)]
        self._pictures = at_size(faces.pictures[kept.numpy()], size)
        self._labels, self._sets = places_of(found[kept], self.labels), sets[kept]
        self._weights = [self._even(each) for each in range(self.sets)]
        self._device = device

    def _even(self, chosen: int) -> Tensor:
        count = torch.bincount(self._labels[self._sets == chosen], minlength=len(self.labels))
        return (self._sets == chosen) / count.clamp(min=1)[self._labels]

    def draw(self, count: int, random: torch.Generator, chosen: int = 0) -> LabelledBatch:
        """Return ``count`` faces of the set ``chosen``."""
        index = torch.multinomial(self._weights[chosen], count, replacement=True, generator=random)
        pictures = self._pictured(index, random)
        return LabelledBatch(pictures, self._labels[index].to(self._device), self._sets[index].to(self._device))

    def of_label(self, count: int, random: torch.Generator, label: int) -> Tensor:
        """Return ``count`` pictures (B, 3, S, S) in -1..1 with one label, mirrored half of the time."""
        return self._pictured(torch.multinomial((self._labels == label).float(), count, True, generator=random), random)

    def _pictured(self, index: Tensor, random: torch.Generator) -> Tensor:
        flip = torch.rand(len(index), 1, 1, 1, generator=random) < 0.5
        pictures = self._pictures[index].float() / 127.5 - 1
        pictures = torch.where(flip, pictures.flip(3), pictures)
        return pictures.to(self._device, memory_format=torch.channels_last)

    def first_sets(self) -> list[int]:
        """Return for each label the first set that it is learnt from."""
        return [int(self._sets[self._labels == place].min()) for place in range(len(self.labels))]

    def others(self, count: int, random: torch.Generator, chosen: int = 0) -> Tensor:
        """Return ``count`` labels of the set ``chosen`` to aim at, each as likely."""
        known = self._labels[self._sets == chosen].unique()
        return known[torch.randint(len(known), (count,), generator=random)].to(self._device)


def at_size(pictures: np.ndarray, size: int) -> Tensor:
    """Return the crops' middle of uint8 (N, 160, 160, 3) as uint8 (N, 3, size, size)."""
    middle = torch.from_numpy(pictures[:, MARGIN:-MARGIN, MARGIN:-MARGIN].copy()).permute(0, 3, 1, 2)
    if size == CROP_SIZE:
        return middle
    return torch.cat([shrunk(some.float(), size).round().byte() for some in middle.split(256)])


def counted(counts: Tensor | Sequence[int]) -> str:
    """Return how many pictures each emotion has, in words."""
    return ", ".join(f"{name} {int(count):,}" for name, count in zip(EMOTIONS, counts, strict=True))
