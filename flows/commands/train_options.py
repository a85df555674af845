"""The options of `augment train`, each with its help, and the checks that all trainings share."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.runs import make_folder
from singanimation.stages.expansion.training.settings import (
    PAPER_RATE,
    SIZES,
    PaperTerms,
    Recipe,
    Schedule,
    TrainSettings,
)

FacesOption = Annotated[Path, typer.Option("--input", help="A Parquet of aligned faces with landmarks and AUs.")]
OutputOption = Annotated[Path, typer.Option("--output", help="The .safetensors file to write; logs go beside it.")]
SeedOption = Annotated[int, typer.Option(min=0, max=2**63 - 1)]
"""What PyTorch's generators take."""

DeviceOption = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
WorkersOption = Annotated[int | None, typer.Option(min=1, help="Processes that find faces; default: all cores.")]
ThreadsOption = Annotated[int | None, typer.Option(min=1, help="CPU threads; default: all.")]
MinutesOption = Annotated[float, typer.Option(min=0, help="Minutes between checkpoints and contact sheets.")]
ResumeOption = Annotated[bool, typer.Option(help="Go on from the checkpoint beside --output.")]
MixedOption = Annotated[
    bool | None,
    typer.Option(help="bfloat16. Default: geometry where the device gains from it (GPUs, CPUs with AMX)."),
]

_SETTINGS, _PAPER = TrainSettings, PaperTerms

SETTINGS_OPTIONS: Mapping[str, tuple[Any, Any]] = {
    "recipe": (
        Annotated[Recipe, typer.Option(help="geometry is what ships, paper the published losses.")],
        _SETTINGS.recipe,
    ),
    "steps": (
        Annotated[
            int | None,
            typer.Option(min=1, help=f"Generator steps. Default: {_SETTINGS.steps} (geometry), 30 epochs (paper)."),
        ],
        None,
    ),
    "batch_size": (
        Annotated[int | None, typer.Option(min=1, help=f"Default: {_SETTINGS.batch_size} (geometry), 25 (paper).")],
        None,
    ),
    "learning_rate": (
        Annotated[
            float | None,
            typer.Option(min=1e-8, help=f"Default: {_SETTINGS.learning_rate} (geometry), {PAPER_RATE} (paper)."),
        ],
        None,
    ),
    "adversarial": (
        Annotated[float, typer.Option(min=0, help="Weight of geometry's adversarial term.")],
        _SETTINGS.adversarial,
    ),
    "regression": (
        Annotated[
            float | None,
            typer.Option(min=0, help=f"Weight of geometry's AU regression (default: {_SETTINGS.regression:g})."),
        ],
        None,
    ),
    "schedule": (
        Annotated[
            Schedule | None, typer.Option(help="Of the learning rate. Default: cosine (geometry), paper (paper).")
        ],
        None,
    ),
    "average": (
        Annotated[
            float | None,
            typer.Option(min=0, max=0.99999, help=f"Of weights. Default: {_SETTINGS.average} (geometry), 0 (paper)."),
        ],
        None,
    ),
    "width": (
        Annotated[float, typer.Option(min=0.125, max=8, help="Share of the networks' width.")],
        _SETTINGS.width,
    ),
    "size": (
        Annotated[int, typer.Option(help="paper: pixels of the pictures it learns, 64 or 128.")],
        _SETTINGS.size,
    ),
    "init": (Annotated[Path | None, typer.Option(help="Start from this generator's weights.")], None),
    "seed": (SeedOption, 0),
}
"""Options of ``TrainSettings.for_recipe``, by its own names; where None is the default the recipe has one."""

PAPER_OPTIONS: Mapping[str, tuple[Any, Any]] = {
    "unit_weight": (Annotated[float, typer.Option(min=0, help="paper: of the AUs, over the batch.")], _PAPER.units),
    "cycle_weight": (Annotated[float, typer.Option(min=0, help="paper: of the cycle.")], _PAPER.cycle),
    "attention_weight": (Annotated[float, typer.Option(min=0, help="paper: of A's mean.")], _PAPER.attention),
    "variation_weight": (Annotated[float, typer.Option(min=0, help="paper: of A's steps.")], _PAPER.variation),
    "critic_steps": (Annotated[int, typer.Option(min=1, help="paper: batches a step.")], _PAPER.critic_steps),
    "joint_critic": (
        Annotated[bool, typer.Option("--joint-critic", help="paper: one Adam step on penalty and rest.")],
        False,
    ),
    "clamp_targets": (
        Annotated[bool, typer.Option("--clamp-targets", help="paper: noisy targets stay in 0..1.")],
        False,
    ),
}


def paper_terms(
    *,
    unit_weight: float,
    cycle_weight: float,
    attention_weight: float,
    variation_weight: float,
    critic_steps: int,
    joint_critic: bool,
    clamp_targets: bool,
) -> PaperTerms:
    """Return what ``PAPER_OPTIONS`` say."""
    return PaperTerms(
        units=unit_weight,
        cycle=cycle_weight,
        attention=attention_weight,
        variation=variation_weight,
        critic_steps=critic_steps,
        joint_critic=joint_critic,
        clamp_targets=clamp_targets,
    )


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
