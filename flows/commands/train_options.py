"""The options of `augment train`, each with its help, and the checks that all trainings share."""

from pathlib import Path
from typing import Annotated

import typer

from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.runs import make_folder
from singanimation.stages.expansion.training.settings import PAPER_RATE, SIZES, Schedule, TrainSettings

FacesOption = Annotated[Path, typer.Option("--input", help="A Parquet of aligned faces with landmarks and AUs.")]
OutputOption = Annotated[Path, typer.Option("--output", help="The .safetensors file to write; logs go beside it.")]
RateOption = Annotated[
    float | None,
    typer.Option(min=1e-8, help=f"Default: {TrainSettings.learning_rate} (geometry), {PAPER_RATE} (paper)."),
]
AdversarialOption = Annotated[float, typer.Option(min=0, help="Weight of geometry's adversarial term.")]
RegressionOption = Annotated[
    float | None,
    typer.Option(min=0, help=f"Weight of geometry's AU regression (default: {TrainSettings.regression:g})."),
]
MixedOption = Annotated[
    bool | None,
    typer.Option(help="bfloat16. Default: geometry where the device gains from it (GPUs, CPUs with AMX)."),
]
StepsOption = Annotated[
    int | None,
    typer.Option(min=1, help=f"Generator steps. Default: {TrainSettings.steps} (geometry), 30 epochs (paper)."),
]
BatchOption = Annotated[
    int | None, typer.Option(min=1, help=f"Default: {TrainSettings.batch_size} (geometry), 25 (paper).")
]
ScheduleOption = Annotated[
    Schedule | None, typer.Option(help="Of the learning rate. Default: cosine (geometry), paper (paper).")
]
SizeOption = Annotated[int, typer.Option(help="paper: pixels of the pictures it learns, 64 or 128.")]
JointOption = Annotated[bool, typer.Option("--joint-critic", help="paper: one Adam step on penalty and rest.")]
ClampOption = Annotated[bool, typer.Option("--clamp-targets", help="paper: noisy targets stay in 0..1.")]
AverageOption = Annotated[
    float | None,
    typer.Option(min=0, max=0.99999, help=f"Of weights. Default: {TrainSettings.average} (geometry), 0 (paper)."),
]
UnitWeightOption = Annotated[float, typer.Option(min=0, help="paper: of the AUs, over the batch.")]
CycleWeightOption = Annotated[float, typer.Option(min=0, help="paper: of the cycle.")]
AttentionWeightOption = Annotated[float, typer.Option(min=0, help="paper: of A's mean.")]
VariationWeightOption = Annotated[float, typer.Option(min=0, help="paper: of A's steps.")]
CriticStepsOption = Annotated[int, typer.Option(min=1, help="paper: batches a step.")]


def check_output(output: Path) -> None:
    """Make the folder of the file that a training will write. Raises UsageError, OutputError."""
    if output.suffix != ".safetensors":
        raise UsageError(f"--output {output} has to end in .safetensors.")
    if output.is_dir():
        raise UsageError(f"--output {output} is a folder; name the file to write.")
    make_folder(output.parent)


def check_size(size: int) -> None:
    """Raise UsageError for an edge that no recipe learns at."""
    if size not in SIZES:
        raise UsageError(f"--size {size}: pictures have {' or '.join(map(str, SIZES))} pixels.")


def use_threads(threads: int | None) -> None:
    """Have PyTorch compute with so many CPU threads; None leaves its own choice."""
    if threads:
        import torch

        torch.set_num_threads(threads)
