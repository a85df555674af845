"""How the classifier learns: classes balanced, pictures varied, people held out."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from singanimation.pipeline.errors import TrainingError
from singanimation.pipeline.expressions import EMOTIONS
from singanimation.stages.expression.network import ExpressionNetwork

FEWEST = 12
"""A class with fewer training pictures is not learnt, and never judged."""

_HEAD_RATE, _TRUNK_RATE, _DECAY = 2e-3, 4e-4, 1e-3
_SMOOTHING = 0.1


class ExpressionPictures(NamedTuple):
    """Labelled crops: ``crops`` uint8 (N, 128, 128, 3), ``labels`` int (N,) in RAF-DB's order, ``people`` (N,)."""

    crops: np.ndarray
    labels: np.ndarray
    people: np.ndarray

    def chosen(self, rows: np.ndarray) -> "ExpressionPictures":
        """Return some of the pictures."""
        return ExpressionPictures(*(part[rows] for part in self))


class ExpressionTraining(NamedTuple):
    """How far a training is: ``step`` of ``steps``, and the loss there."""

    step: int
    steps: int
    loss: float


def learnt_classes(labels: np.ndarray) -> tuple[int, ...]:
    """Return the classes of which there are enough pictures. Raises TrainingError for fewer than two of them."""
    counts = np.bincount(labels, minlength=len(EMOTIONS))
    classes = tuple(int(index) for index in np.flatnonzero(counts >= FEWEST))
    if len(classes) < 2:
        told = ", ".join(f"{name} {count}" for name, count in zip(EMOTIONS, counts, strict=True) if count) or "none"
        raise TrainingError(
            f"At least two classes with {FEWEST} training pictures each are needed to tell expressions apart; "
            f"there are: {told}."
        )
    return classes


def hold_out(people: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Return which pictures (N,) belong to a ``share`` of the people, drawn by ``seed``: to test on, not to train."""
    names = np.unique(people)
    drawn = np.random.default_rng(seed).permutation(names)[: max(1, round(share * len(names)))]
    return np.isin(people, drawn)


def train_expression(
    network: ExpressionNetwork, pictures: ExpressionPictures, steps: int, batch: int, seed: int
) -> Iterator[ExpressionTraining]:
    """Train ``network`` in place, yielding after every step; the same arguments give the same weights on a CPU.

    Raises TrainingError for too few pictures, or when the loss is no number.
    """
    classes = learnt_classes(pictures.labels)
    random = np.random.default_rng(seed)
    torch.manual_seed(seed)
    places = [np.flatnonzero(pictures.labels == index) for index in classes]
    groups = [
        {"params": network.trunk.parameters(), "lr": _TRUNK_RATE},
        {"params": network.head.parameters(), "lr": _HEAD_RATE},
    ]
    optimiser = torch.optim.AdamW(groups, weight_decay=_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, [_TRUNK_RATE, _HEAD_RATE], total_steps=steps)
    unseen = torch.ones(len(EMOTIONS), dtype=torch.bool)
    unseen[list(classes)] = False
    network.train()
    for step in range(1, steps + 1):
        drawn = random.integers(0, len(classes), batch)
        rows = np.array([random.choice(places[index]) for index in drawn])
        views = varied(_as_tensor(pictures.crops[rows]), random)
        wanted = torch.from_numpy(pictures.labels[rows].astype(np.int64))
        logits = network(views).masked_fill(unseen, -30.0)
        loss = F.cross_entropy(logits[:, list(classes)], _places(wanted, classes), label_smoothing=_SMOOTHING)
        if not torch.isfinite(loss):
            raise TrainingError(f"The loss is no number at step {step}; the pictures may be damaged.")
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 2.0)
        optimiser.step()
        schedule.step()
        yield ExpressionTraining(step, steps, float(loss.detach()))
    network.eval()


def varied(pictures: Tensor, random: np.random.Generator) -> Tensor:
    """Return ``pictures`` (B, 3, H, W) in -1..1 mirrored, turned, scaled, shifted, of other light, partly erased."""
    count, size = len(pictures), pictures.shape[-1]

    def drawn(low: float, high: float) -> Tensor:
        return torch.from_numpy(random.uniform(low, high, count).astype(np.float32))

    angle, scale = drawn(-0.2, 0.2), drawn(0.88, 1.14)
    flip = torch.where(drawn(-1, 1) < 0, -1.0, 1.0)
    cosine, sine = scale * torch.cos(angle), scale * torch.sin(angle)
    rows = [
        torch.stack([flip * cosine, -sine, drawn(-0.1, 0.1)], 1),
        torch.stack([flip * sine, cosine, drawn(-0.1, 0.1)], 1),
    ]
    grid = F.affine_grid(torch.stack(rows, 1), list(pictures.shape), align_corners=False)
    views = F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)
    gain, shift = drawn(0.7, 1.35)[:, None, None, None], drawn(-0.25, 0.25)[:, None, None, None]
    views = views * gain + shift
    noise = torch.from_numpy(random.standard_normal(views.shape, dtype=np.float32))
    views = views + noise * drawn(0, 0.08)[:, None, None, None]
    if random.random() < 0.5:  # as coarse as small pictures are
        small = F.interpolate(views, size=int(random.integers(48, size)), mode="bilinear", antialias=True)
        views = F.interpolate(small, size=size, mode="bilinear")
    for index in range(count):
        if random.random() < 0.4:
            height, width = random.integers(size // 8, size // 3, 2)
            top, left = int(random.integers(0, size - height)), int(random.integers(0, size - width))
            views[index, :, top : top + height, left : left + width] = float(random.uniform(-1, 1))
    return views.clamp(-1.5, 1.5)


def _as_tensor(crops: np.ndarray) -> Tensor:
    return torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 127.5 - 1


def _places(labels: Tensor, classes: tuple[int, ...]) -> Tensor:
    return torch.tensor([classes.index(int(label)) for label in labels])
