"""The classifier of ``benchmarks/usefulness.py``: a small residual network, its augmentation, one training."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.transforms import v2

from singanimation.pipeline.expressions import EMOTIONS

WIDTHS = (16, 48, 128)
"""0.3 million parameters; (24, 96, 224) has 0.9 million."""

SMOOTHING = 0.1
RATE = 3e-3


class Block(nn.Module):
    """Two 3 x 3 convolutions that halve the picture, beside a 1 x 1 one."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(before, after, 3, 2, 1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(),
            nn.Conv2d(after, after, 3, 1, 1, bias=False),
            nn.BatchNorm2d(after),
        )
        self.beside = nn.Sequential(nn.Conv2d(before, after, 1, 2, bias=False), nn.BatchNorm2d(after))

    def forward(self, inputs: Tensor) -> Tensor:
        """(B, before, H, W) -> (B, after, H / 2, W / 2)."""
        return torch.relu(self.main(inputs) + self.beside(inputs))


def network(widths: tuple[int, ...] = WIDTHS) -> nn.Sequential:
    """Return the network, from nothing: (B, 1, 64, 64) -> (B, 7)."""
    # a quarter of the edge before the first block: the large pictures are where a CPU's time goes
    stem = [nn.Conv2d(1, widths[0], 5, 2, 2, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU(), nn.MaxPool2d(2)]
    blocks = [Block(before, after) for before, after in zip(widths[:-1], widths[1:], strict=True)]
    end = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(widths[-1], len(EMOTIONS))]
    return nn.Sequential(*stem, *blocks, *end)


class Classic:
    """Mirror, affine, brightness and contrast, noise, erasing: what torchvision's v2 does, drawn a picture each.

    v2 draws once a call; a call a picture would cost as much as the network.
    """

    def __init__(self, random: torch.Generator) -> None:
        self.random = random

    def __call__(self, pictures: Tensor) -> Tensor:
        """Augment pictures (B, 1, S, S) in -0.5..0.5; the result may leave that range a little."""
        count = len(pictures)
        mirror = torch.where(self._uniform(count) < 0.5, -1.0, 1.0)
        angle, scale = 0.09 * self._normal(count), 1 + 0.07 * self._normal(count)
        cosine, sine = scale * angle.cos(), scale * angle.sin()
        matrix = torch.stack([cosine * mirror, -sine, sine * mirror, cosine], 1).view(-1, 2, 2)
        place = torch.cat([matrix, 0.06 * self._normal(count, 2, 1)], 2)
        grid = F.affine_grid(place, list(pictures.shape), align_corners=False)
        moved = F.grid_sample(pictures, grid, padding_mode="reflection", align_corners=False)
        lit = moved * (1 + 0.2 * self._normal(count, 1, 1, 1)) + 0.12 * self._normal(count, 1, 1, 1)
        return self._erased(lit + 0.02 * self._normal(*lit.shape))

    def _erased(self, pictures: Tensor) -> Tensor:
        """Make a rectangle of up to 0.4 x 0.4 of every other picture grey."""
        count, size = len(pictures), pictures.shape[-1]
        along = torch.arange(size) / size
        inside = []
        for _ in range(2):
            middle, half = self._uniform(count, 1), 0.2 * self._uniform(count, 1)
            inside.append((along - middle).abs() < half)
        hit = (self._uniform(count) < 0.5)[:, None, None]
        erased = inside[0][:, :, None] & inside[1][:, None, :] & hit
        return pictures.masked_fill(erased[:, None], 0.0)

    def _normal(self, *shape: int) -> Tensor:
        return torch.randn(*shape, generator=self.random)

    def _uniform(self, *shape: int) -> Tensor:
        return torch.rand(*shape, generator=self.random)


class Trivial:
    """torchvision's TrivialAugmentWide and a flip, a picture at a time."""

    def __init__(self, _random: torch.Generator) -> None:
        self.transform = v2.Compose([v2.RandomHorizontalFlip(), v2.TrivialAugmentWide()])

    def __call__(self, pictures: Tensor) -> Tensor:
        """Augment pictures (B, 1, S, S) in -0.5..0.5."""
        bytes_ = ((pictures + 0.5) * 255).round().clamp(0, 255).byte().expand(-1, 3, -1, -1)
        return torch.stack([self.transform(picture)[:1] for picture in bytes_]).float() / 255 - 0.5


class Nothing:
    """No augmentation."""

    def __init__(self, _random: torch.Generator) -> None:
        return

    def __call__(self, pictures: Tensor) -> Tensor:
        """Return the pictures."""
        return pictures


AUGMENTATIONS = {"classic": Classic, "trivial": Trivial, "none": Nothing}


class Rows(NamedTuple):
    """What is trained on: pictures uint8 (N, S, S), soft labels float32 (N, 7), action units float32 (N, 17)."""

    pictures: Tensor
    weights: Tensor
    units: Tensor


@dataclass(frozen=True)
class Way:
    """How it is trained on: batches, the seed, the augmentation; ``units`` weighs the loss of the action units.

    Where that is not 0, a second head tells the picture's action units, and is thrown away after the training. ``half``
    computes the convolutions in bfloat16: two thirds of the time on a CPU that knows it.
    """

    steps: int
    seed: int
    augmentation: str = "classic"
    units: float = 0.0
    device: str = "cpu"
    half: bool = False
    widths: tuple[int, ...] = WIDTHS


def trained(rows: Rows, batches: Iterable[list[int]], way: Way) -> nn.Module:
    """Train a network on ``rows`` in the order of ``batches``."""
    torch.manual_seed(way.seed)
    augment = AUGMENTATIONS[way.augmentation](torch.Generator().manual_seed(way.seed))
    model = network(way.widths).to(torch.device(way.device)).to(memory_format=torch.channels_last).train()
    body, head = model[:-1], model[-1]
    second = nn.Linear(way.widths[-1], rows.units.shape[1]).to(way.device) if way.units else None
    parameters = [*model.parameters(), *(second.parameters() if second else ())]
    optimiser = torch.optim.AdamW(parameters, RATE, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=way.steps, pct_start=0.2)
    for batch in batches:
        inputs = augment(rows.pictures[batch][:, None].float() / 255 - 0.5).to(way.device)
        with torch.autocast(way.device.partition(":")[0], torch.bfloat16, enabled=way.half):
            seen = body(inputs.contiguous(memory_format=torch.channels_last))
        seen = seen.float()
        loss = F.cross_entropy(head(seen), rows.weights[batch].to(way.device), label_smoothing=SMOOTHING)
        if second:
            loss = loss + way.units * F.mse_loss(second(seen).sigmoid(), rows.units[batch].to(way.device))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return model.eval()


@torch.no_grad()
def probabilities(model: nn.Module, pictures: Tensor, device: str = "cpu") -> Tensor:
    """Return float32 (N, 7) of pictures uint8 (N, S, S), the mean of each picture and its mirror image."""
    answers = []
    for part in pictures.split(128):
        inputs = (part[:, None].float() / 255 - 0.5).to(device).contiguous(memory_format=torch.channels_last)
        answers.append((model(inputs).softmax(1) + model(inputs.flip(3)).softmax(1)).cpu() / 2)
    return torch.cat(answers)
