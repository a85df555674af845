"""`augment train ganimation`: a generator, by the recipe that ships or by the paper's."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from singanimation.flows.commands.train_options import (
    AdversarialOption,
    AttentionWeightOption,
    AverageOption,
    BatchOption,
    ClampOption,
    CriticStepsOption,
    CycleWeightOption,
    JointOption,
    MixedOption,
    OutputOption,
    RateOption,
    RegressionOption,
    ScheduleOption,
    SizeOption,
    StepsOption,
    UnitWeightOption,
    VariationWeightOption,
    check_output,
    check_size,
    use_threads,
)
from singanimation.flows.figures.page import NEEDED, can_draw
from singanimation.flows.training.checkpoint import hold_training
from singanimation.flows.training.run import run_training
from singanimation.flows.training.steps import LOG_EVERY
from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.system import usable_cores
from singanimation.stages.expansion.training.settings import PaperTerms, Recipe, TrainSettings, paper_steps

if TYPE_CHECKING:
    from singanimation.flows.training.faces import PreparedFaces
    from singanimation.stages.expansion.training.loop import Progress


def train_ganimation(
    faces: Annotated[str, typer.Option("--input", help="Faces: anything that `augment --input` takes.")],
    output: OutputOption = Path("ganimation.safetensors"),
    recipe: Annotated[
        Recipe, typer.Option(help="geometry is what ships, paper the published losses.")
    ] = TrainSettings.recipe,
    steps: StepsOption = None,
    batch_size: BatchOption = None,
    learning_rate: RateOption = None,
    adversarial: AdversarialOption = TrainSettings.adversarial,
    regression: RegressionOption = None,
    schedule: ScheduleOption = None,
    average: AverageOption = None,
    unit_weight: UnitWeightOption = PaperTerms.units,
    cycle_weight: CycleWeightOption = PaperTerms.cycle,
    attention_weight: AttentionWeightOption = PaperTerms.attention,
    variation_weight: VariationWeightOption = PaperTerms.variation,
    critic_steps: CriticStepsOption = PaperTerms.critic_steps,
    joint_critic: JointOption = False,
    clamp_targets: ClampOption = False,
    width: Annotated[float, typer.Option(min=0.125, max=8, help="Share of the networks' width.")] = TrainSettings.width,
    size: SizeOption = TrainSettings.size,
    init: Annotated[Path | None, typer.Option(help="Start from this generator's weights.")] = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    mixed_precision: MixedOption = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes that find faces; default: all cores.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; default: all.")] = None,
    minutes: Annotated[float, typer.Option(min=0, help="Minutes between checkpoints and contact sheets.")] = 5.0,
    resume: Annotated[bool, typer.Option(help="Go on from the checkpoint beside --output.")] = True,
) -> None:
    """Train a generator; writes it and, beside it, its model card, losses (CSV, PNG), contact sheet and checkpoint.

    Where the input has no AUs they are estimated, faces are found and cut once, and kept in OUTPUT.faces. The same
    command goes on where it stopped; Ctrl-C ends it after the step at hand.
    """
    from singanimation.flows.models import choose_device

    _check_recipe(recipe, adversarial, regression, size)
    check_output(output)
    _check_init(init)
    use_threads(threads)
    device = choose_device(device)
    terms = PaperTerms(
        units=unit_weight,
        cycle=cycle_weight,
        attention=attention_weight,
        variation=variation_weight,
        critic_steps=critic_steps,
        joint_critic=joint_critic,
        clamp_targets=clamp_targets,
    )
    _check_terms(recipe, terms)
    mixed = _gains_from_bfloat16(device) and recipe != "paper" if mixed_precision is None else mixed_precision
    settings = TrainSettings.for_recipe(
        recipe,
        steps=steps,
        batch_size=batch_size,
        width=width,
        size=size,
        adversarial=adversarial,
        seed=seed,
        learning_rate=learning_rate,
        regression=regression,
        schedule=schedule,
        average=average,
        device=device,
        init=init,
        mixed_precision=mixed,
        paper=terms,
    )
    prepared = prepare(faces, output, workers)
    if steps is None and recipe == "paper":
        settings = replace(settings, steps=paper_steps(len(prepared.train.pictures), settings.batch_size, terms))
    train_and_say(settings, prepared, output, minutes, resume, faces)


def _check_recipe(recipe: str, adversarial: float, regression: float | None, size: int) -> None:
    check_size(size)
    if recipe != "paper" and size != TrainSettings.size:
        raise UsageError(f"--size {size} goes with --recipe paper; geometry draws crops as they are.")
    if recipe == "paper" and (adversarial or regression):
        raise UsageError("--adversarial and --regression are geometry's; the paper's recipe has both terms already.")


def _check_terms(recipe: str, terms: PaperTerms) -> None:
    if recipe != "paper" and terms != PaperTerms():
        changed = [name for name, value in asdict(terms).items() if value != getattr(PaperTerms(), name)]
        raise UsageError(f"Weights and habits of the paper's terms ({', '.join(changed)}) go with --recipe paper.")


def _check_init(init: Path | None) -> None:
    if init is not None:
        from singanimation.stages.expansion.ganimation.published.reading import check_kind

        check_kind(init)


def prepare(faces: str, output: Path, workers: int | None) -> "PreparedFaces":
    """Return the faces of ``--input``; what has to be found is kept in OUTPUT.faces. Raises DatasetError."""
    from singanimation.flows.training.faces import prepare_faces

    return prepare_faces(faces, output.with_name(output.stem + ".faces"), workers or usable_cores(), typer.echo)


def train_and_say(
    settings: TrainSettings, prepared: "PreparedFaces", output: Path, minutes: float, resume: bool, name: str
) -> None:
    """Train, hold ``output`` meanwhile, and print a line every so many steps."""
    number = "bfloat16" if settings.mixed_precision else "float32"
    typer.echo(f"Training on {len(prepared.train.pictures):,} faces, {settings.device}, {number}.")
    if not can_draw():
        typer.echo(f"No chart of the losses will be drawn: that needs matplotlib ({NEEDED}).")
    with hold_training(output):
        for progress in run_training(settings, prepared, output, minutes=minutes, resume=resume, name=name):
            if progress.step % LOG_EVERY == 0 or progress.step == progress.steps:
                typer.echo(_line(progress))


def _gains_from_bfloat16(device: str) -> bool:
    """Whether the device computes faster in bfloat16: recent GPUs and CPUs with AMX do, others are far slower."""
    import torch

    if device.startswith("cuda"):
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = getattr(torch.cpu, "get_capabilities", dict)  # older versions of torch do not tell
    return bool(capabilities().get("amx_bf16"))


def _line(progress: "Progress") -> str:
    losses = " ".join(f"{name} {value:.4f}" for name, value in progress.losses.items())
    speed = f"{progress.seconds:.0f} s {progress.pictures_per_second:.1f} pictures/s"
    return f"{progress.step}/{progress.steps} {speed} {losses}"
