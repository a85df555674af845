"""Random changes of action units for training: single ones, a few together, whole emotions, and back to neutral."""

import torch
from torch import Tensor

from singanimation.pipeline.expressions import AU_INDEX, AU_NAMES, EMOTIONS, PROTOTYPES

SINGLE, FEW, EMOTION = 0.30, 0.25, 0.33
"""Shares of the kinds of target; what is left goes towards neutral."""

NO_CHANGE = 0.06
"""Share of changes of exactly 0."""


def sample_changes(action_units: Tensor, generator: torch.Generator) -> Tensor:
    """Draw a change for each face: ``target - source``, (B, 17) in -1..1.

    ``action_units`` (B, 17), 0..1, of the faces as they are; ``generator`` a CPU generator, so that every device
    sees the same changes. Targets are one AU, a few, an emotion's prototype (or closed eyes) at some strength, or
    none; the source's other AUs stay or go, so that a smile also closes.
    """
    units = action_units.detach().float().cpu()
    batch, count = units.shape

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator)

    kind = uniform(batch, 1)
    chosen = torch.randint(0, count, (batch,), generator=generator)
    single = torch.nn.functional.one_hot(chosen, count) * (0.15 + uniform(batch, 1)).clamp(max=1)
    few = (uniform(batch, count) < 0.22) * uniform(batch, count)
    prototypes = _prototypes()
    which = torch.randint(0, len(prototypes), (batch,), generator=generator)
    # full strength is asked for most often later on
    strength = (0.35 + 0.80 * uniform(batch, 1)).clamp(max=1)
    emotion = prototypes[which] * strength * (0.75 + 0.25 * uniform(batch, count))
    whole, neutral = kind >= SINGLE + FEW, kind >= SINGLE + FEW + EMOTION
    target = torch.where(kind < SINGLE, single, torch.where(whole, emotion, few))
    target = torch.where(neutral, torch.zeros_like(target), target)
    # a whole expression replaces the source's own more often than a few AUs do
    stays = (uniform(batch, 1) < torch.where(whole, 0.40, 0.70)) & ~neutral
    change = torch.where((target <= 0) & stays, torch.zeros_like(target), target - units)
    # what an estimator reads on a neutral face is often no expression: remove only half of it half the time
    removed = torch.where(uniform(batch, 1) < 0.5, 1.0, 0.5)
    change = torch.where(change < 0, change * removed, change)
    change = change * (uniform(batch, 1) >= NO_CHANGE)
    return change.clamp(-1, 1).to(action_units.device)


def _prototypes() -> Tensor:
    """The emotions but neutral, and closed eyes: (7, 17)."""
    closed = torch.zeros(len(AU_NAMES))
    closed[AU_INDEX["AU45"]] = 1
    emotions = [torch.from_numpy(PROTOTYPES[name].copy()) for name in EMOTIONS if name != "neutral"]
    return torch.stack([*emotions, closed])
