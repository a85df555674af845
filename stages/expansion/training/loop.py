"""The training loop that both recipes share: a generator that yields; the caller logs and saves."""

import copy
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import nn

from singanimation.pipeline.errors import TrainingError, WeightsError
from singanimation.stages.expansion.checkpoints import load_generator
from singanimation.stages.expansion.training.settings import (
    PAPER_EPOCHS,
    PAPER_EPOCHS_AT_FULL_RATE,
    Schedule,
)

ATTENTION_BOUNDS = (0.05, 0.995)
"""Outside these, for SATURATION_STEPS steps on end, A has saturated: all is repainted, or nothing is edited."""

SATURATION_STEPS = 300

PHASES = 3
"""Parts of a training under the schedule ``phases``."""


class TrainingFaces(NamedTuple):
    """Aligned faces with a margin for jitter.

    ``pictures`` uint8 (N, 160, 160, 3) RGB, the crop's 128 px in the middle; ``landmarks`` float32
    (N, 478, 2) in pixels of the picture; ``action_units`` float32 (N, 17) in 0..1. For siblings that go by labels:
    ``labels`` int64 (N,), places in ``EMOTIONS``, -1 where there is none; ``sets`` int64 (N,), which of several data
    sets a face is of.
    """

    pictures: np.ndarray
    landmarks: np.ndarray
    action_units: np.ndarray
    labels: np.ndarray | None = None
    sets: np.ndarray | None = None


class Objective(Protocol):
    """One recipe: networks, optimisers and one step of both. ``generator`` is what ships."""

    @property
    def generator(self) -> nn.Module:
        """What is trained, and shipped."""
        ...

    @property
    def options(self) -> Mapping[str, Any]:
        """What it takes to build the generator again."""
        ...

    def step(self, random: torch.Generator, learning_rate: float, done: float) -> dict[str, float]:
        """Train one step; ``done`` is the share of the training behind us. Returns the losses by name."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return everything a resumed training needs."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up what ``state_dict`` returned."""
        ...


class LoopSettings(Protocol):
    """What the loop itself has to be told; every training's settings say it."""

    @property
    def steps(self) -> int: ...
    @property
    def batch_size(self) -> int: ...
    @property
    def learning_rate(self) -> float: ...
    @property
    def schedule(self) -> Schedule: ...
    @property
    def average(self) -> float: ...
    @property
    def seed(self) -> int: ...


@dataclass
class Progress:
    """Where a training stands: ``losses`` are running means, ``generator`` the averaged weights."""

    step: int
    steps: int
    seconds: float
    pictures_per_second: float
    losses: dict[str, float]
    generator: nn.Module
    options: Mapping[str, Any]
    snapshot: Callable[[], dict[str, Any]]

    @property
    def state(self) -> dict[str, Any]:
        """Everything a resumed training needs, as it is now: take it before the next step."""
        return self.snapshot()


def learning_rate_at(done: float, step: int, peak: float, schedule: Schedule = "cosine") -> float:
    """Return the learning rate when the share ``done`` of a training is behind us.

    ``cosine``: 100 steps of warm-up, then a cosine from ``peak`` to 0. ``paper``: ``peak`` for 20 of 30 epochs, then
    less by a tenth of it with every epoch, as the authors' code does. ``phases``: a tenth of it with every third of the
    training. ``half``: ``peak`` for half of it, then evenly to 0.
    """
    if schedule == "cosine":
        return peak * min(1.0, (step + 1) / 100) * half_cosine(done)
    if schedule == "phases":
        return peak * 0.1 ** phase_at(done, PHASES)
    if schedule == "half":
        return peak * min(1.0, 2 * (1 - done))
    epoch = math.floor(done * PAPER_EPOCHS + 1e-9)
    fallen = max(epoch - PAPER_EPOCHS_AT_FULL_RATE, 0) / (PAPER_EPOCHS - PAPER_EPOCHS_AT_FULL_RATE)
    return peak * (1 - fallen)


def phase_at(done: float, phases: int) -> int:
    """Return in which of ``phases`` equal parts of a training the share ``done`` of it lies, from 0."""
    return min(int(done * phases + 1e-9), phases - 1)


def half_cosine(done: float) -> float:
    """From 1 to 0 as ``done`` goes from 0 to 1."""
    return 0.5 * (1 + math.cos(math.pi * done))


def train(settings: LoopSettings, objective: Objective, resume: Mapping[str, Any] | None = None) -> Iterator[Progress]:
    """Train and yield after every step. Raises TrainingError on NaN or saturated attention.

    ``resume`` is a former ``Progress.state``: the training goes on exactly there. Raises WeightsError when it is none.
    """
    average = copy.deepcopy(objective.generator).requires_grad_(False).eval()
    random = torch.Generator().manual_seed(settings.seed)
    first, losses, saturated = 0, {}, 0
    if resume is not None:
        try:
            objective.load_state_dict(resume["objective"])
            average.load_state_dict(resume["average"])
            random.set_state(resume["random"])
            first, losses = int(resume["step"]), dict(resume["losses"])
        except (AttributeError, KeyError, RuntimeError, TypeError, ValueError):
            raise WeightsError("The checkpoint is not of such a training; delete it, or give --no-resume.") from None
    began = time.monotonic()
    for step in range(first, settings.steps):
        done = step / settings.steps
        new = objective.step(random, learning_rate_at(done, step, settings.learning_rate, settings.schedule), done)
        _update_average(average, objective.generator, min(settings.average, (step + 1) / (step + 20)))
        losses = {name: 0.98 * losses.get(name, value) + 0.02 * value for name, value in new.items()}
        saturated = _watch(new, step, saturated)
        seconds = time.monotonic() - began
        rate = (step + 1 - first) * settings.batch_size / seconds

        def snapshot(step: int = step, losses: dict[str, float] = losses) -> dict[str, Any]:
            return {
                "step": step + 1,
                "losses": losses,
                "random": random.get_state(),
                "average": average.state_dict(),
                "objective": objective.state_dict(),
            }

        yield Progress(step + 1, settings.steps, seconds, rate, losses, average, objective.options, snapshot)


def _watch(losses: Mapping[str, float], step: int, saturated: int) -> int:
    """Count steps with attention out of bounds; raise when it stays there, or when a loss is no number."""
    bad = [name for name, value in losses.items() if not math.isfinite(value)]
    if bad:
        raise TrainingError(f"Step {step}: {', '.join(bad)} is no number any more; lower --learning-rate and resume.")
    low, high = ATTENTION_BOUNDS
    if "attention" not in losses:  # a step that trains another part
        return 0
    saturated = 0 if low <= losses["attention"] <= high else saturated + 1
    if saturated >= SATURATION_STEPS:
        raise TrainingError(
            f"Step {step}: mean attention stayed at {losses['attention']:.3f} for {saturated} steps; "
            + ("everything is repainted" if losses["attention"] < low else "nothing is edited")
            + ": check that the faces are aligned alike, use more of them, or lower --learning-rate."
        )
    return saturated


def _update_average(average: nn.Module, current: nn.Module, keep: float) -> None:
    with torch.no_grad():
        for old, new in zip(average.parameters(), current.parameters(), strict=True):
            old.lerp_(new, 1 - keep)
        for old, new in zip(average.buffers(), current.buffers(), strict=True):
            old.copy_(new)


def _in_words(labels: Sequence[str] | None) -> str:
    return ", ".join(labels) if labels else "action units"


def initial_weights(network: nn.Module, path: Path | None) -> None:
    """Copy the weights of the generator at ``path`` into ``network``, if given. Raises WeightsError."""
    if path is None:
        return
    try:
        loaded = load_generator(path).network
        labels = getattr(network, "labels", None)
        if loaded.labels != labels:
            raise WeightsError(
                f"--init {path} draws {_in_words(loaded.labels)}, and these faces teach {_in_words(labels)}: "
                "start from one that learnt the same."
            )
        weights = loaded.state_dict()
        lacking = {name: value for name, value in network.state_dict().items() if name not in weights}
        if any(not name.startswith("correct.") for name in lacking):
            lacking = {}  # a generator without its correcting network starts one anew; others have to fit as they are
        network.load_state_dict(lacking | weights)
    except RuntimeError:
        raise WeightsError(
            f"--init {path} is another generator than --recipe and --width make; give those it was trained with."
        ) from None
