"""What a training is told (settings), what it says as it goes (progress) and what it keeps (session, checkpoint)."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import nn

from singanimation.pipeline.errors import TrainingError, UsageError, WeightsError
from singanimation.pipeline.files.atomic import atomic_file
from singanimation.stages.action_units.network import AlignerNetwork, AUNetwork

PHASES = ("action_units", "aligner")
CHECKPOINT_VERSION = 1


@dataclass(frozen=True)
class TrainSettings:
    """One training. The defaults are the recipe of the shipped weights."""

    faces: Path
    """a Parquet with the columns of faces.parquet; blendshapes may be absent, and landmarks if no aligner is trained"""
    warped: Path | None = None
    """a Parquet with the columns of warped.parquet: more expressions"""
    seed: int = 0
    phases: tuple[str, ...] = PHASES
    steps: int = 2300
    aligner_steps: int = 2500
    batch_size: int = 48
    aligner_batch_size: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    average: float = 0.998
    """decay of the running mean of the weights, which is what ships"""
    real_share: float = 0.6
    """share of each batch that are photographs; the rest are warped"""
    device: str = "cpu"
    report_every: int = 50
    validate_every: int = 0
    """steps between validations; 0 for none"""
    resume: Path | None = None
    """a checkpoint that ``Session.save`` wrote"""

    _NOT_RECIPE = frozenset({"faces", "warped", "device", "report_every", "validate_every", "resume"})

    def __post_init__(self) -> None:
        unknown = set(self.phases) - set(PHASES)
        if unknown or not self.phases:
            raise UsageError(f"phases must be some of {', '.join(PHASES)}; got {', '.join(self.phases) or 'none'}.")
        if min(self.steps, self.aligner_steps, self.batch_size, self.aligner_batch_size, self.report_every) < 1:
            raise UsageError("steps, batch sizes and report_every must be at least 1.")

    def recipe(self) -> dict[str, object]:
        """Return what decides the weights but the data: names and plain values, for metadata."""
        values = asdict(self)
        return {name: value for name, value in values.items() if name not in self._NOT_RECIPE}

    def plan(self, phase: str) -> tuple[int, int]:
        """Return the steps and the batch size of a phase."""
        if phase == "action_units":
            return self.steps, self.batch_size
        return self.aligner_steps, self.aligner_batch_size

    def digest(self) -> str:
        """Return 16 hex digits of the recipe."""
        return hashlib.sha256(json.dumps(self.recipe(), sort_keys=True).encode()).hexdigest()[:16]


@dataclass
class Session:
    """A training's state: what a checkpoint holds, and the networks trained so far.

    ``data`` digests the files that are trained on.
    """

    settings: TrainSettings
    phase: str = ""
    step: int = 0
    averages: dict[str, nn.Module] = field(default_factory=dict)
    network: nn.Module | None = None
    optimizer: torch.optim.Optimizer | None = None
    data: str = ""

    def save(self, path: Path) -> None:
        """Write a checkpoint that ``TrainSettings.resume`` takes (and a later torch loads with weights_only).

        It appears whole or not at all. Raises TrainingError before the first step, MachineError for the disk.
        """
        if self.network is None or self.optimizer is None:
            raise TrainingError("a training that has not begun has no checkpoint.")
        state = {
            "version": CHECKPOINT_VERSION,
            "recipe": json.dumps(self.settings.recipe(), sort_keys=True),
            "data": self.data,
            "phase": self.phase,
            "step": self.step,
            "averages": {name: network.state_dict() for name, network in self.averages.items()},
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        with atomic_file(path) as file:
            torch.save(state, file)


@dataclass(frozen=True)
class Progress:
    """Where a training is: after ``step`` of ``steps`` of a phase, the mean loss since the last report.

    ``loss`` is NaN in the one report of a phase that a checkpoint holds as finished.
    """

    phase: str
    step: int
    steps: int
    loss: float
    parts: Mapping[str, float]
    pictures_per_second: float
    session: Session
    validation: Mapping[str, object] | None = None
    calibration: Mapping[str, float] | None = None
    """with the aligner's last step: the shares of faces kept and of other views passed at the threshold"""


def new_network(phase: str) -> nn.Module:
    """Return the untrained network of a phase."""
    return AUNetwork() if phase == "action_units" else AlignerNetwork()


def load_checkpoint(path: Path, settings: TrainSettings, data: str) -> dict:
    """Read a checkpoint; raises WeightsError when it is none, or one of another recipe, or of other ``data``."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        version, recipe = state["version"], state["recipe"]
    except Exception as error:
        raise WeightsError(f"{path} cannot be read as a checkpoint of this training ({error}).") from error
    if version != CHECKPOINT_VERSION:
        raise WeightsError(f"{path} is a checkpoint of version {version}, this program writes {CHECKPOINT_VERSION}.")
    if recipe != json.dumps(settings.recipe(), sort_keys=True):
        raise WeightsError(
            f"{path} was written with other settings; resume with the same ones, or delete it to start anew: {recipe}."
        )
    if state.get("data", data) != data:
        raise WeightsError(
            f"{path} is of a training on other faces; give the same --input and --warped, or delete it to start anew."
        )
    return state
