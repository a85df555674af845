"""A training's checkpoint on disk: whole or absent, read as data, one writer at a time, resumed by its own training."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from singanimation.pipeline.errors import UsageError, WeightsError
from singanimation.pipeline.files.atomic import atomic_file
from singanimation.pipeline.files.untrusted import shown
from singanimation.pipeline.runs import hold_lock

if TYPE_CHECKING:
    from singanimation.flows.training.faces import PreparedFaces
    from singanimation.stages.expansion.training.settings import TrainSettings

_SAME = (
    "recipe",
    "width",
    "size",
    "batch_size",
    "seed",
    "steps",
    "adversarial",
    "regression",
    "schedule",
    "average",
    "critic_steps",
    "labels",
)


@contextmanager
def hold_training(output: Path) -> Iterator[None]:
    """Hold ``output`` for one training: two at a time would take turns in each other's checkpoint.

    Raises OutputError where another process holds it, or the folder cannot be written.
    """

    def taken() -> str:
        return f"--output {output} is being trained by another process; wait for it, or give another --output."

    with hold_lock(output.with_name(f".{output.name}.lock"), output.parent, taken):
        yield


def training_terms(settings: "TrainSettings", faces: "PreparedFaces", name: str) -> dict[str, str]:
    """What a checkpoint and the training that resumes it must have in common; ``name`` is the data's.

    The learning rate is not of it: a training that went wrong goes on with a lower one. Nor are device and precision.
    """
    same = {field: str(getattr(settings, field)) for field in _SAME}
    if settings.recipe == "paper":
        same |= {f"paper_{field}": str(value) for field, value in asdict(settings.paper).items()}
    same["init"] = settings.init.name if settings.init else "none"
    return same | {"faces": f"{len(faces.train.pictures)} of {Path(name).name}"}


def learning_rates(state: Mapping[str, Any] | None, rate: float) -> list[list[float]]:
    """Return each learning rate of a training with the step it began at, the one that begins now included."""
    rates = list(state.get("rates", [])) if state else []
    if not rates or rates[-1][1] != rate:
        rates.append([int(state["step"]) if state else 0, rate])
    return rates


def save_checkpoint(path: Path, state: Mapping[str, Any], same: Mapping[str, str]) -> None:
    """Write a ``Progress.state`` (with ``rates``) and its ``training_terms``. Raises MachineError for the disk."""
    import torch

    with atomic_file(path) as file:
        torch.save({**state, "settings": dict(same)}, file)


def load_checkpoint(path: Path, same: Mapping[str, str]) -> dict[str, Any]:
    """Return what ``save_checkpoint`` wrote. Raises WeightsError for what is no checkpoint, UsageError for another's.

    What an older checkpoint does not say is taken to be the same.
    """
    import torch

    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        step, theirs = int(state["step"]), {**state["settings"]}
        state["rates"] = [[int(begun), float(rate)] for begun, rate in state.get("rates", [])]
    except Exception as error:  # strange bytes fail in many ways, and so do checkpoints of other trainings
        reason = shown(f"{type(error).__name__}: {error}".partition("\n")[0])
        raise WeightsError(f"{path} cannot be resumed from ({reason}); delete it or give --no-resume.") from None
    differing = [
        f"{name} {shown(theirs[name])} (now {new})" for name, new in same.items() if theirs.get(name, new) != new
    ]
    if differing:
        raise UsageError(f"{path} is of a training with {', '.join(differing)}; give the same options, or --no-resume.")
    if step >= int(same["steps"]):
        raise UsageError(f"{path}: all {same['steps']} steps are done; give another --output, or --no-resume.")
    return state
