"""Can a classifier learn which patches are drawn? One half of its answers right: it cannot.

A classifier two-sample test (Lopez-Paz & Oquab, "Revisiting Classifier Two-Sample Tests", ICLR 2017) on patches,
trained at some places of the face and asked at others, so that it must judge texture and not know pictures by heart.
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

PATCH = 15
STEPS = 150
BATCH = 96
CELL = 24
"""Side of the squares of a 128 px crop that alternate between learning and asking."""


def two_sample_accuracy(edit: np.ndarray, variants: np.ndarray, seed: int = 0) -> float:
    """Return the accuracy 0..1 in telling patches of ``variants`` uint8 (K, H, H, 3) from those of ``edit`` (H, H, 3).

    Patches of ``PATCH`` pixels, as many of the edit as of variants; asked at places that share no pixel with those
    learnt from. The patches' mean colour is taken away: tint does not count. 0.5 is perfect, 1 the worst.
    """
    learnt, asked = _places(edit.shape[0])
    generator = torch.Generator().manual_seed(seed)
    pictures = torch.from_numpy(np.stack([edit, *variants])).permute(0, 3, 1, 2).float() / 64
    network = _classifier(generator)
    optimiser = torch.optim.Adam(network.parameters(), 3e-3, weight_decay=1e-4)
    for _ in range(STEPS):
        patches, labels = _draw(pictures, learnt, BATCH, generator)
        loss = F.binary_cross_entropy_with_logits(network(patches), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.inference_mode():
        patches, labels = _draw(pictures, asked, 1200, generator)
        return float(((network.eval()(patches) > 0) == (labels > 0.5)).float().mean())


def _classifier(generator: torch.Generator) -> nn.Module:
    network = nn.Sequential(
        nn.Conv2d(3, 16, 3),
        nn.LeakyReLU(0.1),
        nn.Conv2d(16, 24, 3, stride=2),
        nn.LeakyReLU(0.1),
        nn.Conv2d(24, 24, 3),
        nn.LeakyReLU(0.1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(24, 1),
        nn.Flatten(0),
    )
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            scale = (2 / layer.weight[0].numel()) ** 0.5
            layer.weight.data = torch.randn(layer.weight.shape, generator=generator) * scale
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return network


def _places(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the top left corners (n, 2) of patches to learn from and to ask about, in squares that alternate."""
    cell = max(PATCH + 1, round(CELL * size / 128))
    corners = np.stack(np.meshgrid(np.arange(size - PATCH + 1), np.arange(size - PATCH + 1), indexing="ij"), -1)
    corners = corners.reshape(-1, 2)
    first, last = corners // cell, (corners + PATCH - 1) // cell
    whole = (first == last).all(1)
    even = first.sum(1) % 2 == 0
    return corners[whole & even], corners[whole & ~even]


def _draw(
    pictures: torch.Tensor, places: np.ndarray, count: int, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return patches (count, 3, 15, 15), half of the edit (picture 0) and half of a variant, and labels (count,)."""
    half = count // 2
    chosen = torch.randint(len(places), (2 * half,), generator=generator).tolist()
    variants = torch.randint(1, len(pictures), (half,), generator=generator).tolist()
    numbers: Sequence[int] = [0] * half + variants
    patches = torch.stack(
        [
            pictures[number, :, row : row + PATCH, column : column + PATCH]
            for number, (row, column) in zip(numbers, (places[place] for place in chosen), strict=True)
        ]
    )
    return patches - patches.mean((2, 3), keepdim=True), torch.cat([torch.zeros(half), torch.ones(half)])
