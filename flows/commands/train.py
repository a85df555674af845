"""`augment train au|ganimation|mean-face|expression`: train the models that ship, or your own."""

import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from singanimation.flows.commands.train_options import (
    AdversarialOption,
    AttentionWeightOption,
    AverageOption,
    BatchOption,
    CriticStepsOption,
    CycleWeightOption,
    FacesOption,
    MixedOption,
    OutputOption,
    RateOption,
    RegressionOption,
    ScheduleOption,
    StepsOption,
    UnitWeightOption,
    VariationWeightOption,
)
from singanimation.flows.interrupts import hold_interrupt
from singanimation.flows.training.checkpoint import hold_training
from singanimation.flows.training.expression import STEPS
from singanimation.flows.training.run import LOG_EVERY, run_training
from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.runs import make_folder
from singanimation.pipeline.system import usable_cores
from singanimation.stages.expansion.training.settings import (
    PaperTerms,
    Recipe,
    TrainSettings,
    paper_steps,
)

if TYPE_CHECKING:
    from singanimation.flows.training.faces import PreparedFaces
    from singanimation.stages.expansion.training.loop import Progress

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Train the models that ship, or your own.")


@app.command("ganimation")
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
    joint_critic: Annotated[
        bool, typer.Option("--joint-critic", help="paper: one Adam step on penalty and rest.")
    ] = False,
    clamp_targets: Annotated[bool, typer.Option("--clamp-targets", help="paper: noisy targets stay in 0..1.")] = False,
    width: Annotated[float, typer.Option(min=0.125, max=8, help="Share of the networks' width.")] = TrainSettings.width,
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

    _check_recipe(recipe, adversarial, regression)
    _check_output(output)
    _check_init(init)
    _use_threads(threads)
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
    prepared = _prepare(faces, output, workers)
    if steps is None and recipe == "paper":
        settings = replace(settings, steps=paper_steps(len(prepared.train.pictures), settings.batch_size, terms))
    number = "bfloat16" if settings.mixed_precision else "float32"
    typer.echo(f"Training on {len(prepared.train.pictures):,} faces, {device}, {number}.")
    with hold_training(output):
        for progress in run_training(settings, prepared, output, minutes=minutes, resume=resume, name=faces):
            if progress.step % LOG_EVERY == 0 or progress.step == progress.steps:
                typer.echo(_line(progress))


def _check_recipe(recipe: str, adversarial: float, regression: float | None) -> None:
    if recipe == "paper" and (adversarial or regression):
        raise UsageError("--adversarial and --regression are geometry's; the paper's recipe has both terms already.")


def _check_terms(recipe: str, terms: PaperTerms) -> None:
    if recipe != "paper" and terms != PaperTerms():
        changed = [name for name, value in asdict(terms).items() if value != getattr(PaperTerms(), name)]
        raise UsageError(f"Weights and habits of the paper's terms ({', '.join(changed)}) go with --recipe paper.")


def _check_output(output: Path) -> None:
    if output.suffix != ".safetensors":
        raise UsageError(f"--output {output} has to end in .safetensors.")
    if output.is_dir():
        raise UsageError(f"--output {output} is a folder; name the file to write.")
    make_folder(output.parent)


def _check_init(init: Path | None) -> None:
    if init is not None:
        from singanimation.stages.expansion.ganimation.published.reading import check_kind

        check_kind(init)


def _use_threads(threads: int | None) -> None:
    if threads:
        import torch

        torch.set_num_threads(threads)


def _prepare(faces: str, output: Path, workers: int | None) -> "PreparedFaces":
    from singanimation.flows.training.faces import prepare_faces

    return prepare_faces(faces, output.with_name(output.stem + ".faces"), workers or usable_cores(), typer.echo)


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


@app.command("au")
def train_au(
    faces: FacesOption,
    warped: Annotated[Path | None, typer.Option(help="A Parquet of warped faces, used besides.")] = None,
    output: OutputOption = Path("embedded.safetensors"),
    seed: Annotated[int, typer.Option(min=0)] = 0,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; default: all.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Default: the shipped recipe's.")] = None,
) -> None:
    """Train the AU estimator, the landmarks and the aligner; writes one safetensors file.

    The same command goes on where it stopped, from the checkpoint beside --output; Ctrl-C ends it after the step at
    hand.
    """
    from singanimation.stages.action_units.training.loop import TrainSettings, train_action_units
    from singanimation.stages.action_units.weights import save_weights

    _check_output(output)
    _use_threads(threads)
    settings = TrainSettings(faces=faces, warped=warped, seed=seed)
    if steps is not None:
        settings = replace(settings, steps=steps, aligner_steps=steps)
    checkpoint = output.with_suffix(".checkpoint.pt")
    if checkpoint.is_file():
        settings = replace(settings, resume=checkpoint)
    with hold_training(output), hold_interrupt() as interrupted:
        for progress in train_action_units(settings, interrupted=interrupted):
            if math.isnan(progress.loss):
                typer.echo(f"{progress.phase}: all {progress.steps} steps were done before.")
            else:
                typer.echo(f"{progress.phase} {progress.step}/{progress.steps} loss {progress.loss:.4f}")
                progress.session.save(checkpoint)
            if interrupted():
                raise KeyboardInterrupt
        save_weights(progress.session, output)
    typer.echo(f"{output} written.")


@app.command("mean-face")
def train_mean_face(
    faces: FacesOption,
    output: Annotated[Path, typer.Option("--output", help="The .safetensors file to write.")],
) -> None:
    """Learn the mean face that the geometry's tables lie on: landmarks at rest, a row of teeth, closed lids.

    Takes the training split of a Parquet like that of `augment train au`, with landmarks and the column yaw (degrees).
    """
    import numpy as np
    import torch

    from singanimation.stages.action_units.training.faces import load_faces, load_yaw
    from singanimation.stages.expansion.geometry.mean_face import save_mean_face

    _check_output(output)
    found, yaw = load_faces(faces, "train"), load_yaw(faces, "train")
    known = np.isfinite(found.landmarks).all((1, 2))
    pictures = torch.from_numpy(found.pictures[known]).permute(0, 3, 1, 2).float() / 255
    landmarks, units = torch.from_numpy(found.landmarks[known]), torch.from_numpy(found.action_units[known])
    save_mean_face(output, pictures, landmarks, units, torch.from_numpy(yaw[known]))
    typer.echo(f"{output} written: the mean of {int(known.sum()):,} faces with landmarks.")


@app.command("singan-start")
def train_singan_start(
    faces: FacesOption,
    warped: Annotated[Path | None, typer.Option(help="A Parquet of warped faces, used besides.")] = None,
    output: OutputOption = Path("start.safetensors"),
    init: Annotated[Path | None, typer.Option(help="Go on from these weights.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Default: the shipped recipe's.")] = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; default: all.")] = None,
) -> None:
    """Learn the weights from which every edit's SinGAN begins (`--engine fast`); writes one safetensors file.

    Minutes; Ctrl-C leaves the file of the last hundred steps.
    """
    from singanimation.stages.action_units.training.faces import load_training_faces
    from singanimation.stages.singan.fast.start import load_start, save_start
    from singanimation.stages.singan.fast.start_training import StartSettings, learn_start

    _check_output(output)
    _use_threads(threads)
    begun = None if init is None else load_start("cpu", init)
    settings = StartSettings(steps=StartSettings.steps if steps is None else steps, seed=seed, init=begun)
    pictures = load_training_faces(faces, warped, "train").crops()
    typer.echo(f"Training on {len(pictures):,} faces.")
    with hold_training(output), hold_interrupt() as interrupted:
        for progress in learn_start(pictures, settings):
            if progress.step % 100 == 0 or progress.step == settings.steps:
                save_start(progress.start, output)
                typer.echo(f"{progress.step}/{settings.steps} error {progress.error:.5f}")
            if interrupted():
                raise KeyboardInterrupt
    typer.echo(f"{output} written.")


@app.command("expression")
def train_expression_judge(
    pictures: Annotated[str, typer.Option("--input", help="Labelled faces: anything that `augment --input` takes.")],
    output: OutputOption = Path("expression.safetensors"),
    steps: Annotated[int, typer.Option(min=1)] = STEPS,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes that find faces; default: all cores.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; default: all.")] = None,
) -> None:
    """Train a small classifier of expressions on labelled pictures: `augment --expression-judge FILE` takes it.

    Writes the file and, beside it, its card with the recall on held-out people.
    """
    from singanimation.flows.training.expression import train_judge

    _check_output(output)
    _use_threads(threads)
    with hold_training(output):
        trained = train_judge(pictures, output, steps, seed, workers or usable_cores(), typer.echo)
    for name, (recall, count) in trained.recalls.items():
        typer.echo(f"{name}: recall {recall:.2f} on {count:,} held-out pictures")
    typer.echo(f"{output} written; its card is {output.with_suffix('.md')}.")
